"""The history of a photo: who corrected it, when, how, and what each correction changed."""

from __future__ import annotations

import streamlit as st

from pages.parts.correct.saving import PREDICTION, Start
from pages.parts.correct.workbench import Bench
from pages.server.line import once
from pages.shared import wording
from pages.shared.cases import ChosenPhoto
from pages.shared.page import escape, keep_together, percent
from rustseg_jax import images, labels
from rustseg_jax.report.grading import grade

__all__ = ["begin_from", "change", "chosen", "draw"]

_FROM = "correct-from"
_SHOWN = 640  # width of a difference image in pixels: half its own, sharp on high-density screens
_MOST = 8  # corrections listed at first


def chosen(digest: str) -> str:
    """Return where the canvas starts: id of a correction, `PREDICTION`, or "" for the latest."""
    return str(st.session_state.get(_FROM, {}).get(digest, ""))


def begin_from(digest: str, which: str) -> None:
    """Start the canvas from another correction; "" is the latest."""
    st.session_state.setdefault(_FROM, {})[digest] = which


def draw(
    case: ChosenPhoto, made: Bench, past: labels.History | None, start: Start, *, names: bool
) -> None:
    """List the corrections, newest first, each with its changes and a button to start from it.

    Without `names`, authors stay anonymous: not every visitor may see names and addresses.
    """
    if past is None or not past.corrections:
        return
    number = len(past.corrections)
    title = "1 correction" if number == 1 else f"{number} corrections"
    with st.expander(f"History: {title}", icon=":material/history:", expanded=True):
        newest = past.corrections[::-1]
        if number > _MOST and not st.toggle("Show all", key=f"all-{case.digest[:16]}"):
            newest = newest[:_MOST]
        for correction in newest:
            with st.container(border=True):
                _entry(case, made, past, correction, start, names)
        _model(case, made, start)


def _entry(
    case: ChosenPhoto,
    made: Bench,
    past: labels.History,
    correction: labels.Correction,
    start: Start,
    names: bool,
) -> None:
    status = past.status.get(correction.id, "open")
    who = "An expert"
    if names:
        who = escape(correction.who) + ("" if correction.verified else " (unverified)")
    kind = "" if correction.kind == "expert" else f" · {correction.kind}"
    st.markdown(f"**{who}** · {wording.time(correction.made)}{kind} · {wording.status(status)}")
    st.markdown(wording.words(correction))
    if correction.note:
        st.caption(escape(correction.note))
    if correction.mask is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        current = start.parent is not None and start.parent.id == correction.id
        st.button(
            "Current starting point" if current else "Start from this mask", disabled=current,
            key=f"from-{correction.id}", on_click=begin_from, args=(case.digest, correction.id),
            icon=":material/brush:",
        )  # fmt: skip
        looks = st.toggle("Show changes", key=f"looks-{correction.id}")
    if looks:
        _difference(case, made, past, correction)


def _model(case: ChosenPhoto, made: Bench, start: Start) -> None:
    with st.container(border=True):
        st.markdown(keep_together(f"**Model** · {made.found.verdict}"))
        current = start.parent is None
        st.button(
            "Current starting point" if current else "Start from the model's mask",
            disabled=current, key="from-model", on_click=begin_from,
            args=(case.digest, PREDICTION), icon=":material/brush:",
        )  # fmt: skip


def _difference(
    case: ChosenPhoto, made: Bench, past: labels.History, correction: labels.Correction
) -> None:
    """Show what a correction changed, compared with the mask that it started from."""
    before = next((c for c in past.corrections if c.id == correction.parent), None)
    old = before.mask if before and before.mask else _predicted(made, past, correction)
    key = case.digest, correction.id
    mask = correction.mask
    assert mask is not None  # offered only for corrections with a mask

    def work() -> labels.Change:
        photo = images.read(case.path.read_bytes(), name=case.title)
        return labels.change_picture(photo, old, mask)

    change = once("difference", key, work, size=16)
    words = wording.changed(change)
    what = "the previous correction" if before else "the model's mask"
    st.image(change.picture, alt=f"Changes to {what}: {words}", width=_SHOWN)
    st.html(wording.legend())
    st.caption(f"Compared with {what}: {words}")


def _predicted(made: Bench, past: labels.History, correction: labels.Correction) -> labels.Rle:
    found = next((p for p in past.predictions if p.id == correction.prediction), None)
    return found.mask if found else made.mask


def change(correction: labels.Correction, old: labels.Rle) -> str:
    """Return a sentence on how a correction changed the rusted area and its grade."""
    if correction.mask is None:
        return "Only the verdict was saved."
    pixels = old.height * old.width
    before = old.area / pixels
    after = (correction.area or 0) / max(1, pixels - (correction.ignored or 0))
    words = f"Rusted area {percent(before)} before, {percent(after)} now"
    first, second = grade(before).iso.value, grade(after).iso.value
    flip = f"grade unchanged (Ri {second})" if first == second else (
        f"grade changed from Ri {first} to Ri {second}"
    )  # fmt: skip
    return f"{words}; {flip}."
