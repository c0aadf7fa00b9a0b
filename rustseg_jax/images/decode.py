"""What Pillow leaves undone: sample depth, colour profiles, alpha, short JPEGs, warnings.

Private to `images`, which is the one door for pixels.
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
# Grey PNGs of 2 and 4 bits are stretched to 8 by Pillow, but not their transparent value.
_STRETCH = {"L;2": 85, "L;4": 17}
# First marker in JPEG scan data that is neither a stuffed zero nor a restart (ITU T.81, B.1.1.2).
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_PADDING = bytes(16)  # libjpeg looks 8 bytes ahead; 128 bits cannot fill a missing row

_Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Samples:
    """How the samples of one file become 8-bit sRGB."""

    name: str  # for errors
    white: int  # deep grey: the value of white
    inverted: bool  # deep grey whose zero is white
    colours: ImageCms.ImageCmsTransform | None  # embedded profile to sRGB
    mode: str  # the mode that `colours` takes

    @staticmethod
    def of(image: Image.Image, name: str) -> Samples:
        """Read from the header what Pillow forgets once it has decoded."""
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
        """(h, w, 3) uint8 of a strip in any mode."""
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
                f"{strip.mode} samples, of which 0 to {white} can be read; export it as JPEG"
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
    except Exception:  # a broken profile is no reason to refuse a photo
        return None, ""


def mend_transparency(image: Image.Image) -> None:
    """Bring a PNG's transparent colour to the depth to which Pillow brings its samples."""
    clear, tiles = image.info.get("transparency"), getattr(image, "tile", [])
    depth = tiles[0].args if tiles else None
    if isinstance(clear, int) and depth in _STRETCH:
        image.info["transparency"] = clear * _STRETCH[depth]
    elif isinstance(clear, tuple) and depth == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in clear)


def without_slack(data: bytes) -> bytes:
    """Cut a one-scan JPEG before its end marker, so that missing rows are noticed.

    At an end marker libjpeg paints missing rows grey and tells nobody. Without one it asks
    for more data, and Pillow reports a truncated file: a photo cut short in transfer and
    closed again, or a header that claims more rows than there are.
    """
    start = _scan_start(data)
    end = _MARKER.search(data, start) if start else None
    if not end or end.group() != b"\xff\xd9":  # several scans, or cut short anyway
        return data
    return data[: end.start()] + _JPEG_PADDING


def _scan_start(data: bytes) -> int | None:
    """Where the first scan of a sequential JPEG starts; None for everything else."""
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
    """Silence Pillow's warnings; unlike a bare catch_warnings, safe with several threads.

    The last thread to leave puts the filters back, so none of them restores another's.
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
