"""One photo with all its corrections, their changes and reviews."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

import rustseg_jax as rs
from pages.parts.labels import experts, stages
from pages.parts.labels.review import draw
from pages.server.line import once
from pages.shared import address, wording
from pages.shared.page import escape, guard, later, percent, sentence
from pages.shared.people import Person
from rustseg_jax import images, labels
from rustseg_jax.labels.records import Correction

__all__ = ["show"]

_SHOW = {
    "": ":material/gradient: Mask",
    "change": ":material/difference: Changes",
    "photo": ":material/image: Photo",
}
_KINDS = {"expert": "", "import": " · imported", "consensus": " · consensus"}
_MOST = 12  # corrections listed at first


def show(store: labels.Store, digest: str, reader: address.Reader, person: Person) -> None:
    """Draw the view of one photo."""
    try:
        told = labels.history(store, digest)
    except rs.LabelsError as error:
        st.warning(sentence(error), icon=":material/link_off:")
        st.button("All corrections", key="back", on_click=close, icon=":material/arrow_back:")
        return
    chosen = _chosen(told, reader)
    look = reader.one_of("show", _SHOW, "")
    _bar(store, told, person)
    reader.complain()
    if chosen is None:
        st.info("This photo has no corrections yet.", icon=":material/hourglass_empty:")
        _facts(told)
        return
    # The image and the correction under review come first, also on a phone.
    left, right = st.columns([7, 3], gap="medium")
    with left:
        address.switch("Show", "show", _SHOW, look, default="", label_visibility="collapsed")
        with guard():
            _picture(store, told, chosen, look)
    with right, st.container(border=True):
        _words(told, chosen)
        with guard():
            draw(store, told, chosen, person)
    left, right = st.columns([7, 3], gap="medium")
    with left:
        with guard():
            stages.of_one(told, chosen)
        with guard():
            experts.of_photo(store, told, person)
    with right:
        _list(told, chosen)
        _facts(told)


def close() -> None:
    """Return to the list."""
    address.put(photo=None, at=None, show=None)


def open_next(store: labels.Store, told: labels.History) -> None:
    """Open the newest unreviewed correction of another photo."""
    with later():
        page = labels.list_corrections(
            store, labels.Filters(status="open"), limit=1 + len(told.corrections)
        )
        following = next((e for e in page.entries if e.photo != told.photo.sha256), None)
        if following is None:
            close()
        else:
            address.put(photo=following.photo, at=following.id)


def _chosen(told: labels.History, reader: address.Reader) -> Correction | None:
    """Return the correction in the address; else the latest that counts, else the latest."""
    if not told.corrections:
        return None
    if wanted := reader.link.get("at"):
        for c in told.corrections:
            if c.id == wanted:
                return c
        reader.complaints.append("the correction does not belong to this photo")
    return (told.counted or told.corrections)[-1]


def _bar(store: labels.Store, told: labels.History, person: Person) -> None:
    title = told.photo.origin or f"Photo {told.photo.sha256[:8]}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All corrections", key="back", on_click=close, icon=":material/arrow_back:")
        st.markdown(f"**{escape(title)}**", width="stretch")
        if person.may_review:
            st.button(
                "Next to review", key="next-open", on_click=open_next, args=(store, told),
                icon=":material/skip_next:",
            )  # fmt: skip
        st.page_link(
            "pages/correct.py", label="Correct", icon=":material/brush:",
            query_params={"case": told.photo.sha256},
        )  # fmt: skip


def _picture(store: labels.Store, told: labels.History, chosen: Correction, look: str) -> None:
    before, what = _before(told, chosen)
    path, digest, after = store.photo_path(told.photo), told.photo.sha256, chosen.mask
    if look == "change" and (before is None or after is None):
        st.info("There are no two masks to compare here.", icon=":material/info:")
        look = ""
    name = escape(told.photo.origin or "The photo")
    if look == "change" and before is not None and after is not None:
        change = once(
            "difference", (digest, chosen.id),
            lambda: labels.change_picture(images.read(path), before, after), size=16,
        )  # fmt: skip
        words = wording.changed(change)
        st.image(change.picture, alt=f"Changes by {chosen.who}: {words}", width="stretch")
        st.html(wording.legend())
        st.caption(f"Compared with {what}: {words}")
        return
    alone = look == "photo"
    # Any readable format becomes an upright image no larger than it is shown.
    drawn = replace(chosen, mask=None, ignore=None) if alone else chosen
    picture = once(
        "correction", (digest, "" if alone else chosen.id),
        lambda: labels.correction_picture(images.read(path), drawn), size=16,
    )  # fmt: skip
    alt = name if alone else f"{name} with the mask of {chosen.who}"
    st.image(picture, alt=alt, width="stretch")


def _before(told: labels.History, chosen: Correction) -> tuple[labels.Rle | None, str]:
    """Return the mask that a correction started from, and a name for it."""
    parent = next((c for c in told.corrections if c.id == chosen.parent), None)
    if parent is not None and parent.mask is not None:
        return parent.mask, f"the mask of {escape(parent.who)}"
    model = next((p for p in told.predictions if p.id == chosen.prediction), None)
    return (model.mask, "the model's mask") if model else (None, "")


def _words(told: labels.History, chosen: Correction) -> None:
    """Describe the chosen correction."""
    st.markdown(_who(told, chosen))
    st.markdown(wording.words(chosen))
    if chosen.confidence is not None:
        st.caption(f"Confidence {percent(chosen.confidence, digits=0)}")
    if chosen.method:
        method = experts.METHODS.get(chosen.method, chosen.method)
        st.caption(f"Consensus of {len(chosen.sources)} corrections ({method})")
    if chosen.note:
        st.caption(escape(chosen.note))


def _who(told: labels.History, c: Correction) -> str:
    sure = "" if c.verified else " (unverified)"
    return (
        f"**{escape(c.who)}**{sure} · {wording.time(c.made)}{_KINDS[c.kind]} · "
        f"{wording.status(told.status[c.id])}"
    )


def _list(told: labels.History, chosen: Correction) -> None:
    """List all corrections of the photo, newest first; the chosen one is marked."""
    if len(told.corrections) < 2:
        return
    st.markdown("**Corrections of this photo**")
    newest = told.corrections[::-1]
    if len(newest) > _MOST and not st.toggle("Show all", key="all-corrections"):
        newest = newest[:_MOST]
    for c in newest:
        with st.container(border=True, gap="xsmall"):
            st.markdown(_who(told, c))
            st.caption(wording.words(c))
            st.button(
                "Shown" if c is chosen else "Show", key=f"at-{c.id}",
                disabled=c is chosen, on_click=address.put, kwargs={"at": c.id},
            )  # fmt: skip


def _facts(told: labels.History) -> None:
    photo = told.photo
    parts = [
        f"{photo.width} x {photo.height} pixels, EXIF {photo.exif}",
        f"consent: {photo.consent}",
        f"licence: {escape(photo.licence) or 'unknown'}",
        *(f"{k}: {escape(v)}" for k in ("source", "scene", "split")
          if (v := getattr(photo, k))),
    ]  # fmt: skip
    st.caption(
        " · ".join(parts),
        help="The owner of the photo and the people shown can ask for it to be erased. The "
        f"operator of this server runs `labels erase {photo.sha256} --who NAME --reason TEXT`.",
    )
