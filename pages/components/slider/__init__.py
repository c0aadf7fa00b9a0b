"""A before/after slider: two images on top of each other with a movable divider.

The divider moves in the browser only: it causes no script run, and its position is not a value of
the page. It keeps its position when an image changes or the slider is shown again.

Images are sent as JPEG through Streamlit's media file store, as for `st.image`: the message of the
page holds two addresses (9 kB with all code), and only an image that changed is fetched again
(0.45 MB at 2000 x 1500 pixels). Data URLs in the message, a third longer in base64, would take
1.3 MB each time.
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
"""Largest side in pixels; larger images are reduced: sharp on high-density screens, 0.7 MB."""

_QUALITY = 85  # JPEG; colour at full resolution (4:4:4), or thin outlines would lose theirs
_HERE = Path(__file__).parent

_Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Encoded:
    """An image encoded for the browser by `encode`; may be stored and reused.

    Attributes
    ----------
    data : a JPEG file
    width, height : size of the original image in pixels
    """

    data: bytes
    width: int
    height: int


Picture: TypeAlias = "_Array | Image.Image | bytes | Encoded"

# Streamlit takes text with line breaks for code, not for a path; the files have many.
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
    """Draw two images on top of each other with a divider, as wide as the container.

    Parameters
    ----------
    before, after
        Images left and right of the divider, of the same size: (H, W, 3) or (H, W) uint8 sRGB, a
        PIL.Image, the bytes of an image file, or what `encode` returned.
    key
        Name of this slider on its page. With the same key the divider keeps its position; with a
        new one it begins at `start`.
    labels
        Labels of the two images, shown on them and read by screen readers ("40 % Photo, 60 %
        Overlay"). Plain text, never interpreted as Markdown or HTML.
    alt
        Alternative texts of the images; the labels by default.
    start
        Initial position of the divider, in percent of the width from the left, 0 to 100.

    Raises
    ------
    ConfigError
        An argument is invalid.
    ImageError
        An image cannot be read, or is too small or too large.
    """
    names = _two_texts("labels", labels)
    words = _two_texts("alt", names if alt is None else alt)
    if not isinstance(key, str) or not key:
        raise ConfigError(f"key is {key!r}; it must be a non-empty string")
    if isinstance(start, bool) or not isinstance(start, int | float) or not 0 <= start <= 100:
        raise ConfigError(f"start is {start!r}; it must be between 0 and 100, in percent")
    left, right = encode(before, name="before"), encode(after, name="after")
    if (left.width, left.height) != (right.width, right.height):
        raise ConfigError(
            f"before is {left.width} x {left.height} pixels and after is {right.width} x "
            f"{right.height}; both must have the same size: resize one of them"
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
    """Encode an image for the browser: upright, at most `MAX_SIDE` pixels a side, as JPEG.

    2000 x 1500 pixels take 10 to 20 ms. An image that is shown repeatedly can be encoded once.

    Parameters
    ----------
    picture
        As for `compare_slider`. Large images are reduced; an `Encoded` is returned unchanged.
    name
        Name for error messages.

    Raises
    ------
    ConfigError
        An array is not (H, W, 3) or (H, W) uint8, or the type is not supported.
    ImageError
        Bytes or a PIL image cannot be read, or the image is too small or too large.
    """
    if isinstance(picture, Encoded):
        return picture
    if isinstance(picture, np.ndarray):
        _check_array(picture, name)
    elif not isinstance(picture, Image.Image | bytes):
        raise ConfigError(
            f"{name} is {type(picture).__name__}; it must be a uint8 array, a PIL.Image, bytes or "
            "Encoded"
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
        raise ConfigError(f"{name} is {array.dtype}; it must be uint8, 0 to 255")
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] != 3):
        raise ConfigError(f"{name} has the shape {array.shape}; it must be (H, W, 3) or (H, W)")


def _two_texts(name: str, value: object) -> tuple[str, str]:
    fits = isinstance(value, tuple | list) and len(value) == 2
    if not fits or not all(isinstance(text, str) and text.strip() for text in value):  # type: ignore[attr-defined]
        raise ConfigError(f"{name} is {value!r}; it must be two texts, for left and right")
    return value[0], value[1]  # type: ignore[index]


def serve(picture: Encoded, place: str) -> str:
    """Register an image with the server and return its address, "/media/...".

    `place` names where it is shown; each place shows one image. Done as in `st.image`; the store is
    not a public API, but the Streamlit version is pinned. Equal images are stored once for all
    visitors, and freed when no page shows them any more.
    """
    store = runtime.get_instance().media_file_mgr
    return store.add(picture.data, "image/jpeg", place)
