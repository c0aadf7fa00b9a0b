"""A before/after slider: two pictures over each other and a divider that the visitor moves.

The divider moves in the browser only: no script runs again, and the position is no value of
the page. It stays where it was when a picture changes and when the slider comes back.

Pictures go to the browser as JPEG through Streamlit's store of media files, as `st.image`'s
do: the page's message holds two addresses (9 kB with all code), and of two pictures only the
one that changed is fetched again: 0.45 MB at 2000 x 1500 pixels, where data URLs inside the
message, a third longer in base64, would send 1.3 MB each time.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import streamlit as st
from PIL import Image
from streamlit import runtime

from rustseg_jax import images
from rustseg_jax.errors import ConfigError

__all__ = ["MAX_SIDE", "Encoded", "Picture", "compare_slider", "encode", "serve"]

MAX_SIDE = 2048
"""Longer sides are shrunk to this many pixels: sharp on dense screens, about 0.7 MB."""

_QUALITY = 85  # JPEG; colour at full resolution (4:4:4), or thin outlines would lose theirs
_HERE = Path(__file__).parent

_Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Encoded:
    """A picture as it goes to the browser; made by `encode`, may be kept and used again.

    Attributes
    ----------
    data : a JPEG file
    width, height : of the picture that was given, in pixels, before it was shrunk
    """

    data: bytes
    width: int
    height: int


Picture: TypeAlias = "_Array | Image.Image | bytes | Encoded"

# Streamlit tells code from a path by its line breaks; the files have many.
_mount = st.components.v2.component(
    "rustseg.compare_slider",
    html=(_HERE / "slider.html").read_text(encoding="utf-8"),
    css=(_HERE / "slider.css").read_text(encoding="utf-8"),
    js=(_HERE / "slider.js").read_text(encoding="utf-8"),
)


def compare_slider(
    before: Picture,
    after: Picture,
    *,
    key: str,
    labels: tuple[str, str] = ("Before", "After"),
    alt: tuple[str, str] | None = None,
    start: float = 50.0,
) -> None:
    """Draw two pictures over each other with a divider between them, as wide as its place.

    Parameters
    ----------
    before, after
        Left and right of the divider; of one size: (H, W, 3) or (H, W) uint8 sRGB, a
        PIL.Image, the bytes of a picture file, or what `encode` returned.
    key
        Names this slider on its page. The same key keeps the divider where the visitor left
        it; a new one begins at `start`.
    labels
        What is left and what is right: shown on the pictures and read out ("40 % Photo,
        60 % Overlay"). Plain text, never taken for Markdown or HTML.
    alt
        The pictures in words, for who cannot see them; by default the labels.
    start
        Where the divider stands at first, in percent of the width from the left, 0 to 100.

    Raises
    ------
    ConfigError
        An argument is not allowed.
    ImageError
        Bytes are no picture that can be read, or a picture is too small or too large.
    """
    names = _two_texts("labels", labels)
    words = _two_texts("alt", names if alt is None else alt)
    if not isinstance(key, str) or not key:
        raise ConfigError(f"key is {key!r}; allowed is any text that is not empty")
    if isinstance(start, bool) or not isinstance(start, int | float) or not 0 <= start <= 100:
        raise ConfigError(f"start is {start!r}; allowed is 0 to 100, in percent")
    left, right = encode(before, name="before"), encode(after, name="after")
    if (left.width, left.height) != (right.width, right.height):
        raise ConfigError(
            f"before is {left.width} x {left.height} pixels and after is {right.width} x "
            f"{right.height}; allowed are pictures of one size: resize one of them"
        )
    _mount(
        key=key,
        data={
            "key": key,
            "name": f"Divider between {names[0]} and {names[1]}",
            "width": left.width,
            "height": left.height,
            "start": start,
            "before": {
                "url": serve(left, f"compare_slider.{key}.before"),
                "label": names[0],
                "alt": words[0],
            },
            "after": {
                "url": serve(right, f"compare_slider.{key}.after"),
                "label": names[1],
                "alt": words[1],
            },
        },
    )


def encode(picture: Picture, *, name: str = "picture") -> Encoded:
    """Make a picture ready for the browser: upright, at most `MAX_SIDE` pixels long, a JPEG.

    2000 x 1500 pixels take 10 to 20 ms. A picture that stays may be encoded once and kept.

    Parameters
    ----------
    picture
        As for `compare_slider`. Large ones are shrunk; what is encoded already comes back.
    name
        What error messages call it.

    Raises
    ------
    ConfigError
        An array is not (H, W, 3) or (H, W) uint8, or it is no picture of a known kind.
    ImageError
        Bytes or a PIL image cannot be read, or the picture is too small or too large.
    """
    if isinstance(picture, Encoded):
        return picture
    if isinstance(picture, np.ndarray):
        _check_array(picture, name)
    elif not isinstance(picture, Image.Image | bytes):
        raise ConfigError(
            f"{name} is {type(picture).__name__}; allowed are an array of uint8, a PIL.Image, "
            f"bytes or Encoded"
        )
    pixels = images.read(picture, name=name)
    height, width = pixels.shape[:2]
    scale = min(1.0, MAX_SIDE / max(height, width))
    if scale < 1:
        shape = max(1, round(height * scale)), max(1, round(width * scale))
        pixels = images.resize(pixels, shape)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return Encoded(file.getvalue(), width, height)


def _check_array(array: _Array, name: str) -> None:
    if array.dtype != np.uint8:
        raise ConfigError(f"{name} is {array.dtype}; allowed is uint8, 0 to 255")
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] != 3):
        raise ConfigError(f"{name} has the shape {array.shape}; allowed are (H, W, 3) and (H, W)")


def _two_texts(name: str, value: object) -> tuple[str, str]:
    fits = isinstance(value, tuple | list) and len(value) == 2
    if not fits or not all(isinstance(text, str) and text.strip() for text in value):  # type: ignore[attr-defined]
        raise ConfigError(f"{name} is {value!r}; allowed are two texts, for the left and the right")
    return value[0], value[1]  # type: ignore[index]


def serve(picture: Encoded, place: str) -> str:
    """Give a picture to the server and return its address, "/media/...".

    `place` names where it is shown; one place shows one picture. As `st.image` does it; the
    store is not public, but the Streamlit version is pinned. Equal pictures are kept once for
    all visitors, and freed when no page shows them any more.
    """
    store = runtime.get_instance().media_file_mgr
    return store.add(picture.data, "image/jpeg", place)
