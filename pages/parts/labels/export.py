"""Take labels away: for training and evaluation here, or for another tool."""

from __future__ import annotations

import shlex
import tempfile
from typing import Literal

import streamlit as st

from rustseg_jax import labels

__all__ = ["FORMATS", "MOST_BYTES", "command", "draw"]

FORMATS = {
    "folder": "Data folder: photos, PNG masks and a manifest, as `evaluate` and `train` read it",
    "coco": "COCO: photos and one JSON file, masks as exact RLE",
    "labelme": "labelme: photos with a JSON file each",
    "label-studio": "Label Studio: brush masks to import there",
    "huggingface": "Hugging Face: an image folder for `datasets`",
}
_TAKE = {"latest": "the latest correction", "consensus": "the consensus"}
MOST_BYTES = 300_000_000
"""A download is made in the server's memory; more is for the command line."""


def draw(store: labels.Store) -> None:
    """What to take, how much that is, and the file."""
    form = st.radio("Format", list(FORMATS), format_func=FORMATS.__getitem__, key="export-format")
    approved = st.toggle("Only what a reviewer approved", value=True, key="export-approved")
    taken = st.segmented_control(
        "Of each photo", list(_TAKE), default="latest", required=True,
        format_func=_TAKE.__getitem__, key="export-take",
    )  # fmt: skip
    take: Literal["latest", "consensus"] = "consensus" if taken == "consensus" else "latest"
    who = st.selectbox(
        "Of whom", ["", *labels.values_of(store, "who")], key="export-who",
        format_func=lambda name: name or "anybody",
    )  # fmt: skip
    extent = labels.export_extent(store, approved=approved, take=take, who=who)
    same = command(form, approved=approved, take=take, who=who)
    if not extent.photos:
        st.info(
            "There is nothing like that yet"
            + (": approve corrections first, or take all." if approved else "."),
            icon=":material/hourglass_empty:",
        )
        return
    photos = "1 photo" if extent.photos == 1 else f"{extent.photos} photos"
    st.markdown(f"**{photos}**, {_size(extent.bytes)}; with the masks a little more.")
    if extent.bytes > MOST_BYTES:
        st.info("That is too much for a download. On the server:", icon=":material/terminal:")
        st.code(same, language=None, wrap_lines=True)
        return

    def pack() -> bytes:
        with tempfile.TemporaryFile() as file:  # no model is asked: nobody has to wait for it
            labels.pack_labels(store, file, format=form, approved=approved, take=take, who=who)
            file.seek(0)
            return file.read()

    st.download_button(
        "Export (ZIP)", pack, f"labels-{form}.zip", "application/zip", on_click="ignore",
        icon=":material/download:", type="primary",
    )  # fmt: skip
    st.caption(
        "Pixels that experts left open are 255 in PNG masks. Licence and consent go with each "
        "photo. The same from the command line:"
    )
    st.code(same, language=None, wrap_lines=True)
    if form == "folder":
        st.caption('Photos whose verdict is "can\'t tell" have no place in a data folder.')
        st.code(
            "python -m rustseg_jax evaluate --data labels-folder", language=None, wrap_lines=True
        )


def command(form: str, *, approved: bool, take: str, who: str) -> str:
    """What gives the same export on the server."""
    parts = ["python -m rustseg_jax labels export", f"--out labels-{form}", f"--format {form}"]
    parts += ["--approved"] if approved else []
    parts += ["--consensus"] if take == "consensus" else []
    parts += [f"--expert {shlex.quote(who)}"] if who else []
    return " ".join(parts)


def _size(size: int) -> str:
    if size < 1_000_000:
        return f"{max(1, round(size / 1000))}\N{NO-BREAK SPACE}kB"
    return f"{size / 1_000_000:.1f}\N{NO-BREAK SPACE}MB"
