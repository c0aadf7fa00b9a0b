"""Chooser for many photos: files, a folder or samples; they become a set named in the address."""

from __future__ import annotations

import streamlit as st

from pages.shared import cases, photo_sets
from pages.shared.page import sentence
from pages.shared.sample_picker import draw_samples
from rustseg_jax.errors import RustsegError
from rustseg_jax.images import PHOTO_SUFFIXES
from rustseg_jax.samples import Sample, list_samples

SOURCES = {"photos": "Photos", "directory": "Folder", "samples": "Samples"}


def choose() -> None:
    """Draw the chooser, and the error of the last choice, if any."""
    st.markdown(
        "Choose photos to analyse one by one. Sort the results by rusted area or uncertainty, and "
        "download everything."
    )
    if refused := st.session_state.pop("refused", ""):
        st.error(refused, icon=":material/error:")
    names = SOURCES.__getitem__
    source = st.segmented_control(
        "Source", list(SOURCES), format_func=names, default="photos", required=True
    )
    if source == "samples":
        _choose_samples()
        return
    key = f"many-{source}-{st.session_state.get('many', 0)}"
    st.file_uploader(
        f"Up to {photo_sets.MAX_PHOTOS} photos, {photo_sets.MAX_BYTES / 1e6:.0f} MB in total",
        type=[suffix.removeprefix(".") for suffix in PHOTO_SUFFIXES],
        accept_multiple_files="directory" if source == "directory" else True,
        key=key,
        on_change=_take_files,
        args=(key,),
    )
    st.caption(
        f"Photos are stored on this server for {cases.KEEP_HOURS} hours so that you can reload the "
        "page, then deleted. They are not sent anywhere else."
        + (" Only the photos in the folder are uploaded." if source == "directory" else "")
    )


def _choose_samples() -> None:
    chosen: list[str] = []

    def pick(sample: Sample) -> None:
        if st.checkbox(sample.title, key=f"pick-{sample.name}", help=sample.source):
            chosen.append(sample.name)

    draw_samples(pick)
    some = f"{len(chosen)} samples" if len(chosen) != 1 else "1 sample"
    st.button(
        f"Analyse {some}" if chosen else "Select samples first",
        key="take-samples",
        disabled=not chosen,
        on_click=_take_samples,
        args=(chosen,),
        icon=":material/search:",
    )


def _take_files(key: str) -> None:
    files = [photo_sets.File(f.name, f.size, f.getvalue) for f in st.session_state[key]]
    # A new key empties the uploader, which would otherwise keep all files in memory.
    st.session_state["many"] = st.session_state.get("many", 0) + 1
    _open(files)


def _take_samples(names: list[str]) -> None:
    paths = [sample.path for sample in list_samples() if sample.name in names]
    _open([photo_sets.File(p.name, p.stat().st_size, p.read_bytes) for p in paths])


def _open(files: list[photo_sets.File]) -> None:
    try:
        st.query_params.from_dict({"set": photo_sets.make_set(files).id})
    except RustsegError as error:
        # The page run that follows would erase anything that a callback draws.
        st.session_state["refused"] = sentence(error)
