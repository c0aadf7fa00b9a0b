"""The picture of a result, in the view that was chosen, and the files to take away."""

from __future__ import annotations

import json

import numpy as np
import streamlit as st

import rustseg_jax as rs
from pages.components.slider import compare_slider
from pages.components.surface import mark_surface
from pages.parts.segment import controls
from pages.parts.segment.controls import Choice
from pages.server import results
from pages.shared.cases import ChosenPhoto
from pages.shared.page import keep_together
from rustseg_jax.report.report import Report, draw


def show(case: ChosenPhoto, choice: Choice, report: Report) -> None:
    """Draw the view that was chosen."""
    if choice.view == "compare":
        _compare(case, choice, report)
    elif choice.view == "heat":
        _heat(choice, report)
    elif choice.view == "doubt":
        _doubt(case, choice, report)
    elif choice.view == "steel":
        _steel(case, choice, report)
    else:
        _image(_drawn(choice, report), _mask_caption(choice, report), _alt(report))


def _drawn(choice: Choice, report: Report) -> np.ndarray:
    return draw(
        report.image,
        report.mask,
        opacity=choice.strength / 100,
        fill=choice.style == "fill",
        surface=report.part.surface if report.part else None,
    )


def _image(picture: np.ndarray, caption: str, alt: str) -> None:
    st.image(picture, caption=caption, alt=alt, output_format="JPEG", width="stretch")


def _alt(report: Report) -> str:
    return keep_together(report.verdict)


def _mask_caption(choice: Choice, report: Report) -> str:
    if not report.mask.any():
        words = "The photo: nothing marked"
    elif choice.style == "fill":
        words = "Rust, marked in blue with a light outline"
    else:
        words = "Rust, within the blue outline"
    return f"{words}. Dimmed: not the marked steel" if report.part else words


def _compare(case: ChosenPhoto, choice: Choice, report: Report) -> None:
    compare_slider(
        report.image,
        _drawn(choice, report),
        key=f"compare-{case.digest[:12]}",
        labels=("Photo", "Rust marked"),
        alt=("The photo", _alt(report)),
    )
    st.caption("Drag the divider, or move it with the arrow keys.")


def _heat(choice: Choice, report: Report) -> None:
    absolute = report.facts["config"]["localise"]["method"] == "score_map"
    most = "certainty" if absolute else "the most in this photo"
    _image(
        rs.heat_overlay(report.image, report.heatmap, opacity=choice.strength / 100),
        f"What speaks for rust: dark violet nothing, yellow {most}",
        "Heat map of the evidence for corrosion, laid over the photo",
    )


def _doubt(case: ChosenPhoto, choice: Choice, report: Report) -> None:
    """Where variants of the photo disagree; in windows only if it is asked for."""
    picture = _drawn(choice, report)
    if report.doubt is not None:
        _image(
            rs.uncertainty_overlay(picture, report.doubt),
            "Yellow: here the answer changes when the photo is mirrored, shifted or looked at in "
            "another size. Without yellow all of them agree, which does not make them right",
            "Where the model is unsure of the mask, in yellow, laid over the photo",
        )
        return
    _image(picture, _mask_caption(choice, report), _alt(report))
    plan = results.plan(case, choice.mode)
    passes = plan.passes if plan else 1
    st.caption(
        f"To say where it is unsure the model looks at five variants of this photo, in windows: "
        f"{5 * passes} passes through the network. That also gives the interval of the area."
    )
    st.button("Measure it", icon=":material/hourglass_top:", on_click=_measure,
              args=(case.digest,), key="measure")  # fmt: skip


def _measure(digest: str) -> None:
    st.session_state["measured"] = digest


def measured(case: ChosenPhoto) -> bool:
    """Whether the visitor asked for the uncertainty of this large photo."""
    return st.session_state.get("measured") == case.digest


def _steel(case: ChosenPhoto, choice: Choice, report: Report) -> None:
    mark_surface(
        draw(report.image, report.mask, opacity=choice.strength / 100, fill=choice.style == "fill"),
        choice.surface,
        key=f"steel-{case.digest[:12]}",
        alt=_alt(report),
        on_change=lambda surface: controls.write(surface=surface),
    )


def downloads(case: ChosenPhoto, choice: Choice, report: Report) -> None:
    """The files: they follow the controls and the marked steel."""
    with st.container(horizontal=True):
        st.download_button(
            "Mask (PNG)", report.mask_png, f"{case.stem}.mask.png", "image/png",
            on_click="ignore", icon=":material/download:",
            help="Black and white, at the photo's own size: white is rust, on the marked steel "
            "and beside it",
        )  # fmt: skip
        st.download_button(
            "Overlay (PNG)", lambda: _overlay(case, choice, report),
            f"{case.stem}.overlay.png", "image/png",
            on_click="ignore", icon=":material/download:",
            help="The marked photo, at its own size",
        )  # fmt: skip
        st.download_button(
            "Data (JSON)", lambda: _facts(choice, report), f"{case.stem}.json",
            "application/json", on_click="ignore", icon=":material/download:",
            help="Probability, area, grades, the marked steel, settings and model",
        )  # fmt: skip


def _overlay(case: ChosenPhoto, choice: Choice, report: Report) -> bytes:
    return results.overlay_file(case, report, choice.strength / 100, fill=choice.style == "fill")


def _facts(choice: Choice, report: Report) -> str:
    turned = {"rust": choice.rust, "edges": choice.edges}
    return json.dumps({**report.facts, "turned": turned}, indent=2)
