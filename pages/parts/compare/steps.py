"""Step by step: all stages of one photo, one step at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import streamlit as st

from pages.components import teach
from pages.components.slider import Encoded, compare_slider
from pages.parts.compare import address, lessons
from pages.shared.page import keep_together, percent
from rustseg_jax.teaching.drawings import draw_histogram, draw_losses, draw_scores
from rustseg_jax.teaching.lesson import Lesson
from rustseg_jax.teaching.steps import Step
from rustseg_jax.teaching.texts import SHORT_TITLES, STEPS
from rustseg_jax.teaching.views import View, step_views, thumbnails

FIRST = "seen"


def draw(reader: address.Reader, subject: lessons.Subject) -> None:
    """Draw the navigation strip and the step given in the address."""
    words = lessons.of_lesson(subject, _words)
    here = reader.one_of("step", {step.name: step.title for step in words}, FIRST)
    small = lessons.of_lesson(subject, thumbnails)
    teach.strip(
        [teach.Stop(s.name, SHORT_TITLES[s.name], small.get(s.name), _sign(s)) for s in words],
        here,
        key="strip",
        label="Steps of the method",
        query=st.query_params.to_dict(),
        go=_go,
    )
    number = next(k for k, step in enumerate(words) if step.name == here)
    step = words[number]
    st.header(f"{number + 1}. {step.title}", anchor=False)
    st.markdown(keep_together(step.what))
    pictures, text = st.columns([5, 2], gap="large")
    with pictures:
        _pictures(reader, subject, step)
    with text:
        _text(step)
    _onward(words, number)


def _words(lesson: Lesson) -> tuple[Step, ...]:
    return lesson.steps


def _sign(step: Step) -> str:
    """Return the text to show in the strip for a step without a thumbnail."""
    return keep_together(step.numbers["P(corrosion)"]) if step.name == "scores" else "-"


def _go(step: str) -> None:
    if step in STEPS:
        address.put(step=step if step != FIRST else None, update=None)


def _text(step: Step) -> None:
    st.markdown(f"**Why.** {keep_together(step.why)}")
    st.markdown(f"**What can go wrong.** {keep_together(step.wrong)}")
    if step.numbers:
        rows = "".join(
            f"<dt>{label}</dt><dd>{keep_together(value)}</dd>"
            for label, value in step.numbers.items()
            if label != "IoU by stage"  # shown in the drawing
        )
        st.html(f'<p class="head">In this photo</p><dl class="numbers">{rows}</dl>')
    if step.formula:
        with st.expander("Formula"):
            st.latex(step.formula)


def _onward(words: Sequence[Step], number: int) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for at, key, icon in (
            (number - 1, "back", "arrow_back"),
            (number + 1, "next", "arrow_forward"),
        ):
            if not 0 <= at < len(words):
                st.empty()
                continue
            st.button(
                SHORT_TITLES[words[at].name],
                key=f"step-{key}",
                icon=f":material/{icon}:",
                icon_position="left" if key == "back" else "right",
                on_click=_go,
                args=(words[at].name,),
            )


def _pictures(reader: address.Reader, subject: lessons.Subject, step: Step) -> None:
    views = lessons.of_lesson(subject, step_views, step.name)
    if step.name == "scores":
        _drawing(lessons.of_lesson(subject, scores), step)
    elif step.name == "blocks":
        _blocks(views)
    elif step.name == "threshold":
        _threshold(subject, views, step)
    elif step.name == "truth":
        _drawing(lessons.of_lesson(subject, _losses), step)
        legend("difference")
        grid(views, width=160)
    elif not views:
        grid(lessons.of_lesson(subject, step_views, FIRST)[:1], width=300)
    elif step.name == "crf":
        _updates(reader, views)
    elif step.name == "mask":
        _mask(views)
    else:
        grid(views, width=300)
        if step.name == "unary":
            legend("unary")
        if step.name == "heatmap":
            legend("heat" if subject.choice.cam == "score_map" else "relative")
            faithfulness(reader, subject)


def scores(lesson: Lesson) -> str:
    """Draw the scores of a lesson."""
    return draw_scores(lesson.inside.scores)


def _histogram(lesson: Lesson) -> str:
    return draw_histogram(lesson.histogram)


def _losses(lesson: Lesson) -> str:
    return "" if lesson.truth is None else draw_losses(lesson.truth)


def _drawing(svg: str, step: Step) -> None:
    values = "; ".join(f"{label}: {value}" for label, value in step.numbers.items())
    teach.drawing(svg, key=f"drawing-{step.name}", alt=f"{step.title}. {values}")


def _blocks(views: Sequence[View]) -> None:
    for group, members in groupby(views, key=lambda view: view.group):
        title, _, rest = group.partition(": ")
        st.markdown(f"**{title}** · {rest}")
        grid(list(members), width=150)
    legend("channel")


def _threshold(subject: lessons.Subject, views: Sequence[View], step: Step) -> None:
    left, right = st.columns(2)
    with left:
        _drawing(lessons.of_lesson(subject, _histogram), step)
    with right:
        grid(views, width=300)
    cut = lessons.of_lesson(subject, _threshold_of)
    st.session_state["address-cut"] = cut
    st.slider(
        "Change the threshold", 0.01, 0.99, step=0.01, key="address-cut", width=420,
        on_change=_take_threshold, help="Changes the rough mask and all later stages",
    )  # fmt: skip
    if subject.choice.cut is not None:
        st.button("Reset to the rule's threshold", on_click=address.put, kwargs={"cut": None})


def _threshold_of(lesson: Lesson) -> float:
    return min(0.99, max(0.01, round(lesson.seg.threshold, 2)))


def _take_threshold() -> None:
    address.put(cut=f"{st.session_state['address-cut']:.2f}")


def _updates(reader: address.Reader, views: Sequence[View]) -> None:
    last = len(views) - 1
    teach.player(
        views, reader.number("update", last, last), key="updates", label="CRF update",
        go=lambda k: address.put(update=str(k)),
    )  # fmt: skip


def _mask(views: Sequence[View]) -> None:
    photo, over, plain = views
    compare_slider(
        encoded(photo),
        encoded(over),
        key="mask",
        labels=("Photo", "Mask"),
        alt=(photo.alt, over.alt),
    )
    with st.expander("Mask only"):
        grid([plain], width=300)


def encoded(view: View) -> Encoded:
    """Return a view in the form that the slider needs."""
    return Encoded(view.data, view.width, view.height)


def grid(views: Sequence[View], *, width: int) -> None:
    """Draw images with captions in rows; not narrower than `width` in pixels if that fits."""
    with st.grid("auto", min_column_width=width, gap="small"):
        for view in views:
            st.image(view.data, caption=view.caption, alt=view.alt, width="stretch")


_LEGENDS = {
    "heat": '<span>0, no evidence</span><i class="ramp"></i><span>1, certain</span>',
    "relative": '<span>0, no evidence</span><i class="ramp"></i>'
    "<span>1, highest in this photo</span>",
    "unary": '<span>5 %, clean</span><i class="ramp"></i><span>95 %, rust</span>',
    "channel": '<span>inactive</span><i class="ramp"></i><span>highest in this photo</span>',
    "difference": '<i class="hit"></i><span>found</span><i class="missed"></i><span>missed</span>'
    '<i class="extra"></i><span>false alarm</span>',
}


def legend(kind: str) -> None:
    """Explain the colours of a "heat" map, a "channel", a "difference" and so on."""
    st.html(f'<p class="legend">{_LEGENDS[kind]}</p>')


def faithfulness(reader: address.Reader, subject: lessons.Subject) -> None:
    """Draw the faithfulness of a heat map; it takes eight forward passes, so only on request."""
    if reader.one_of("faithful", {"": "no", "1": "yes"}, "") != "1":
        st.button(
            "Measure faithfulness",
            icon=":material/straighten:",
            on_click=address.put,
            kwargs={"faithful": "1"},
            help="Removes the hottest, then the coldest areas and runs the network again",
        )
        return
    with st.spinner("Measuring faithfulness …", show_time=True):
        road = lessons.faithful(subject)
    st.markdown(
        f"**Faithfulness {road.score:+.2f}** (ROAD, -1 to 1; chance is 0). P(corrosion) is "
        f"{percent(road.without_hottest[0], sure=False)} without the hottest fifth and "
        f"{percent(road.without_coldest[0], sure=False)} without the coldest fifth."
    )


STYLE = """<style>
[data-testid="stMainBlockContainer"] { max-width: 78rem; }
dl.numbers { display: grid; grid-template-columns: minmax(8.5rem, 1fr) auto; gap: 0 1rem;
  margin: 0; padding: 0;
  font-size: .875rem; font-variant-numeric: tabular-nums; }
dl.numbers > dt, dl.numbers > dd { margin: 0 !important; padding: .2rem 0; font-weight: 400;
  border-top: 1px solid rgb(128 128 128 / 25%); }
dl.numbers > dd { text-align: right; }
.head { margin: 0 0 .3rem; font-size: .875rem; font-weight: 600; }
.legend { display: flex; flex-wrap: wrap; align-items: center; gap: .35rem .5rem; margin: 0;
  font-size: .875rem; }
.legend i { display: inline-block; width: .9rem; height: .9rem; border-radius: 3px;
  box-shadow: 0 0 0 1px rgb(128 128 128 / 60%); }
.legend span + i { margin-left: .6rem; }
.legend i.ramp { width: 9rem; margin: 0; background: linear-gradient(to right,
  #440154, #414487, #2a788e, #22a884, #7ad151, #fde725); }
.legend i.hit { background: #008cff; }
.legend i.missed { background: #f0e442; }
.legend i.extra { background: #d55e00; }
</style>"""
"""Style of both teaching pages: a readable width, and the colours of the legends."""
