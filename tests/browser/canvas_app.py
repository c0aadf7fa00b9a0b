"""A page with the canvas, for test_canvas.py: it keeps saves in a folder and answers in words.

`?size=4000x3000` sets the photo's size, `?readonly`, `?trial`; `?deaf` never acknowledges a save,
`?mind` refuses one, `?newer` begins from another mask. CANVAS_FOLDER names the folder, so that a
restarted server finds it.
"""

import json
import os
from pathlib import Path

import numpy as np
import streamlit as st

from pages.components.canvas import Save, Suggestion, canvas, encode_photo
from rustseg_jax.correct.completion import judge_completion
from rustseg_jax.correct.superpixels import superpixels
from rustseg_jax.report.grading import ISO_4628_3

GRADES = [(most, f"Ri {number}") for number, most in enumerate((*ISO_4628_3, 1.0))]
st.set_page_config(page_title="Canvas", layout="wide")
folder = Path(os.environ.get("CANVAS_FOLDER", "/tmp/canvas"))
folder.mkdir(parents=True, exist_ok=True)
query = st.query_params
width, height = map(int, query.get("size", "600x400").split("x"))
case = query.get("case", "one")


@st.cache_resource
def scene(width: int, height: int):
    """Grey steel, a rusty disc with speckles, a mask that is a little off, a heat map."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    far = np.hypot(x - width * 0.45, y - height * 0.5) / height
    steel = 150 + 30 * y / height
    rust = far < 0.27 + 0.03 * np.sin(9 * np.arctan2(y - height / 2, x - width * 0.45))
    tile = np.random.default_rng(0).normal(0, 5, (256, 256)).astype(np.float32)
    grain = np.tile(tile, (-(-height // 256), -(-width // 256)))[:height, :width]
    photo = np.stack([steel, steel, steel + 8], axis=-1)
    photo[rust] = (150, 75, 35)
    photo = (photo + grain[..., None]).clip(0, 255).astype(np.uint8)
    mask = np.hypot(x - width * 0.49, y - height * 0.53) / height < 0.25
    heat = np.exp(-(far**2) / 0.08)[:: max(1, height // 28), :: max(1, width // 28)]
    pieces = superpixels(photo, count=300) if width < 2000 else None
    return photo, encode_photo(photo), mask, heat, pieces


photo, encoded, mask, heat, pieces = scene(width, height)
if "newer" in query:  # as if somebody had saved a correction
    mask = np.roll(mask, 30, axis=1)
state = st.session_state
state["runs"] = state.get("runs", 0) + 1
st.title("Canvas")
st.text(f"runs {state['runs']}")
st.button("Run again")
shown = st.toggle("Shown", value=True)
event = None
if shown:
    event = canvas(
        encoded,
        mask,
        key="canvas",
        case=case,
        heatmap=heat,
        doubt=(1 - heat).clip(0, 1),
        superpixels=pieces,
        suggestion=state.get("suggestion"),
        saved=None if "deaf" in query else state.get("saved"),
        refused=state.get("refused"),
        grades=GRADES,
        readonly="readonly" in query,
        can_save="trial" not in query,
        name="Steel with a patch of rust",
    )
if isinstance(event, Save):
    if "mind" in query:
        state["refused"] = (event.nonce, "this page takes nothing")
    else:
        place = folder / f"{event.nonce}.npz"
        count = 1
        if place.exists():
            with np.load(place) as file:
                count += int(file["count"])
        np.savez_compressed(
            folder / "partial.tmp.npz",
            base=mask,
            mask=event.mask,
            ignore=event.ignore,
            strokes=json.dumps(event.strokes),
            about=json.dumps([event.case, event.base, event.seconds, event.undos]),
            count=count,
        )
        (folder / "partial.tmp.npz").rename(place)  # whole or not at all: the test looks on
        state["saved"] = event.nonce
    st.rerun()
if event is not None:  # a question: everything of the marked colour, as a stand-in for the CRF
    colour = photo[..., 0].astype(int) - photo[..., 2]
    answer = (colour > 40) | event.rust
    answer &= ~event.clean
    judged = judge_completion(event.mask, answer, rust=event.rust, clean=event.clean)
    state["suggestion"] = Suggestion(event.nonce, answer, judged.words, judged.boxes)
    st.rerun()
st.text(f"saved {state.get('saved', '-')}")
st.text_input("Note")
st.write("Below the canvas. " * 300)
