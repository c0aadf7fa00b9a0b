"""A result: the answer in words, the picture beside its controls, files, small print."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import streamlit as st

import rustseg_jax as rs
from pages.parts.segment import controls, pictures
from pages.parts.segment.controls import Choice
from pages.server import results
from pages.shared.cases import ChosenPhoto
from pages.shared.page import escape, guard, keep_together, percent, sentence
from rustseg_jax.report.report import Report
from rustseg_jax.wording import setting

# The answer begins at the top of its card; an upright photo fits on the screen.
_STYLE = """<style>
.st-key-verdict h2 {{ padding-top: 0; }}
.st-key-stage [data-testid="stImageContainer"] {{ text-align: center; }}
.st-key-stage [data-testid="stImageContainer"] img {{ width: min(100%, {:.3f} * 80vh) !important; }}
</style>"""


_WAYS = (
    ("pages/compare.py", "See every stage", ":material/stairs:"),
    ("pages/correct.py", "Correct the mask", ":material/brush:"),
)


@st.fragment
def result(case: ChosenPhoto) -> None:
    """Everything about one photo; a control that is moved runs only this again."""
    with guard():
        answer = st.container()
        main, side = st.columns([7, 3], gap="medium")
        choice = controls.read()
        with main:
            bar, stage = st.container(), st.container(key="stage")
        with stage:
            choice, report = _find(case, choice)
        corroded = report.facts["corroded"]
        if choice.view == "steel" and not corroded:
            choice = replace(choice, view="overlay")
        with answer, st.container(border=True, key="verdict"):
            _answer(case, report)
        with bar:
            controls.view(choice, steel=corroded)
        with stage:
            st.html(_STYLE.format(report.facts["width"] / report.facts["height"]))
            pictures.show(case, choice, report)
            if report.mask.any() or choice.view == "heat":
                controls.drawing(choice)
        with side, st.container(border=True, key="controls"):
            controls.turn(choice, case, corroded=corroded)
            if corroded:
                _surface(choice, report)
            st.markdown("**Take away**")
            pictures.downloads(case, choice, report)
            st.markdown("**Go on**")
            for page, label, icon in _WAYS:
                st.page_link(page, label=label, icon=icon, query_params=case.query)
        _small_print(report)


def _find(case: ChosenPhoto, choice: Choice) -> tuple[Choice, Report]:
    """The result, and the choice without a marked part on which there is no pixel."""
    plan = results.plan(case, choice.mode)
    where = f" in {plan.describe()}" if plan else ""
    options: dict[str, Any] = {
        "turned": choice.turned,
        "doubt": choice.view == "doubt",
        "measured": bool(plan) and pictures.measured(case),
    }
    with st.spinner(f"Looking for rust{where} …", show_time=True):
        try:
            return choice, results.report(case, choice.mode, surface=choice.surface, **options)
        except rs.ConfigError as error:
            if choice.surface is None:
                raise
            st.warning(sentence(error), icon=":material/select:")
            return replace(choice, surface=None), results.report(case, choice.mode, **options)


def _answer(case: ChosenPhoto, report: Report) -> None:
    icon = ":material/flag:" if report.facts["corroded"] else ":material/check_circle:"
    st.caption(escape(case.title))
    st.header(f"{icon} {_unbroken(report.verdict)}", anchor=False)
    with st.grid("auto", min_column_width=150, gap="small"):
        _figures(report)
    st.markdown(keep_together(report.meaning))
    if note := _note(report):
        st.caption(keep_together(note))


def _unbroken(verdict: str) -> str:
    """The verdict with its interval on one line."""
    within = re.sub(r"\(.*\)", lambda m: m.group().replace(" ", "\N{NO-BREAK SPACE}"), verdict)
    return keep_together(within)


def _figures(report: Report) -> None:
    facts, part = report.facts, report.part
    st.metric(
        "Probability of corrosion", percent(facts["probability"], sure=False),
    )  # fmt: skip
    sure = facts["uncertainty"]
    interval = part.interval if part else (sure["low"], sure["high"]) if sure else None
    span = _span(interval) if interval and facts["area"] else None
    _figure(
        "Rust on the steel" if part else "Rusted area",
        percent(part.area if part else facts["area"]), span,
    )  # fmt: skip
    if facts["area"]:
        iso, astm = report.grading.iso, report.grading.astm
        _figure("ISO 4628-3", f"Ri {iso.value}",
                None if iso.certain else f"Ri {iso.least} to {iso.most}")  # fmt: skip
        _figure("ASTM D610", f"Grade {astm.value}",
                None if astm.certain else f"Grade {astm.least} to {astm.most}")  # fmt: skip


def _figure(label: str, value: str, span: str | None) -> None:
    st.metric(label, value, span, delta_color="off", delta_arrow="off")


def _span(interval: tuple[float, float]) -> str:
    low, high = (percent(share) for share in interval)
    return f"{low} to {high}"


def _note(report: Report) -> str:
    """What the interval and the grades rest on."""
    facts, part = report.facts, report.part
    if not facts["area"]:
        return ""
    said = []
    if sure := facts["uncertainty"]:
        if not sure["calibrated"]:
            said.append(f"The interval is {_unsure(sure['note'])}")
        elif part:
            said.append(
                "The interval was calibrated on whole photos; here it is carried over to the "
                "marked steel by a rule that no photo has tested."
            )
        else:
            level = keep_together(setting(sure["level"]))
            said.append(f"In {level} of photos the true area lies between the two ends.")
    if not report.grading.certain:
        said.append("The interval spans more than one grade.")
    said.append(
        f"The marked steel is {percent(part.share)} of the picture; rust beside it does not count."
        if part
        else "The grades take all of the picture for steel: if it shows other things, mark the "
        "steel."
    )
    return " ".join(said)


def _unsure(note: str) -> str:
    """A note of the library on its interval, within a sentence."""
    if note.startswith("with other settings"):
        return "moved along with the mask by a rule and no longer calibrated: you chose the mask."
    if "windows" in note:
        return "calibrated on photos that were looked at whole, not in windows."
    return "the range of what variants of the photo say: for these weights none was calibrated."


def _surface(choice: Choice, report: Report) -> None:
    st.markdown("**Steel**")
    if not report.part:
        st.caption("All of the picture counts as the surface that is graded.")
    else:
        share = percent(report.part.share)
        st.caption(f"Only the marked part counts: {share} of the picture.")
    with st.container(horizontal=True):
        if choice.view != "steel":
            label = "Change it" if report.part else "Mark the steel"
            st.button(label, icon=":material/select:", on_click=controls.write,
                      kwargs={"view": "steel"}, key="mark")  # fmt: skip
        if report.part:
            st.button("All of the picture", icon=":material/deselect:", on_click=controls.write,
                      kwargs={"surface": None}, key="unmark")  # fmt: skip


def _small_print(report: Report) -> None:
    facts = report.facts
    seconds = facts["timings"]
    stages = ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())
    st.caption(
        f"{facts['width']} x {facts['height']} pixels · {_look(facts)} · "
        f"{sum(seconds.values()):.2f} s ({stages}) · "
        f"model {facts['model']['digest'][:8]} · RustSEG {facts['version']}"
    )


def _look(facts: dict[str, Any]) -> str:
    """How the photo was looked at, in words."""
    tiling = facts["tiling"]
    if tiling is None:
        return "looked at as a whole"
    scale = (
        "native scale"
        if tiling["scale"] == 1
        else f"{percent(tiling['scale'], digits=0)} of its size"
    )
    whole, windows = (percent(tiling[f"{k}_probability"], sure=False) for k in ("whole", "windows"))
    return (
        f"looked at as a whole ({whole}) and in {tiling['windows']} windows ({windows}) at "
        f"{scale}, {tiling['passes']} passes"
    )
