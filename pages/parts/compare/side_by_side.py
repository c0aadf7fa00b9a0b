"""Side by side: compare two results with a slider, or all of them at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

import rustseg_jax as rs
from pages.components.slider import compare_slider
from pages.parts.compare import address, lessons, true_masks
from pages.parts.compare.steps import encoded, legend
from pages.shared import cases, models
from pages.shared.page import escape, keep_together, sentence
from rustseg_jax.samples import list_samples
from rustseg_jax.teaching.choice import OPTIONS
from rustseg_jax.teaching.lesson import Lesson
from rustseg_jax.teaching.texts import STAGES
from rustseg_jax.teaching.views import SHOWS, Exhibit, exhibit, exhibits_of

TOPICS = {
    "stages": "Stages",
    "cam": "Heat maps",
    "rule": "Thresholds",
    "crf": "CRF settings",
    "photos": "Two photos",
    "weights": "Two models",
}
ABOUT = {
    "stages": "Compare any two stages of this photo.",
    "cam": "Four methods to locate the evidence for one verdict. Grad-CAM++ exists in two versions "
    "that differ: the equation in the paper and the authors' code.",
    "rule": "Three threshold rules for one heat map. The later stages depend on the threshold.",
    "crf": "Five sets of CRF settings for one rough mask; all but the first are from published "
    "code.",
    "photos": "The same method on another photo.",
    "weights": "The same photo with other weights.",
}
LAYOUTS = {"slider": "Two, with a slider", "grid": "All in a grid"}
PAIRS = {
    "stages": ("photo", "mask"),
    "cam": ("score_map", "grad_cam_pp_eq19"),
    "rule": ("dynamic", "otsu"),
    "crf": ("ours", "pydensecrf"),
}
SHOWN = {"cam": "heat", "rule": "rough", "crf": "mask", "photos": "mask", "weights": "mask"}
HEATS = ("heat", "heatmap")
FAITHFUL = (
    "ROAD score from -1 to 1: P(corrosion) without the coldest areas minus P(corrosion) without "
    "the hottest areas. Above 0, the network relies on the areas that the map marks; chance is 0."
)


@dataclass(frozen=True)
class Item:
    """One item of a comparison: its subject, and the exhibit to show."""

    title: str
    subject: lessons.Subject
    show: str


def draw(reader: address.Reader, subject: lessons.Subject) -> None:
    """Draw the topic given in the address: two items with a slider, or all of them."""
    several = len(models.offered_weights()) > 1
    topics = {k: v for k, v in TOPICS.items() if several or k != "weights"}
    topic = reader.one_of("topic", topics, "stages")
    address.switch(
        "What to compare", "topic", topics, topic, default="stages",
        drop=("left", "right", "show", "other"), label_visibility="collapsed",
    )  # fmt: skip
    st.markdown(ABOUT[topic])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        items = _items(reader, subject, topic)
        layout = _layout(reader, topic)
        other = _other(reader, subject, items) if topic == "photos" else ""
    if other:
        _photos(reader, subject, items[other])
    elif layout == "grid":
        _all(reader, items)
    else:
        _two(reader, items, topic)
    if topic == "stages":
        st.caption(lessons.of_lesson(subject, _worst))


def _layout(reader: address.Reader, topic: str) -> str:
    if topic == "photos":
        return "slider"
    layout = reader.one_of("layout", LAYOUTS, "slider")
    address.switch(
        "Layout", "layout", LAYOUTS, layout, default="slider", label_visibility="collapsed"
    )
    return layout


def _items(reader: address.Reader, subject: lessons.Subject, topic: str) -> dict[str, Item]:
    """Return name in the address -> item, without the first of two photos."""
    allowed = lessons.of_lesson(subject, exhibits_of)
    if topic == "stages":
        return {name: Item(title, subject, name) for name, title in allowed.items()}
    shows = {k: v for k, v in allowed.items() if k in SHOWS and k != "photo"}
    show = reader.one_of("show", shows, SHOWN[topic])
    address.pick("Show", "show", shows, show, default=SHOWN[topic], width=300)
    if topic == "photos":
        varied = {
            name: (
                case.title,
                replace(subject, case=case, marked=true_masks.marked(case, reader.person)),
            )
            for name, case in _photos_to_choose(reader).items()
        }
    elif topic == "weights":
        varied = {
            name or "app": (title, replace(subject, weights=name))
            for name, title in models.offered_weights().items()
        }
    else:
        varied = {
            name: (title, replace(subject, choice=replace(subject.choice, **_one(topic, name))))
            for name, title in OPTIONS[topic].items()
        }
    return {name: Item(title, other, show) for name, (title, other) in varied.items()}


def _photos_to_choose(reader: address.Reader) -> dict[str, cases.ChosenPhoto]:
    """Return name in the address -> photo: this visit's uploads, the linked one, the samples."""
    photos = {}
    for digest in dict.fromkeys([*cases.uploads(), reader.link.get("other", "")]):
        with suppress(cases.CaseError):
            photos[digest] = cases.upload_case(digest)
    return photos | {s.name: cases.case_of(s) for s in list_samples()}


def _one(topic: str, name: str) -> dict[str, Any]:
    """Return the option to vary; a threshold set by hand would make all rules equal."""
    return {topic: name} if topic == "crf" else {topic: name, "cut": None}


def _two(reader: address.Reader, items: Mapping[str, Item], topic: str) -> None:
    names = list(items)
    titles = {name: item.title for name, item in items.items()}
    defaults = PAIRS.get(topic, (names[0], names[-1]))
    chosen = []
    for column, side, default in zip(st.columns(2), ("left", "right"), defaults, strict=True):
        name = reader.one_of(side, titles, default)
        chosen.append(items[name])
        with column:
            address.pick(side.capitalize(), side, titles, name, default=default)
    shown = [_shown(item) for item in chosen]
    if shown[0] and shown[1]:
        before, after = shown[0].view, shown[1].view
        compare_slider(
            encoded(before), encoded(after), key="side",
            labels=(chosen[0].title, chosen[1].title), alt=(before.alt, after.alt),
        )  # fmt: skip
        _legend(chosen)
    for column, item, exhibited in zip(st.columns(2), chosen, shown, strict=True):
        with column:
            _numbers(reader, item, exhibited)


def _other(reader: address.Reader, subject: lessons.Subject, items: Mapping[str, Item]) -> str:
    titles = {name: item.title for name, item in items.items()}
    usual = next(n for n, i in items.items() if i.subject.case.digest != subject.case.digest)
    name = reader.one_of("other", titles, usual)
    address.pick("Compare with", "other", titles, name, default="", width=300)
    return name


def _photos(reader: address.Reader, subject: lessons.Subject, other: Item) -> None:
    """Draw two photos beside each other; their shapes differ, so without a slider."""
    pair = Item(subject.case.title, subject, other.show), other
    for column, item in zip(st.columns(2), pair, strict=True):
        with column:
            _picture(reader, item)
    _legend(pair)


def _all(reader: address.Reader, items: Mapping[str, Item]) -> None:
    progress = st.empty()
    with st.grid("auto", min_column_width=225, gap="medium"):
        for k, item in enumerate(items.values()):
            progress.progress(k / len(items), item.title)
            with st.container(gap="xsmall"):
                _picture(reader, item)
    progress.empty()
    _legend(items.values())


def _picture(reader: address.Reader, item: Item) -> None:
    exhibited = _shown(item)
    if exhibited:
        st.image(exhibited.view.data, alt=exhibited.view.alt, width="stretch")
    _numbers(reader, item, exhibited)


def _shown(item: Item) -> Exhibit | None:
    """Return the image of an item, or draw the reason why there is none."""
    try:
        if item.show in lessons.of_lesson(item.subject, exhibits_of):
            return lessons.of_lesson(item.subject, exhibit, item.show)
        st.info(f"{escape(item.title)}: not available for this photo.")
    except rs.WeightsError as error:
        st.error(f"{escape(item.title)}: {sentence(error)}")
    return None


def _numbers(reader: address.Reader, item: Item, exhibited: Exhibit | None) -> None:
    """Draw title and numbers, and for a heat map its faithfulness."""
    st.markdown(f"**{escape(item.title)}**")
    if not exhibited:
        return
    values = [f"{k}\N{NO-BREAK SPACE}{keep_together(v)}" for k, v in exhibited.numbers.items()]
    st.caption(" · ".join(values))
    if item.show in HEATS:
        _faithfulness(reader, item)


def _faithfulness(reader: address.Reader, item: Item) -> None:
    if reader.one_of("faithful", {"": "no", "1": "yes"}, "") == "1":
        with st.spinner("Measuring faithfulness …", show_time=True):
            score = lessons.faithful(item.subject).score
        st.markdown(f"Faithfulness **{score:+.2f}**", help=FAITHFUL)
    else:
        st.button(
            "Measure faithfulness", key=f"faithful-{item.title}-{item.show}",
            icon=":material/straighten:", type="tertiary",
            on_click=address.put, kwargs={"faithful": "1"}, help=FAITHFUL,
        )  # fmt: skip


def _legend(items: Collection[Item]) -> None:
    """Explain the colours of these items."""
    heats = {item.subject.choice.cam for item in items if item.show in HEATS}
    if heats:
        legend("heat" if heats == {"score_map"} else "relative")
    if any(item.show == "unary" for item in items):
        legend("unary")
    if any(item.show.startswith("diff-") for item in items):
        legend("difference")


def _worst(lesson: Lesson) -> str:
    truth = lesson.truth
    if truth is None:
        return "The true mask of this photo is not known, so IoU and differences are not available."
    if not truth.worst:
        return "No stage causes a loss."
    lost = truth.stages[truth.worst].lost
    return (
        f"The largest loss is due to {STAGES[truth.worst]}: {lost:.2f} IoU. See the step True mask."
    )
