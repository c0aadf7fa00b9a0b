"""The first page: a photo in; verdict, overlay, heat map, area and files out."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

import rustseg_jax as rs
from pages import cases, compute, shared
from rustseg_jax.images import PHOTO_SUFFIXES
from rustseg_jax.report import Report
from rustseg_jax.samples import list_samples

# A click on a sample's picture is a click on its button: the button's area covers its card.
# What Streamlit puts between the two must not be positioned, and the picture needs no tools.
_WHOLE_CARD = """<style>
[class*="st-key-card-"] { position: relative; }
[class*="st-key-sample-"], [class*="st-key-sample-"] * { position: static; }
[class*="st-key-sample-"] button::after { content: ""; position: absolute; inset: 0; }
[class*="st-key-card-"] [data-testid="stElementToolbar"] { display: none; }
</style>"""


def main() -> None:
    st.title("Find rust in a photo", anchor=False)
    case = _case()
    if not case:
        st.markdown("Is there corrosion, where, and how much? Upload a photo or try a sample.")
    _upload(case)
    _samples(expanded=case is None)
    if case:
        _result(case)


def _case() -> cases.Case | None:
    """The photo of the address; where it is gone, the page says so and starts afresh."""
    try:
        return cases.current_case()
    except cases.CaseError as error:
        st.warning(shared.sentence(error), icon=":material/link_off:")
        return None


def _upload(case: cases.Case | None) -> None:
    """The uploader; a new key empties it when another photo is shown (a sample, or Back)."""
    state = st.session_state
    if state.get("uploaded") and not (case and case.digest == state["uploaded"]):
        state["uploads"] = state.get("uploads", 0) + 1
        state["uploaded"] = ""
    key = f"upload-{state.get('uploads', 0)}"
    st.file_uploader(
        "Photo, up to 50 megapixels",
        type=[suffix.removeprefix(".") for suffix in PHOTO_SUFFIXES],
        key=key,
        on_change=_take_upload,
        args=(key,),
    )
    st.caption(
        f"Kept on this server for {cases.KEEP_HOURS} hours, so that reloading works, "
        "then deleted. Sent nowhere else."
    )


def _take_upload(key: str) -> None:
    file = st.session_state[key]
    with shared.guard():
        digest = cases.keep_upload(file.name, file.getvalue()) if file else ""
        st.session_state["uploaded"] = digest
        cases.open_case(upload=digest)


def _take_sample(name: str) -> None:
    cases.open_case(sample=name)


def _samples(*, expanded: bool) -> None:
    with (
        st.expander("Samples", expanded=expanded, icon=":material/photo_library:"),
        st.grid("auto", min_column_width=140),
    ):
        st.html(_WHOLE_CARD)
        for sample in list_samples():
            with st.container(gap="xsmall", key=f"card-{sample.name}"):
                st.image(cases.thumbnail(str(sample.path)), alt="", width="stretch")
                st.button(
                    sample.title,
                    key=f"sample-{sample.name}",
                    on_click=_take_sample,
                    args=(sample.name,),
                    help=sample.source,
                    width="stretch",
                )


def _mode(case: cases.Case) -> str:
    """How a large photo is looked at, with what it costs; small ones leave no choice."""
    plan = compute.plan(case)
    if plan is None:
        return "auto"
    names = {"auto": "In windows: finds small rust", "whole": "As a whole: quicker"}
    chosen = st.segmented_control(
        "This is a large photo. How to look at it",
        list(names),
        format_func=names.__getitem__,
        default="auto",
        required=True,
        key=f"look-{case.digest[:12]}",
    )
    st.caption(f"In windows means {plan.describe()}.")
    return chosen or "auto"


def _result(case: cases.Case) -> None:
    mode = _mode(case)
    plan = compute.plan(case, mode)
    where = f" in {plan.describe()}" if plan else ""
    with st.spinner(f"Looking for rust{where} …", show_time=True):
        found = compute.report(case, mode)
    facts = found.facts
    icon = ":material/flag:" if facts["corroded"] else ":material/check_circle:"
    with st.container(border=True, key="verdict"):
        st.caption(shared.escape(case.title))
        with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
            st.header(f"{icon} {found.headline}", anchor=False, width="content")
            st.metric(
                "Probability of corrosion",
                shared.percent(facts["probability"], sure=False),
                width="content",
            )
            st.metric("Rusted area", shared.percent(facts["area"]), width="content")
        st.markdown(shared.keep_together(found.meaning))
        if facts["area"]:
            st.markdown(shared.keep_together(_how_much(found)))
    _pictures(case, found)
    _small_print(found)


def _how_much(found: Report) -> str:
    """The area's interval and the grades it implies, and what both rest on."""
    sure, graded = found.facts["uncertainty"], found.grading
    span = ""
    if sure is not None:
        ends = " to ".join(shared.percent(share) for share in (sure["low"], sure["high"]))
        of = (
            f"in {100 * sure['level']:.0f} % of photos" if sure["calibrated"] else "by its variants"
        )
        span = f"**True area** {ends} ({of}). "
    spans = "" if graded.certain else " The interval spans more than one grade."
    return (
        f"{span}**Grade** {graded.words()}, if all of the picture were the steel's surface.{spans}"
    )


@st.fragment
def _pictures(case: cases.Case, found: Report) -> None:
    """The pictures and what is drawn with the slider: only this runs again when it moves."""
    with shared.guard():
        left, right = st.columns(2)
        strength = st.slider(
            "Strength of the colours", 0, 100, 50, 5, format="%d %%", key="strength", width=420
        )
        with left:
            _overlay(found, strength / 100)
        with right:
            _heat(found, strength / 100)
        _downloads(case, found, strength / 100)


def _overlay(found: Report, opacity: float) -> None:
    marked = bool(found.mask.any())
    st.image(
        rs.mask_overlay(found.image, found.mask, opacity=opacity),
        caption="Rust, marked in blue with a light outline"
        if marked
        else "The photo: nothing marked",
        alt=shared.keep_together(found.verdict),
        output_format="JPEG",
        width="stretch",
    )


def _heat(found: Report, opacity: float) -> None:
    st.image(
        rs.heat_overlay(found.image, found.heatmap, opacity=opacity),
        caption=_heat_caption(found),
        alt="Heat map of the evidence for corrosion, laid over the photo",
        output_format="JPEG",
        width="stretch",
    )


def _heat_caption(found: Report) -> str:
    absolute = found.facts["config"]["localise"]["method"] == "score_map"
    most = "certainty" if absolute else "the most in this photo"
    return f"What speaks for rust: dark violet nothing, yellow {most}"


def _downloads(case: cases.Case, found: Report, opacity: float) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Mask (PNG)", found.mask_png, f"{case.stem}.mask.png", "image/png",
            on_click="ignore", icon=":material/download:",
            help="Black and white, at the photo's own size: white is rust",
        )  # fmt: skip
        st.download_button(
            "Overlay (PNG)", lambda: compute.overlay_file(case, found, opacity),
            f"{case.stem}.overlay.png", "image/png",
            on_click="ignore", icon=":material/download:",
            help="The marked photo, at its own size",
        )  # fmt: skip
        st.download_button(
            "Data (JSON)", json.dumps(found.facts, indent=2), f"{case.stem}.json",
            "application/json", on_click="ignore", icon=":material/download:",
            help="Probability, area, thresholds, settings and model",
        )  # fmt: skip


def _small_print(found: Report) -> None:
    facts = found.facts
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
    scale = "native scale" if tiling["scale"] == 1 else f"{100 * tiling['scale']:.0f} % of its size"
    whole, windows = (
        shared.percent(tiling[f"{k}_probability"], sure=False) for k in ("whole", "windows")
    )
    return (
        f"looked at as a whole ({whole}) and in {tiling['windows']} windows ({windows}) at "
        f"{scale}, {tiling['passes']} passes"
    )


shared.enter()
main()
