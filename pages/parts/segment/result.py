"""A result: the verdict, the image with its controls, downloads and technical details."""

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
from rustseg_jax.uncertainty.doubt import MOVED, WINDOWS
from rustseg_jax.wording import setting

# The verdict starts at the top of its card; a portrait photo fits on the screen.
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
    """Draw everything about one photo; moving a control reruns only this."""
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
            st.markdown("**Download**")
            pictures.downloads(case, choice, report)
            st.markdown("**Next steps**")
            for page, label, icon in _WAYS:
                st.page_link(page, label=label, icon=icon, query_params=case.query)
        _small_print(report)


def _find(case: ChosenPhoto, choice: Choice) -> tuple[Choice, Report]:
    """Return the result, and the settings without a marked part that covers no pixel."""
    plan = results.plan(case, choice.mode)
    doing = f"Large photo: analysing {plan.describe()}" if plan else "Analysing the photo"
    options: dict[str, Any] = {
        "turned": choice.turned,
        "doubt": choice.view == "doubt",
        "measured": bool(plan) and pictures.measured(case),
    }
    with st.spinner(f"{doing} …", show_time=True):
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
    """Keep the interval of the verdict on one line."""
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
        "Rust on the marked steel" if part else "Rusted area",
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
    """Explain what the interval and the grades are based on."""
    facts, part = report.facts, report.part
    if not facts["area"]:
        return ""
    notes = []
    if sure := facts["uncertainty"]:
        if not sure["calibrated"]:
            notes.append(f"The interval is {_unsure(sure['note'])}")
        elif part:
            notes.append(
                "The interval was calibrated on whole photos; transferring it to the marked steel "
                "has not been validated."
            )
        else:
            level = keep_together(setting(sure["level"]))
            notes.append(f"For {level} of photos the true area lies within the interval.")
    if not report.grading.certain:
        notes.append("The interval spans more than one grade.")
    notes.append(
        f"The marked steel covers {percent(part.share)} of the photo; rust outside it is not "
        "counted."
        if part
        else "The grades assume that the whole photo shows steel; if it does not, mark the steel."
    )
    return " ".join(notes)


def _unsure(note: str) -> str:
    """Rephrase the library's note on its interval as the end of a sentence."""
    if note.startswith(MOVED):
        return "estimated from the changed settings and no longer calibrated."
    if note == WINDOWS:
        return "calibrated on photos analysed as a whole, not in tiles."
    return "the range over variants of the photo; it is not calibrated for these weights."


def _surface(choice: Choice, report: Report) -> None:
    st.markdown("**Steel**")
    if not report.part:
        st.caption("The whole photo counts as steel.")
    else:
        share = percent(report.part.share)
        st.caption(f"Only the marked part counts ({share} of the photo).")
    with st.container(horizontal=True):
        if choice.view != "steel":
            label = "Change the outline" if report.part else "Mark the steel"
            st.button(label, icon=":material/select:", on_click=controls.write,
                      kwargs={"view": "steel"}, key="mark")  # fmt: skip
        if report.part:
            st.button("Use the whole photo", icon=":material/deselect:", on_click=controls.write,
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
    """Say how the photo was analysed."""
    tiling = facts["tiling"]
    if tiling is None:
        return "analysed as a whole"
    scale = (
        "full resolution"
        if tiling["scale"] == 1
        else f"{percent(tiling['scale'], digits=0)} of its size"
    )
    whole, windows = (percent(tiling[f"{k}_probability"], sure=False) for k in ("whole", "windows"))
    return f"probability as a whole {whole}, in {tiling['windows']} tiles at {scale} {windows}"
