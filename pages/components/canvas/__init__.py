"""The canvas on which experts correct masks.

Painting happens in the browser only: no script runs until the expert saves or requests a
completion. The returned masks are exact to the pixel of the photo (`docs/decisions`).

A page draws the canvas, handles the event that it returns, and draws it again with the answer:

>>> event = canvas(photo, mask, key="canvas", case=digest, saved=st.session_state.get("saved"))
...                                                                  # doctest: +SKIP
>>> if isinstance(event, Save):                                      # doctest: +SKIP
...     store(event)                    # once, however often the same nonce comes
...     st.session_state["saved"] = event.nonce
...     st.rerun()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from streamlit import runtime

from pages.components.canvas import code, pictures
from pages.components.canvas.pictures import Photo, base_of, encode_photo
from pages.components.canvas.wire import Ask, Mask, Save, read_ask, read_save
from rustseg_jax.correct.strokes import CorrectionError
from rustseg_jax.errors import ConfigError

__all__ = [
    "Ask",
    "CorrectionError",
    "Photo",
    "Save",
    "Suggestion",
    "base_of",
    "canvas",
    "encode_photo",
]

MOST_PIXELS = 50_000_000  # as rustseg_jax.images.Limits; tried up to 24 million
_PACKED = "application/octet-stream"  # deflated numbers, which only the canvas reads

_mount = st.components.v2.component(
    "rustseg.canvas", html=code.html(), css=code.css(), js=code.javascript()
)


@dataclass(frozen=True, eq=False)
class Suggestion:
    """The answer to an `Ask`.

    Attributes
    ----------
    nonce : nonce of the request
    mask : (H, W) bool, the suggested mask; pixels set by hand stay unchanged
    words : message to show, such as `rustseg_jax.correct.completion.Judgement.words`
    boxes : areas to check, (left, top, right, bottom) in pixels
    """

    nonce: str
    mask: Mask = field(repr=False)
    words: str = ""
    boxes: Sequence[tuple[int, int, int, int]] = ()


def canvas(
    photo: object,
    mask: Mask,
    *,
    key: str,
    case: str,
    ignore: Mask | None = None,
    heatmap: np.ndarray | None = None,
    doubt: np.ndarray | None = None,
    superpixels: np.ndarray | None = None,
    suggestion: Suggestion | None = None,
    saved: str | None = None,
    refused: tuple[str, str] | None = None,
    grades: Sequence[tuple[float, str]] = (),
    readonly: bool = False,
    can_save: bool = True,
    offers: bool = True,
    name: str = "The photo",
) -> Save | Ask | None:
    """Draw the canvas, as wide as its container.

    Parameters
    ----------
    photo
        What `encode_photo` returned (worth storing), anything that it accepts, or a local address
        ("/media/...") of an upright image of the mask's size.
    mask
        (H, W) bool, initial mask of the correction. After a save, pass the saved mask or another
        case: the strokes of the next save begin there.
    key
        Name of this canvas on its page; always the same, whatever it shows.
    case
        Name of the photo. The browser stores unsaved changes by case and initial mask.
    ignore
        (H, W) bool, pixels labelled "can't tell"; they take precedence over the mask.
    heatmap, doubt
        (h, w) in [0, 1], of any size, to show under the mask.
    superpixels
        (h, w) numbers from 0, at most the photo's size (`rustseg_jax.correct.superpixels`).
    suggestion
        The answer to the last `Ask`; may be passed repeatedly and is applied once.
    saved
        Nonce of the last stored save. Without it the browser shows "Not saved yet" and sends the
        save again.
    refused
        Nonce and reason of a save that was rejected.
    grades
        (largest share in [0, 1], name) in ascending order: grades of the rusted share, as in
        `rustseg_jax.report.grading.ISO_4628_3`; shown beside it.
    readonly
        Whether the mask cannot be edited.
    can_save
        False lets visitors try everything except saving.
    offers
        Whether to offer unsaved changes of this case that began from another mask; False if the
        expert has just chosen this mask.
    name
        Alternative text of the photo.

    Returns
    -------
    `Save` or `Ask` in a run started by the browser, otherwise None; the save if there are both.

    Raises
    ------
    ConfigError
        An argument is invalid.
    ImageError
        The photo cannot be read.
    CorrectionError
        The browser sent data that are not a correction of this photo.
    """
    mask, ignore = _check_masks(mask, ignore)
    for label, text in (("key", key), ("case", case)):
        if not isinstance(text, str) or not text:
            raise ConfigError(f"{label} is {text!r}; it must be a non-empty string")
    shape = (mask.shape[0], mask.shape[1])
    send = _Files(key)
    data = {
        "case": case,
        "base": base_of(mask, ignore),
        "width": shape[1],
        "height": shape[0],
        "name": name,
        "photo": _photo_url(photo, shape, send),
        "mask": send("mask", pictures.pack_mask(mask), _PACKED),
        "ignore": send("ignore", pictures.pack_mask(ignore), _PACKED) if ignore.any() else None,
        "underlays": _underlays(heatmap, doubt, send),
        "pieces": _pieces(superpixels, shape, send),
        "suggestion": _suggestion(suggestion, shape, send),
        "saved": saved,
        "refused": list(refused) if refused else None,
        "grades": [[float(most), str(label)] for most, label in grades],
        "readonly": readonly,
        "canSave": can_save,
        "offers": offers,
    }
    result = _mount(key=key, data=data, on_save_change=_nothing, on_ask_change=_nothing)
    if readonly:
        return None
    if can_save and (sent := _of_case(result.get("save"), case)) is not None:
        return read_save(sent, case=case, shape=shape)
    if (sent := _of_case(result.get("ask"), case)) is not None:
        return read_ask(sent, case=case, shape=shape)
    return None


def _of_case(sent: Any, case: str) -> Any:
    """Ignore data for a photo that is no longer shown.

    A save may arrive again after the page has moved on; it is already stored, or is sent again
    when its photo is reopened.
    """
    gone = isinstance(sent, Mapping) and isinstance(sent.get("case"), str) and sent["case"] != case
    return None if gone else sent


def _nothing() -> None:
    """Do nothing; Streamlit registers a trigger by its callback."""


class _Files:
    """Register files with the server; returns their addresses, "/media/...".

    Done as in `st.image`; the store is not a public API, but the Streamlit version is pinned. Equal
    files are stored once for all visitors, and freed when no page shows them any more.
    """

    def __init__(self, key: str) -> None:
        self.key = key

    def __call__(self, place: str, data: bytes, kind: str = "image/png") -> str:
        store = runtime.get_instance().media_file_mgr
        return store.add(data, kind, f"canvas.{self.key}.{place}")


def _check_masks(mask: object, ignore: object) -> tuple[Mask, Mask]:
    rust = _check_mask(mask, "mask")
    if ignore is None:
        return rust, np.zeros_like(rust)
    unsure = _check_mask(ignore, "ignore")
    if rust.shape != unsure.shape:
        raise ConfigError(f"ignore has the shape {unsure.shape}; it must be {rust.shape}")
    return np.logical_and(rust, ~unsure), unsure


def _check_mask(value: object, name: str) -> Mask:
    array = np.asarray(value)
    if array.dtype != np.bool_ or array.ndim != 2 or not 0 < array.size <= MOST_PIXELS:
        raise ConfigError(f"{name} is {array.dtype}{array.shape}; it must be bool (H, W)")
    return array


def _photo_url(photo: object, shape: tuple[int, int], send: _Files) -> str:
    if isinstance(photo, str) and photo.startswith("/"):
        return photo
    encoded = encode_photo(photo)
    if (encoded.height, encoded.width) != shape:
        raise ConfigError(
            f"photo is {encoded.width} x {encoded.height} pixels and mask is {shape[1]} x "
            f"{shape[0]}; both must have the same size"
        )
    return send("photo", encoded.data, "image/jpeg")


def _underlays(
    heatmap: np.ndarray | None, doubt: np.ndarray | None, send: _Files
) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = []
    if heatmap is not None:
        found.append({"name": "Heat map", "url": send("heat", pictures.heat_png(heatmap))})
    if doubt is not None:
        found.append({"name": "Uncertainty map", "url": send("doubt", pictures.doubt_png(doubt))})
    return found


def _pieces(
    superpixels: np.ndarray | None, shape: tuple[int, int], send: _Files
) -> Mapping[str, Any] | None:
    if superpixels is None:
        return None
    numbers = np.asarray(superpixels)
    kind = numbers.dtype.kind in "iu" and numbers.ndim == 2 and numbers.size
    if not kind or numbers.shape[0] > shape[0] or numbers.shape[1] > shape[1]:
        raise ConfigError(
            f"superpixels is {numbers.dtype}{numbers.shape}; it must be integers, (h, w) up to "
            f"{shape}"
        )
    if numbers.min() < 0 or numbers.max() >= 1 << 16:
        raise ConfigError("superpixels has invalid values; all must be between 0 and 65535")
    height, width = numbers.shape
    url = send("pieces", pictures.pack_pieces(numbers), _PACKED)
    return {"url": url, "width": width, "height": height}


def _suggestion(
    suggestion: Suggestion | None, shape: tuple[int, int], send: _Files
) -> Mapping[str, Any] | None:
    if suggestion is None:
        return None
    if suggestion.mask.dtype != np.bool_ or suggestion.mask.shape != shape:
        return None  # for another photo: the page has moved on
    return {
        "nonce": suggestion.nonce,
        "mask": send("suggestion", pictures.pack_mask(suggestion.mask), _PACKED),
        "words": suggestion.words,
        "boxes": [list(map(int, box)) for box in suggestion.boxes],
    }
