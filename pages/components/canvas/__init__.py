"""The canvas on which experts correct masks.

Painting happens in the browser only: no script runs until the expert saves, or asks that the
rest be completed. What comes back is exact to the pixel of the photo (`docs/decisions`).

A page draws it, acts on what it returns, and draws it again with the answer:

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
    nonce : of the question
    mask : (H, W) bool, what is proposed; what the expert set by hand stays all the same
    words : what to tell, such as `rustseg_jax.correct.completion.Judgement.words`
    boxes : what to look at again, (left, top, right, bottom) in pixels
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
    """Draw the canvas, as wide as its place.

    Parameters
    ----------
    photo
        What `encode_photo` returned, which is worth keeping; what it takes; or an address of
        the app's own ("/media/...") whose picture is upright and of the mask's size.
    mask
        (H, W) bool, where the correction begins. After a save the page goes on to another case
        or passes what was saved: the strokes of the next save begin there.
    key
        Names this canvas on its page; always the same one, whatever it shows.
    case
        Names the photo. Unsaved work is kept in the browser under the case and its mask.
    ignore
        (H, W) bool, pixels of which nobody can tell; they win over the mask.
    heatmap, doubt
        (h, w) in [0, 1], of any size, to lay under the mask.
    superpixels
        (h, w) numbers from 0, at most the photo's size (`rustseg_jax.correct.superpixels`).
    suggestion
        The answer to the last `Ask`; may be passed again and again, it is taken once.
    saved
        Nonce of the last save that is stored. Without it the browser says "not saved yet"
        and sends the same save again.
    refused
        Nonce and reason of a save that will not be stored.
    grades
        (largest share in [0, 1], name) in rising order: what the rusted share means, as
        `rustseg_jax.report.grading.ISO_4628_3` has it; shown beside it.
    readonly
        To look at only.
    can_save
        False lets visitors try everything but saving.
    offers
        Whether unsaved work of this case that began from another mask is offered, to go on with or
        to drop; not where the expert has just chosen this mask.
    name
        The photo in words, for who cannot see it.

    Returns
    -------
    `Save` or `Ask` in the run that the browser asked for, else None. Of both, the save.

    Raises
    ------
    ConfigError
        An argument is not allowed.
    ImageError
        The photo cannot be read.
    CorrectionError
        The browser sent something that is no correction of this photo.
    """
    mask, ignore = _check_masks(mask, ignore)
    for label, text in (("key", key), ("case", case)):
        if not isinstance(text, str) or not text:
            raise ConfigError(f"{label} is {text!r}; allowed is any text that is not empty")
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
    """Drop what was sent for a photo that is not shown any more.

    A save may come once more after the page has gone on; it is stored already, or comes again
    when its photo is opened again.
    """
    gone = isinstance(sent, Mapping) and isinstance(sent.get("case"), str) and sent["case"] != case
    return None if gone else sent


def _nothing() -> None:
    """Streamlit names a trigger by its callback."""


class _Files:
    """Give files to the server; returns their addresses, "/media/...".

    As `st.image` does it; the store is not public, but the Streamlit version is pinned. Equal
    files are kept once for all visitors, and freed when no page shows them any more.
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
        raise ConfigError(f"ignore is {unsure.shape}; allowed is the mask's {rust.shape}")
    return np.logical_and(rust, ~unsure), unsure


def _check_mask(value: object, name: str) -> Mask:
    array = np.asarray(value)
    if array.dtype != np.bool_ or array.ndim != 2 or not 0 < array.size <= MOST_PIXELS:
        raise ConfigError(f"{name} is {array.dtype}{array.shape}; allowed is (H, W) bool")
    return array


def _photo_url(photo: object, shape: tuple[int, int], send: _Files) -> str:
    if isinstance(photo, str) and photo.startswith("/"):
        return photo
    encoded = encode_photo(photo)
    if (encoded.height, encoded.width) != shape:
        raise ConfigError(
            f"photo is {encoded.width} x {encoded.height} pixels and mask is {shape[1]} x "
            f"{shape[0]}; allowed is one size"
        )
    return send("photo", encoded.data, "image/jpeg")


def _underlays(
    heatmap: np.ndarray | None, doubt: np.ndarray | None, send: _Files
) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = []
    if heatmap is not None:
        found.append({"name": "Heat map", "url": send("heat", pictures.heat_png(heatmap))})
    if doubt is not None:
        found.append({"name": "Doubt", "url": send("doubt", pictures.doubt_png(doubt))})
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
            f"superpixels are {numbers.dtype}{numbers.shape}; allowed are whole numbers, (h, w) up "
            f"to {shape}"
        )
    if numbers.min() < 0 or numbers.max() >= 1 << 16:
        raise ConfigError("superpixels have numbers outside 0 to 65535")
    height, width = numbers.shape
    url = send("pieces", pictures.pack_pieces(numbers), _PACKED)
    return {"url": url, "width": width, "height": height}


def _suggestion(
    suggestion: Suggestion | None, shape: tuple[int, int], send: _Files
) -> Mapping[str, Any] | None:
    if suggestion is None:
        return None
    if suggestion.mask.dtype != np.bool_ or suggestion.mask.shape != shape:
        return None  # of another photo: the page has gone on since
    return {
        "nonce": suggestion.nonce,
        "mask": send("suggestion", pictures.pack_mask(suggestion.mask), _PACKED),
        "words": suggestion.words,
        "boxes": [list(map(int, box)) for box in suggestion.boxes],
    }
