"""Decoding steps missing in Pillow: sample depth, colour profiles, alpha, truncated JPEGs.

Private to `images`.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from rustseg_jax.errors import ImageError

__all__ = ["Samples", "mend_transparency", "quiet", "without_slack"]

_PHOTOMETRIC = 262  # TIFF 6.0: 0 means that white is stored as zero
_BITS = 258  # TIFF 6.0: bits per sample
_SAMPLE_FORMAT = 339  # TIFF 6.0: 2 means signed
# Pillow scales grey PNGs of 2 and 4 bits to 8, but not their transparent value.
_STRETCH = {"L;2": 85, "L;4": 17}
# First marker in JPEG scan data that is neither a stuffed zero nor a restart (ITU T.81, B.1.1.2).
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_PADDING = bytes(16)  # libjpeg looks 8 bytes ahead; 128 bits cannot fill a missing row

_Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Samples:
    """Conversion of the samples of one file to 8-bit sRGB."""

    name: str  # for errors
    white: int  # deep grey: the value of white
    inverted: bool  # deep grey whose zero is white
    colours: ImageCms.ImageCmsTransform | None  # embedded profile to sRGB
    mode: str  # the mode that `colours` takes

    @staticmethod
    def of(image: Image.Image, name: str) -> Samples:
        """Read header fields that Pillow discards on decoding."""
        tags = getattr(image, "tag_v2", {})
        bits = tags.get(_BITS, (16,))[0] - (tags.get(_SAMPLE_FORMAT, (1,))[0] == 2)
        colours, mode = _colour_transform(image)
        deep = image.mode.startswith("I;16") or image.mode == "F"
        return Samples(
            name=name,
            white=(1 << min(bits, 16)) - 1,
            inverted=deep and tags.get(_PHOTOMETRIC) == 0,
            colours=colours,
            mode=mode,
        )

    def to_rgb(self, strip: Image.Image) -> _Array:
        """Return a strip of any mode as (h, w, 3) uint8."""
        if strip.mode == "F" or strip.mode.startswith("I"):
            strip = self._eight_bits(strip)
        if not strip.has_transparency_data:
            return np.asarray(self._rgb(strip))
        strip = strip.convert("RGBA")
        alpha = np.asarray(strip.getchannel("A"), np.uint16)[..., None]
        over = np.asarray(self._rgb(strip.convert("RGB"))) * alpha + 255 * (255 - alpha)
        return ((over + 127) // 255).astype(np.uint8)  # 255 * 255 + 127 fits in 16 bits

    def _rgb(self, strip: Image.Image) -> Image.Image:
        if self.colours is None:
            return strip.convert("RGB")
        strip = strip if strip.mode == self.mode else strip.convert(self.mode)
        return ImageCms.applyTransform(strip, self.colours) or strip

    def _eight_bits(self, strip: Image.Image) -> Image.Image:
        values = np.asarray(strip).astype(np.float32)
        white = 1 if strip.mode == "F" else self.white
        if not (values.min() >= 0 and values.max() <= white):  # a NaN fails too
            raise ImageError(
                f"{self.name} has grey values from {values.min():g} to {values.max():g} in "
                f"{strip.mode} samples; must be between 0 and {white}: export it as JPEG"
            )
        share = values / np.float32(white)
        grey = Image.fromarray(np.rint(255 * (1 - share if self.inverted else share)).astype("u1"))
        clear = strip.info.get("transparency")
        if clear is None:
            return grey
        alpha = np.where(values == clear, 0, 255).astype(np.uint8)
        return Image.merge("LA", (grey, Image.fromarray(alpha)))


def _colour_transform(image: Image.Image) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    data = image.info.get("icc_profile")
    try:
        if image.mode == "LAB":  # Pillow itself cannot convert it
            profile, mode = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB"
        elif data:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
            if (profile.profile.profile_description or "").startswith("sRGB IEC61966"):
                return None, ""
            mode = {"RGB ": "RGB", "CMYK": "CMYK", "GRAY": "L"}[profile.profile.xcolor_space]
        else:
            return None, ""
        if (mode == "CMYK") != (image.mode == "CMYK"):
            return None, ""
        if mode == "L" and image.mode not in ("1", "L", "LA", "I;16", "I;16B", "I", "F"):
            return None, ""
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(profile, srgb, mode, "RGB"), mode
    except Exception:  # a photo with a broken profile is still usable
        return None, ""


def mend_transparency(image: Image.Image) -> None:
    """Scale a PNG's transparent colour to the depth of the samples decoded by Pillow."""
    clear, tiles = image.info.get("transparency"), getattr(image, "tile", [])
    depth = tiles[0].args if tiles else None
    if isinstance(clear, int) and depth in _STRETCH:
        image.info["transparency"] = clear * _STRETCH[depth]
    elif isinstance(clear, tuple) and depth == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in clear)


def without_slack(data: bytes) -> bytes:
    """Cut a one-scan JPEG before its end marker, so that missing rows are detected.

    At an end marker libjpeg silently fills missing rows with grey. Without one it asks
    for more data and Pillow reports a truncated file. This happens if a photo was truncated in
    transfer and closed again, or if the header declares more rows than the file has.
    """
    start = _scan_start(data)
    end = _MARKER.search(data, start) if start else None
    if not end or end.group() != b"\xff\xd9":  # several scans, or truncated anyway
        return data
    return data[: end.start()] + _JPEG_PADDING


def _scan_start(data: bytes) -> int | None:
    """Return the offset of the first scan of a sequential JPEG; None for other data."""
    at = 2 if data.startswith(b"\xff\xd8") else len(data)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC2 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return None  # progressive, lossless or arithmetic frames
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            return at
    return None


_quiet_lock = threading.Lock()
_quiet_depth = 0
_quiet_filters = contextlib.ExitStack()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress Pillow's warnings; unlike a plain catch_warnings, thread-safe.

    The last thread to leave restores the filters, so that no thread restores those of another.
    """
    global _quiet_depth
    with _quiet_lock:
        if _quiet_depth == 0:
            _quiet_filters.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if _quiet_depth == 0:
                _quiet_filters.close()
