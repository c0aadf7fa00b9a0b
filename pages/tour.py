"""The guided tour, one stop at a time; the address holds the number of the stop."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.components import teach
from pages.components.slider import compare_slider
from pages.parts.compare import lessons, true_masks
from pages.parts.compare.address import put, sample_case
from pages.parts.compare.steps import STYLE, encoded, grid, legend, scores
from pages.shared.page import enter, escape, keep_together
from rustseg_jax.drawing.encode import png
from rustseg_jax.samples import list_samples
from rustseg_jax.teaching.tour import SCENES, TOUR, TourStop, facts, outcome
from rustseg_jax.teaching.views import exhibit, step_views


def main() -> None:
    st.html(STYLE + _STYLE)
    complaints = st.container()
    number = _number(complaints)
    stop = TOUR[number - 1]
    teach.strip(
        [teach.Stop(str(k), stop.short) for k, stop in enumerate(TOUR, 1)],
        str(number),
        key="tour",
        label="Stops of the tour",
        query=st.query_params.to_dict(),
        go=_go,
    )
    st.title(stop.title, anchor=False)
    words, figure = st.columns([2, 3], gap="large")
    with words, st.container(key="reading"):
        _words(stop)
    with figure:
        _FIGURES[stop.show](stop)
    _onward(number)


def _number(complaints: st.delta_generator.DeltaGenerator) -> int:
    text = st.query_params.get("step", "1")
    if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= len(TOUR):
        return int(text[:6])
    complaints.warning(
        f"Step {escape(repr(text[:20]))} of the tour not found: use a number from 1 to "
        f"{len(TOUR)}. Showing the first step.",
        icon=":material/link_off:",
    )
    return 1


def _go(step: str) -> None:
    put(step=step if step != "1" else None)


def _onward(number: int) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        if number > 1:
            st.button(
                "Back", key="back", icon=":material/arrow_back:",
                on_click=_go, args=(str(number - 1),),
            )  # fmt: skip
        else:
            st.space("small")
        st.caption(f"{number} of {len(TOUR)}", width="content")
        if number < len(TOUR):
            st.button(
                "Next", key="next", icon=":material/arrow_forward:", icon_position="right",
                on_click=_go, args=(str(number + 1),),
            )  # fmt: skip
        else:
            st.space("small")


def _subject(name: str) -> lessons.Subject:
    case = lessons.tour_case(name) if name in SCENES else sample_case(name)
    return lessons.Subject(case)


def _words(stop: TourStop) -> None:
    values = {}
    if "{" in stop.text:
        with st.spinner("Analysing the sample …"):
            values = lessons.of_lesson(_subject(stop.subjects[0]), facts)
    st.markdown(keep_together(stop.text.format(**values)))


def _mask(stop: TourStop) -> None:
    refined = stop.show == "refine"
    before, names = ("rough", ("Rough mask", "Mask")) if refined else ("photo", ("Photo", "Mask"))
    subject = _subject(stop.subjects[0])
    left, right = (lessons.of_lesson(subject, exhibit, show).view for show in (before, "mask"))
    compare_slider(
        encoded(left), encoded(right), key=f"tour-{stop.name}",
        labels=names, alt=(left.alt, right.alt),
    )  # fmt: skip


def _labels(stop: TourStop) -> None:
    """Show samples with the one-word label that a training image has."""
    samples = {sample.name: sample for sample in list_samples()}
    with st.grid("auto", min_column_width=150, gap="small"):
        for name in stop.subjects:
            sample = samples[name]
            word = "corrosion" if sample.corroded else "no corrosion"
            st.image(str(sample.path), caption=f"“{word}”", alt=sample.title, width="stretch")


def _truth(stop: TourStop) -> None:
    case = _subject(stop.subjects[0]).case
    true = true_masks.true_mask(case)
    st.image(str(case.path), caption="The scene", alt=case.title, width="stretch")
    if true is not None:
        st.image(
            png(true), caption="True mask (white: rust)",
            alt="The true mask: large ragged patches and many spots", width="stretch",
        )  # fmt: skip


def _scores(stop: TourStop) -> None:
    subject = _subject(stop.subjects[0])
    teach.drawing(
        lessons.of_lesson(subject, scores),
        key="tour-scores",
        alt="Curve of the probability over the margin, with this photo as a point",
    )
    st.image(str(subject.case.path), caption="The photo", alt=subject.case.title, width=360)


def _heatmap(stop: TourStop) -> None:
    subject = _subject(stop.subjects[0])
    grid(lessons.of_lesson(subject, step_views, "heatmap"), width=200)
    legend("heat")


def _outcomes(stop: TourStop) -> None:
    """Show photo and mask side by side, and whether the verdict is right."""
    corroded = {sample.name: bool(sample.corroded) for sample in list_samples()}
    for name in stop.subjects:
        with st.spinner(f"Rendering and analysing: {name.replace('_', ' ')} …", show_time=True):
            subject = _subject(name)
            rusty = true_masks.true_mask(subject.case) is not None or corroded.get(name, False)
            words = lessons.of_lesson(subject, outcome, rusty)
            views = [lessons.of_lesson(subject, exhibit, show).view for show in ("photo", "mask")]
        captions = subject.case.title, "Marked as rust"
        with st.grid(2, min_column_width=140, gap="small"):
            for view, caption in zip(views, captions, strict=True):
                st.image(view.data, caption=caption, alt=view.alt, width="stretch")
        st.markdown(keep_together(words))
        query = {"case": subject.case.digest} if name in SCENES else {"sample": name}
        st.page_link(
            "pages/compare.py",
            label="See every stage",
            icon=":material/layers:",
            query_params=query,
        )


def _links(stop: TourStop) -> None:
    del stop
    for label, page, query, icon in _WAYS:
        with st.container(border=True):
            st.page_link(page, label=label, query_params=query, icon=f":material/{icon}:")


_WAYS: tuple[tuple[str, str, dict[str, str], str], ...] = (
    ("A pipe, step by step, threshold at 0.20", "pages/compare.py",
     {"sample": "pipe", "step": "threshold", "cut": "0.20"}, "layers"),
    ("Four heat maps of one photo", "pages/compare.py",
     {"sample": "pipe", "view": "side", "topic": "cam", "layout": "grid"}, "grid_view"),
    ("Which stage causes the largest loss?", "pages/compare.py",
     {"sample": "plate", "step": "truth"}, "fact_check"),
    ("Your own photo", "pages/segment.py", {}, "add_a_photo"),
)  # fmt: skip

_FIGURES: dict[str, Callable[[TourStop], None]] = {
    "mask": _mask,
    "labels": _labels,
    "truth": _truth,
    "looks": _labels,
    "scores": _scores,
    "heatmap": _heatmap,
    "refine": _mask,
    "outcomes": _outcomes,
    "links": _links,
}

_STYLE = """<style>
.st-key-reading p, .st-key-reading li { font-size: 1.0625rem; line-height: 1.65; }
</style>"""


enter()
main()
