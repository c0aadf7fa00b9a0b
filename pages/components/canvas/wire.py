"""Validation of data from the browser, which is not trusted.

Sizes are limited before anything is decompressed. A mask is its rows of bits as from np.packbits,
deflated: exactly the size of the photo, with nothing after it. Strokes are checked number by number
(`rustseg_jax.correct.strokes.check_strokes`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from rustseg_jax.correct.strokes import CorrectionError, Stroke, check_strokes

__all__ = ["Ask", "Save", "read_ask", "read_save"]

MOST_TEXT = 8_000_000  # characters of one mask: more than a 24-megapixel mask of pure noise
MOST_STROKES = 16_000_000  # bytes of the strokes' JSON
_NONCE = re.compile(r"[0-9a-f]{32}")

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Save:
    """A correction to save.

    The same save may arrive more than once, with the same nonce: store it once, and answer each
    time by drawing the canvas with ``saved=nonce``.

    Attributes
    ----------
    nonce : 32 hexadecimal digits, unique to this save
    case : case of the canvas that sent it
    base : name of the initial mask of the strokes, see `canvas.base_of`
    mask, ignore : (H, W) bool; no pixel is True in both
    strokes : see `rustseg_jax.correct.strokes`; replayed on the base they give mask and ignore
    seconds : working time, without pauses
    undos : number of undone steps
    """

    nonce: str
    case: str
    base: str
    mask: Mask = field(repr=False)
    ignore: Mask = field(repr=False)
    strokes: tuple[Stroke, ...] = field(repr=False)
    seconds: float
    undos: int


@dataclass(frozen=True, eq=False)
class Ask:
    """A request to complete the mask from the pixels set by hand.

    Answer by drawing the canvas with a `Suggestion` of the same nonce.

    Attributes
    ----------
    nonce, case : as in `Save`
    kind : method; "crf" is the only one
    mask : (H, W) bool, the current mask
    rust, clean : (H, W) bool strokes for `rustseg_jax.resegment`; no pixel is True in both
    scribbled : (H, W) bool, the part of them that the CRF spreads; the rest stays unchanged
    """

    nonce: str
    case: str
    kind: Literal["crf"]
    mask: Mask = field(repr=False)
    rust: Mask = field(repr=False)
    clean: Mask = field(repr=False)
    scribbled: Mask = field(repr=False)


def read_save(sent: object, *, case: str, shape: tuple[int, int]) -> Save:
    """Read a save sent by the browser.

    Parameters
    ----------
    sent : data from the browser, of any type
    case, shape : case and (H, W) of the canvas

    Raises
    ------
    CorrectionError
        The data are damaged, of another photo, or not a save.
    """
    values = _values(sent, case, shape)
    mask = _mask(values.get("mask"), "mask", shape)
    given = values.get("ignore")
    ignore = np.zeros(shape, bool) if given is None else _mask(given, "ignore", shape)
    if (mask & ignore).any():
        raise CorrectionError("mask and ignore overlap; each pixel must have one label")
    base = values.get("base")
    if not isinstance(base, str) or len(base) > 80:
        raise CorrectionError("base is not the name of a mask")
    return Save(
        nonce=values["nonce"],
        case=case,
        base=base,
        mask=mask,
        ignore=ignore,
        strokes=_strokes(values.get("strokes"), shape),
        seconds=_number(values.get("seconds"), "seconds"),
        undos=int(_number(values.get("undos"), "undos")),
    )


def read_ask(sent: object, *, case: str, shape: tuple[int, int]) -> Ask:
    """Read a request for completion sent by the browser; see `read_save`."""
    values = _values(sent, case, shape)
    if values.get("kind") != "crf":
        raise CorrectionError(f"kind is {values.get('kind')!r:.40}; it must be 'crf'")
    names = ("mask", "rust", "clean")
    mask, rust, clean = (_mask(values.get(name), name, shape) for name in names)
    if (rust & clean).any():
        raise CorrectionError("rust and clean overlap; each pixel must have one label")
    marked = rust | clean
    text = values.get("scribbled")
    scribbled = marked if text is None else marked & _mask(text, "scribbled", shape)
    return Ask(values["nonce"], case, "crf", mask, rust, clean, scribbled)


def _values(sent: object, case: str, shape: tuple[int, int]) -> Mapping[str, Any]:
    if not isinstance(sent, Mapping):
        raise CorrectionError(f"correction is {type(sent).__name__}; it must be an object")
    nonce = sent.get("nonce")
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise CorrectionError("nonce is not valid; it must be 32 hexadecimal digits")
    if sent.get("case") != case:
        raise CorrectionError("the correction is for another photo than the one shown")
    if (sent.get("height"), sent.get("width")) != shape:
        raise CorrectionError(f"the correction does not fit the photo, {shape[1]} x {shape[0]}")
    return sent


def _decoded(text: object, name: str, most: int) -> bytes:
    if not isinstance(text, str):
        raise CorrectionError(f"{name} is {type(text).__name__}; it must be base64 text")
    if len(text) > most:
        raise CorrectionError(f"{name} is larger than {most / 1e6:g} MB")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CorrectionError(f"{name} is not base64") from error


def _inflated(packed: bytes, name: str, most: int) -> bytes:
    """Decompress at most `most` bytes; larger data are rejected without decompressing the rest."""
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(packed, most + 1)
    except zlib.error as error:
        raise CorrectionError(f"{name} is damaged and cannot be unpacked ({error})") from error
    if len(plain) > most:
        raise CorrectionError(f"{name} is larger than {most:,} bytes unpacked")
    if not inflate.eof:
        raise CorrectionError(f"{name} is cut short")
    if inflate.unused_data:
        raise CorrectionError(f"{name} has extra data after its end")
    return plain


def _mask(text: object, name: str, shape: tuple[int, int]) -> Mask:
    height, width = shape
    size = height * ((width + 7) // 8)
    plain = _inflated(_decoded(text, name, MOST_TEXT), name, size)
    if len(plain) < size:
        raise CorrectionError(
            f"{name} has {len(plain):,} bytes unpacked; {width} x {height} pixels need {size:,}"
        )
    bits = np.unpackbits(np.frombuffer(plain, np.uint8).reshape(height, -1), axis=1)
    if bits[:, width:].any():
        raise CorrectionError(f"{name} marks pixels right of the photo's {width} columns")
    return np.ascontiguousarray(bits[:, :width]).view(np.bool_)


def _strokes(text: object, shape: tuple[int, int]) -> tuple[Stroke, ...]:
    plain = _inflated(_decoded(text, "strokes", MOST_TEXT), "strokes", MOST_STROKES)
    try:
        found = json.loads(plain)
    except (ValueError, RecursionError) as error:
        raise CorrectionError("strokes is not valid JSON") from error
    return check_strokes(found, shape=shape)


def _number(value: object, name: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e7:
        return float(value)
    raise CorrectionError(f"{name} is {value!r:.40}; it must be between 0 and 10,000,000")
