"""Stages: the method on one photo, step by step, or any two results side by side."""

from __future__ import annotations

from functools import partial

import streamlit as st

from pages.parts.compare import lessons, side_by_side
from pages.parts.compare.address import Reader, pick, put, switch
from pages.parts.compare.steps import STYLE, draw
from pages.server.results import size
from pages.shared import cases, models
from pages.shared.page import enter, escape, guard
from pages.shared.sample_picker import draw_samples
from rustseg_jax.images import PHOTO_SUFFIXES
from rustseg_jax.samples import Sample
from rustseg_jax.teaching.choice import DEFAULTS, OPTIONS, Choice

VIEWS = {"steps": "Step by step", "side": "Side by side"}


def main() -> None:
    st.html(STYLE)
    st.title("How the rust is found, stage by stage", anchor=False)
    complaints = st.container()
    reader = Reader()
    subject = reader.subject()
    view = reader.one_of("view", VIEWS, "steps")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        switch("View", "view", VIEWS, view, default="steps", label_visibility="collapsed")
        _photo(subject.case)
        _method(subject)
        _downloads(subject)
        st.page_link("pages/tour.py", label="New to this? Take the tour", width="content")
    _describe(subject)
    _compute(subject)
    if view == "side":
        side_by_side.draw(reader, subject)
    else:
        draw(reader, subject)
    with complaints:
        reader.complain()


def _compute(subject: lessons.Subject) -> None:
    """Compute the lesson; show the photo itself until it is ready."""
    place, key = st.empty(), subject.key()
    if st.session_state.get("taken-apart") != key:
        place.image(cases.thumbnail(str(subject.case.path)), alt=subject.case.title, width=480)
    with st.spinner("Analysing the photo …", show_time=True):
        lessons.lesson(subject)
    st.session_state["taken-apart"] = key
    place.empty()


def _photo(case: cases.ChosenPhoto) -> None:
    with st.popover("Photo", icon=":material/photo_library:", width="content"):
        st.file_uploader(
            "Upload a photo",
            type=[suffix.removeprefix(".") for suffix in PHOTO_SUFFIXES],
            key="stages-upload",
            on_change=_take_upload,
        )
        st.caption(f"Stored on this server for {cases.KEEP_HOURS} hours, then deleted.")
        draw_samples(partial(_pick, case), width=130)


def _pick(case: cases.ChosenPhoto, sample: Sample) -> None:
    st.button(
        sample.title,
        key=f"stages-{sample.name}",
        on_click=_take_sample,
        args=(sample.name,),
        disabled=sample.path == case.path,
        width="stretch",
    )


def _take_sample(name: str) -> None:
    put(sample=name, case=None, cut=None, update=None)


def _take_upload() -> None:
    file = st.session_state["stages-upload"]
    if file:
        with guard():
            digest = cases.keep_upload(file.name, file.getvalue())
            put(case=digest, sample=None, cut=None, update=None)


def _method(subject: lessons.Subject) -> None:
    labels = {"cam": "Heat map", "rule": "Threshold", "crf": "CRF"}
    with st.popover("Method", icon=":material/tune:", width="content"):
        for name, label in labels.items():
            pick(label, name, OPTIONS[name], getattr(subject.choice, name), default=DEFAULTS[name])
        offered = models.offered_weights()
        if len(offered) > 1:
            pick("Weights", "weights", offered, subject.weights, default="")
        st.button("Reset to defaults", on_click=_reset, disabled=not _changed(subject))


def _reset() -> None:
    put(**dict.fromkeys((*DEFAULTS, "cut", "weights")))


def _changed(subject: lessons.Subject) -> bool:
    return subject.choice != Choice() or bool(subject.weights)


def _downloads(subject: lessons.Subject) -> None:
    title = subject.case.title
    with st.popover("Download figure", icon=":material/download:", width="content"):
        st.caption("All steps with texts and numbers on one sheet.")
        for form, kind in (("png", "image/png"), ("pdf", "application/pdf")):
            st.download_button(
                form.upper(),
                partial(lessons.figure_file, subject, title, form),
                f"{subject.case.stem}.stages.{form}",
                kind,
                key=f"figure-{form}",
                on_click="ignore",
                width="stretch",
            )


def _describe(subject: lessons.Subject) -> None:
    """Name the photo and the settings that differ from the defaults."""
    choice = subject.choice
    parts = [escape(subject.case.title)]
    others = {n: getattr(choice, n) for n, d in DEFAULTS.items() if getattr(choice, n) != d}
    parts += [OPTIONS[name][value] for name, value in others.items()]
    if choice.cut is not None:
        parts.append(f"threshold set to {choice.cut:.2f}")
    if subject.weights:
        parts.append(f"weights {escape(subject.weights)}")
    if subject.marked:
        parts.append(f"true mask: {escape(subject.marked.words)}")
    height, width = size(subject.case)
    if max(height, width) > lessons.LESSON_SIDE:
        parts.append(
            f"{width} x {height} pixels, reduced here to {lessons.LESSON_SIDE} on the longer side"
        )
    st.caption(" · ".join(parts))


enter()
main()
