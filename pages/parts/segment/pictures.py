"""The image of a result in the chosen view, and the files to download."""

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
    """Draw the chosen view."""
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
        words = "The photo; no rust marked"
    elif choice.style == "fill":
        words = "Blue with a light outline: rust"
    else:
        words = "Inside the blue outline: rust"
    return f"{words}. Dimmed: outside the marked steel" if report.part else words


def _compare(case: ChosenPhoto, choice: Choice, report: Report) -> None:
    compare_slider(
        report.image,
        _drawn(choice, report),
        key=f"compare-{case.digest[:12]}",
        labels=("Photo", "Rust marked"),
        alt=("The photo", _alt(report)),
    )
    st.caption("Drag the divider or use the arrow keys.")


def _heat(choice: Choice, report: Report) -> None:
    absolute = report.facts["config"]["localise"]["method"] == "score_map"
    most = "certain" if absolute else "highest in this photo"
    _image(
        rs.heat_overlay(report.image, report.heatmap, opacity=choice.strength / 100),
        f"Evidence for rust: dark violet none, yellow {most}",
        "Heat map of the evidence for corrosion over the photo",
    )


def _doubt(case: ChosenPhoto, choice: Choice, report: Report) -> None:
    """Draw the uncertainty map; of a photo analysed in tiles it is measured only on request."""
    picture = _drawn(choice, report)
    if report.doubt is not None:
        _image(
            rs.uncertainty_overlay(picture, report.doubt),
            "Yellow: the result changes here when the photo is mirrored, shifted or resized. "
            "Elsewhere all variants agree, which does not mean that they are right",
            "Uncertainty map: where the model is unsure of the mask, in yellow over the photo",
        )
        return
    _image(picture, _mask_caption(choice, report), _alt(report))
    plan = results.plan(case, choice.mode)
    variants = len(rs.UncertaintyConfig().variants)
    cost = f" ({plan.duration(variants)})" if plan else ""
    st.caption(
        f"To measure the uncertainty, {variants} variants of this large photo are analysed in tiles"
        f"{cost}. This also gives the interval of the rusted area."
    )
    st.button("Measure uncertainty", icon=":material/hourglass_top:", on_click=_measure,
              args=(case.digest,), key="measure")  # fmt: skip


def _measure(digest: str) -> None:
    st.session_state["measured"] = digest


def measured(case: ChosenPhoto) -> bool:
    """Whether the visitor requested the uncertainty of this large photo."""
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
    """Draw the download buttons; the files follow the settings and the marked steel."""
    with st.container(horizontal=True):
        st.download_button(
            "Mask (PNG)", report.mask_png, f"{case.stem}.mask.png", "image/png",
            on_click="ignore", icon=":material/download:",
            help="Black and white at full resolution; white is rust, on the marked steel and "
            "outside it",
        )  # fmt: skip
        st.download_button(
            "Overlay (PNG)", lambda: _overlay(case, choice, report),
            f"{case.stem}.overlay.png", "image/png",
            on_click="ignore", icon=":material/download:",
            help="The photo with the mask drawn on it, at full resolution",
        )  # fmt: skip
        st.download_button(
            "Data (JSON)", lambda: _facts(choice, report), f"{case.stem}.json",
            "application/json", on_click="ignore", icon=":material/download:",
            help="Probability, area, grades, marked steel, settings and model version",
        )  # fmt: skip


def _overlay(case: ChosenPhoto, choice: Choice, report: Report) -> bytes:
    return results.overlay_file(case, report, choice.strength / 100, fill=choice.style == "fill")


def _facts(choice: Choice, report: Report) -> str:
    turned = {"rust": choice.rust, "edges": choice.edges}
    return json.dumps({**report.facts, "turned": turned}, indent=2)
