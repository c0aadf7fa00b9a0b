"""The files that the canvas sends to the browser.

Masks are rows of bits, and superpixel numbers are two bytes each, both deflated: a browser that
alters the colours of images cannot change a label. Only display layers are images.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from rustseg_jax import images
from rustseg_jax.drawing.overlay import DOUBT_COLOUR, heat_colours
from rustseg_jax.errors import ConfigError

__all__ = [
    "Photo",
    "base_of",
    "doubt_png",
    "encode_photo",
    "heat_png",
    "pack_mask",
    "pack_pieces",
]

_QUALITY = 88  # JPEG with colour at full resolution: 12 megapixels take 3 to 6 MB
_LEVEL = 6  # of zlib, its default: 12 megapixels of mask take 10 to 60 ms, at level 9 up to 700
_UNDER_SIDE = 1024  # heat and uncertainty maps are smooth; the browser enlarges them

_Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Photo:
    """A photo encoded for the browser by `encode_photo`; may be stored and reused.

    Attributes
    ----------
    data : a JPEG file, upright, at full resolution, without any metadata
    width, height : in pixels
    """

    data: bytes
    width: int
    height: int


def encode_photo(photo: object) -> Photo:
    """Encode a photo for the canvas; 12 megapixels take about half a second.

    Parameters
    ----------
    photo : anything that `rustseg_jax.images.read` accepts

    Raises
    ------
    ImageError
        The photo cannot be read, or is too small or too large.
    """
    if isinstance(photo, Photo):
        return photo
    pixels = images.read(photo, name="photo")
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return Photo(file.getvalue(), pixels.shape[1], pixels.shape[0])


def base_of(mask: _Array, ignore: _Array) -> str:
    """Return the name of a mask, from its size and pixels, as the browser computes it.

    It tells the masks of one case apart. It is a checksum and not safe against forgery.
    """
    height, width = mask.shape
    sums = (zlib.crc32(_rows(bits)) for bits in (mask, ignore))
    return f"{width}x{height}-" + "".join(f"{value:08x}" for value in sums)


def pack_mask(mask: _Array) -> bytes:
    """(H, W) bool -> rows of bits, each padded to whole bytes, deflated."""
    return zlib.compress(_rows(mask), _LEVEL)


def _rows(mask: _Array) -> bytes:
    return np.packbits(mask, axis=1).tobytes()


def pack_pieces(pieces: _Array) -> bytes:
    """(h, w) numbers below 65536 -> two bytes each, low byte first, deflated."""
    return zlib.compress(pieces.astype("<u2").tobytes(), _LEVEL)


def heat_png(heatmap: _Array) -> bytes:
    """(h, w) in [0, 1] -> PNG in the colours of the app's heat maps."""
    return _png(heat_colours(_small(heatmap, "heatmap")))


def doubt_png(doubt: _Array) -> bytes:
    """(h, w) in [0, 1] -> PNG of the uncertainty map: yellow where uncertain, else transparent."""
    small = _small(doubt, "doubt")
    picture = np.empty((*small.shape, 4), np.uint8)
    picture[..., :3] = DOUBT_COLOUR
    picture[..., 3] = np.round(255 * small)
    return _png(picture)


def _png(picture: _Array) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=3)
    return file.getvalue()


def _small(values: _Array, name: str) -> _Array:
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind != "f" or not array.size:
        raise ConfigError(f"{name} is {array.dtype}{array.shape}; it must be floating point (h, w)")
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise ConfigError(f"{name} has invalid values; all must be between 0 and 1")
    step = max(1, -(-max(array.shape) // _UNDER_SIDE))
    return np.ascontiguousarray(array[::step, ::step], dtype=np.float32)
