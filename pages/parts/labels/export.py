"""Export labels for training and evaluation with this project, or for other tools."""

from __future__ import annotations

import shlex
import tempfile
from typing import Literal

import streamlit as st

from rustseg_jax import labels

__all__ = ["FORMATS", "MOST_BYTES", "command", "draw"]

FORMATS = {
    "folder": "Data folder: photos, PNG masks and a manifest, for `evaluate` and `train`",
    "coco": "COCO: photos and one JSON file with exact RLE masks",
    "labelme": "labelme: photos with one JSON file each",
    "label-studio": "Label Studio: brush masks to import",
    "huggingface": "Hugging Face: an image folder for `datasets`",
}
_TAKE = {"latest": "Latest correction", "consensus": "Consensus"}
MOST_BYTES = 300_000_000
"""Largest download, which is packed in the server's memory; more needs the command line."""


def draw(store: labels.Store) -> None:
    """Draw the export options, the size of the result and the download button."""
    form = st.radio("Format", list(FORMATS), format_func=FORMATS.__getitem__, key="export-format")
    approved = st.toggle("Approved corrections only", value=True, key="export-approved")
    taken = st.segmented_control(
        "Mask of each photo", list(_TAKE), default="latest", required=True,
        format_func=_TAKE.__getitem__, key="export-take",
    )  # fmt: skip
    take: Literal["latest", "consensus"] = "consensus" if taken == "consensus" else "latest"
    who = st.selectbox(
        "Expert", ["", *labels.values_of(store, "who")], key="export-who",
        format_func=lambda name: name or "Any",
    )  # fmt: skip
    extent = labels.export_extent(store, approved=approved, take=take, who=who)
    same = command(form, approved=approved, take=take, who=who)
    if not extent.photos:
        st.info(
            "No corrections match these options."
            + (
                " Approve corrections first, or turn off “Approved corrections only”."
                if approved
                else ""
            ),
            icon=":material/hourglass_empty:",
        )
        return
    photos = "1 photo" if extent.photos == 1 else f"{extent.photos} photos"
    st.markdown(f"**{photos}**, {_size(extent.bytes)} plus masks")
    if extent.bytes > MOST_BYTES:
        st.info(
            "This export is too large to download. Run on the server:", icon=":material/terminal:"
        )
        st.code(same, language=None, wrap_lines=True)
        return

    def pack() -> bytes:
        with tempfile.TemporaryFile() as file:  # the model is not used, so no turn is needed
            labels.pack_labels(store, file, format=form, approved=approved, take=take, who=who)
            file.seek(0)
            return file.read()

    st.download_button(
        "Download (ZIP)", pack, f"labels-{form}.zip", "application/zip", on_click="ignore",
        icon=":material/download:", type="primary",
    )  # fmt: skip
    st.caption(
        "In PNG masks, 255 marks pixels painted “Can't tell”. Each photo comes with its licence "
        "and consent. The same export from the command line:"
    )
    st.code(same, language=None, wrap_lines=True)
    if form == "folder":
        st.caption(
            "A data folder leaves out photos with the verdict “Can't tell”. To evaluate the model "
            "on it:"
        )
        st.code(
            "python -m rustseg_jax evaluate --data labels-folder", language=None, wrap_lines=True
        )


def command(form: str, *, approved: bool, take: str, who: str) -> str:
    """Return the command that makes the same export on the server."""
    parts = ["python -m rustseg_jax labels export", f"--out labels-{form}", f"--format {form}"]
    parts += ["--approved"] if approved else []
    parts += ["--consensus"] if take == "consensus" else []
    parts += [f"--expert {shlex.quote(who)}"] if who else []
    return " ".join(parts)


def _size(size: int) -> str:
    if size < 1_000_000:
        return f"{max(1, round(size / 1000))}\N{NO-BREAK SPACE}kB"
    return f"{size / 1_000_000:.1f}\N{NO-BREAK SPACE}MB"
