"""What was said of a photo before: who, when, what, and what it changed."""

from __future__ import annotations

import io

import streamlit as st
from PIL import Image

from pages import compute, shared
from pages.cases import Case
from pages.desk import PREDICTION, Bench, Start
from rustseg_jax import images, labels
from rustseg_jax.grading import grade
from rustseg_jax.metrics import confusion, iou
from rustseg_jax.teaching_figure import DIFFERENCE_COLOURS, difference_picture
from rustseg_jax.teaching_mask import Difference

__all__ = ["begin_from", "change", "chosen", "draw"]

_FROM = "correct-from"
_SIDE, _SHOWN = 1280, 640  # pixels of the picture of a difference: sharp on dense screens
_MOST = 8  # corrections that are listed at first
_ICONS = {
    "open": "schedule", "approved": "check_circle", "rejected": "cancel", "flagged": "flag",
    "withdrawn": "undo",
}  # fmt: skip


def chosen(digest: str) -> str:
    """From which correction the canvas begins: an id, `PREDICTION`, or "" for the latest."""
    return str(st.session_state.get(_FROM, {}).get(digest, ""))


def begin_from(digest: str, which: str) -> None:
    """Begin from another correction; "" is the latest."""
    st.session_state.setdefault(_FROM, {})[digest] = which


def draw(
    case: Case, made: Bench, past: labels.History | None, start: Start, *, names: bool
) -> None:
    """List what was said, newest first, each with what it changed and a way to go on from it.

    Without `names` it does not say who: names and addresses are not for every visitor.
    """
    if past is None or not past.corrections:
        return
    number = len(past.corrections)
    title = "1 correction" if number == 1 else f"{number} corrections"
    with st.expander(f"History: {title}", icon=":material/history:", expanded=True):
        newest = past.corrections[::-1]
        if number > _MOST and not st.toggle("All of them", key=f"all-{case.digest[:16]}"):
            newest = newest[:_MOST]
        for correction in newest:
            with st.container(border=True):
                _entry(case, made, past, correction, start, names)
        _model(case, made, start)


def _entry(
    case: Case,
    made: Bench,
    past: labels.History,
    correction: labels.Correction,
    start: Start,
    names: bool,
) -> None:
    status = past.status.get(correction.id, "open")
    who = "An expert"
    if names:
        who = shared.escape(correction.who) + ("" if correction.verified else " (unverified)")
    kind = "" if correction.kind == "expert" else f" · {correction.kind}"
    st.markdown(
        f"**{who}** · {_time(correction.made)}{kind} · :material/{_ICONS[status]}: {status}"
    )
    st.markdown(shared.keep_together(_words(correction)))
    if correction.note:
        st.caption(shared.escape(correction.note))
    if correction.mask is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        current = start.parent is not None and start.parent.id == correction.id
        st.button(
            "The canvas began here" if current else "Start from this one", disabled=current,
            key=f"from-{correction.id}", on_click=begin_from, args=(case.digest, correction.id),
            icon=":material/brush:",
        )  # fmt: skip
        looks = st.toggle("Show what it changed", key=f"looks-{correction.id}")
    if looks:
        _difference(case, made, past, correction)


def _model(case: Case, made: Bench, start: Start) -> None:
    with st.container(border=True):
        st.markdown(shared.keep_together(f"**The model** · {made.found.verdict}"))
        current = start.parent is None
        st.button(
            "The canvas began here" if current else "Start from the model's mask",
            disabled=current, key="from-model", on_click=begin_from,
            args=(case.digest, PREDICTION), icon=":material/brush:",
        )  # fmt: skip


def _words(correction: labels.Correction) -> str:
    verdict = {"corrosion": "Corrosion", "none": "No corrosion"}.get(
        correction.verdict, "Can't tell"
    )
    parts = [verdict]
    if correction.mask is not None:
        pixels = correction.mask.height * correction.mask.width - (correction.ignored or 0)
        share = (correction.area or 0) / max(1, pixels)
        parts.append(shared.percent(share))
        parts.append(grade(share).iso.words("Ri "))
    if correction.ignored:
        parts.append(f"{correction.ignored} pixels can't be told")
    parts += correction.reasons
    if correction.wrong_reason:
        parts.append("right answer, wrong reason")
    if correction.seconds and correction.seconds >= 1:
        parts.append(f"{correction.seconds:.0f} s")
    return " · ".join(parts)


def _time(made: str) -> str:
    return f"{made[:10]} {made[11:16]} UTC"


def _difference(
    case: Case, made: Bench, past: labels.History, correction: labels.Correction
) -> None:
    """What a correction changed, against what it began from."""
    before = next((c for c in past.corrections if c.id == correction.parent), None)
    old = before.mask if before and before.mask else _predicted(made, past, correction)
    key = case.digest, correction.id
    data, words = compute.once("difference", key, lambda: _picture(case, old, correction), size=16)
    what = "the correction that it began from" if before else "the model's mask"
    st.image(data, alt=f"What the correction changed of {what}: {words}", width=_SHOWN)
    st.html(_legend())
    st.caption(f"Against {what}: {words}")


def _predicted(made: Bench, past: labels.History, correction: labels.Correction) -> labels.Rle:
    found = next((p for p in past.predictions if p.id == correction.prediction), None)
    return found.mask if found else made.mask


def _picture(case: Case, old: labels.Rle, correction: labels.Correction) -> tuple[bytes, str]:
    assert correction.mask is not None
    before, after = old.decode(), correction.mask.decode()
    both, added, dropped = before & after, after & ~before, before & ~after
    agreement = iou(confusion(before, after))
    difference = Difference("mask", agreement, 1 - agreement, both, added, dropped)
    photo = images.read(case.path.read_bytes(), name=case.title)
    picture = difference_picture(photo, difference, side=_SIDE)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    said = f"{shared.percent(float(added.mean()))} of the photo added, "
    said += f"{shared.percent(float(dropped.mean()))} taken away, IoU {agreement:.2f}"
    return file.getvalue(), said


def _legend() -> str:
    names = {"hit": "kept", "missed": "added", "extra": "taken away"}
    marks = "".join(
        f'<span><i style="background: rgb{tuple(DIFFERENCE_COLOURS[k])}"></i>{name}</span>'
        for k, name in names.items()
    )
    style = (
        "<style>.difference span { margin-right: 1.25em } .difference i { display: inline-block; "
        "width: .8em; height: .8em; margin-right: .4em; border-radius: 2px }</style>"
    )
    return f'{style}<div class="difference">{marks}</div>'


def change(correction: labels.Correction, old: labels.Rle) -> str:
    """Say in a sentence what a correction made of the area and its grade."""
    if correction.mask is None:
        return "Only the verdict was saved."
    pixels = old.height * old.width
    before = old.area / pixels
    after = (correction.area or 0) / max(1, pixels - (correction.ignored or 0))
    words = f"Rust {shared.percent(before)} before, {shared.percent(after)} now"
    first, second = grade(before).iso.value, grade(after).iso.value
    flip = f"the grade stays Ri {second}" if first == second else (
        f"the grade goes from Ri {first} to Ri {second}"
    )  # fmt: skip
    return f"{words}; {flip}."
