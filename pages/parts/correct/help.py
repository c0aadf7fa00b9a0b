"""Instructions for correcting a mask, with good and bad examples from rendered scenes."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import streamlit as st
from PIL import Image
from scipy import ndimage

from pages.server.line import once
from rustseg_jax.drawing.overlay import mask_overlay
from rustseg_jax.scenes import Scene, render

__all__ = ["EXAMPLES", "draw"]

WORDS = """
Paint rust as you would report it in an inspection: **all corroded metal, up to its edge, including
pinholes in the paint**. Leave out run-off stain and look-alikes. Where the photo does not allow a
decision, paint *Can't tell*; those pixels are not counted. Then press **Save**: the next photo
opens at once. Press **?** on the canvas to list all keys.
"""

_SIZE = (240, 320)  # height and width in pixels; shown at about two thirds of this


def _exact(scene: Scene) -> np.ndarray:
    return scene.mask


def _rough(scene: Scene) -> np.ndarray:
    """A bounding box around all rust: a mask painted in a hurry."""
    rows, columns = np.nonzero(scene.mask)
    mask = np.zeros_like(scene.mask)
    mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    return mask


def _largest(scene: Scene) -> np.ndarray:
    """Only the largest patch."""
    numbers, count = ndimage.label(scene.mask)
    if not count:
        return scene.mask
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    return np.asarray(numbers == sizes.argmax())


def _everything(scene: Scene) -> np.ndarray:
    return np.ones_like(scene.mask)


EXAMPLES: tuple[tuple[str, str, int, Callable[[Scene], np.ndarray]], ...] = (
    ("Good: all rust is marked, up to its edge", "plate", 3, _exact),
    ("Bad: clean paint between the patches is marked", "plate", 3, _rough),
    ("Bad: only the largest patch is marked", "plate", 3, _largest),
    ("Bad: bricks are not rust; choose “No corrosion” and “brick”", "brick", 3, _everything),
)
"""Caption, kind of scene, seed, and the function that gives the marked mask."""


def draw(*, unfolded: bool) -> None:
    with st.expander("How to correct", icon=":material/help:", expanded=unfolded):
        st.markdown(WORDS)
        pictures = once("correct-help", (), _pictures, size=1)
        with st.grid("auto", min_column_width=150, gap="small"):
            for (words, *_), data in zip(EXAMPLES, pictures, strict=True):
                sign = ":material/check_circle:" if words.startswith("Good") else ":material/block:"
                with st.container(gap="xsmall"):
                    st.image(data, alt=words, width="stretch")
                    st.caption(f"{sign} {words}")


def _pictures() -> tuple[bytes, ...]:
    scenes = {name: render(name, seed, size=_SIZE) for _, name, seed, _ in EXAMPLES}
    return tuple(_encoded(scenes[name], mark(scenes[name])) for _, name, _, mark in EXAMPLES)


def _encoded(scene: Scene, mask: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(mask_overlay(scene.image, mask)).save(file, "WEBP", quality=80)
    return file.getvalue()
