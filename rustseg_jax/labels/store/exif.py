"""Strip photos of the camera's metadata: place, time, owner, previews.

The pixels from `images.read` stay the same, bit for bit. A JPEG keeps its compressed data and loses
its other segments; every other file, and a JPEG for which that fails, becomes a PNG of those
pixels.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image

from rustseg_jax import images

__all__ = ["strip"]

_SOI, _SOS, _EOI = 0xD8, 0xDA, 0xD9  # ITU T.81, table B.1
_APP0, _APP2, _APP14, _APP15, _COMMENT = 0xE0, 0xE2, 0xEE, 0xEF, 0xFE
_JFIF, _ICC, _ADOBE = b"JFIF\0", b"ICC_PROFILE\0", b"Adobe"  # all affect colours
_ORIENTATION = 0x0112  # EXIF 2.32, table 4
_PNG_LEVEL = 6


def strip(data: bytes) -> bytes:
    """Remove everything but the image from a photo's file.

    Parameters
    ----------
    data : a file that `images.read` can read

    Returns
    -------
    A file from which `images.read` reads the same pixels; bytes that were stripped before are
    returned unchanged.

    Raises
    ------
    ImageError
        The photo cannot be read.
    """
    pixels = images.read(data)
    if data.startswith(b"\xff\xd8"):
        lean = _lean_jpeg(data)
        if lean is not None and np.array_equal(images.read(lean), pixels):
            return lean
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=_PNG_LEVEL)
    return file.getvalue()


def _lean_jpeg(data: bytes) -> bytes | None:
    """Keep the segments that affect pixels; None if the file has an unusual layout."""
    kept = bytearray(b"\xff\xd8")
    turned = _orientation(data)
    if turned != 1:
        kept += _segment(0xE1, _exif(turned))
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        size = struct.unpack(">H", data[place + 2 : place + 4])[0]
        part = data[place : place + 2 + size]
        if marker == _SOS:
            end = data.rfind(b"\xff\xd9")
            # A second image behind the first (a phone's preview) has an end marker of its own.
            first = _first_end(data, place + 2 + size)
            return None if end < 0 else bytes(kept + data[place : (first or end) + 2])
        if marker == _APP0 and part[4:9] == _JFIF:
            kept += _segment(_APP0, part[4:16] + bytes(2))  # without its thumbnail
        elif _decides(marker, part[4:]):
            kept += part
        place += 2 + size
    return None


def _first_end(data: bytes, place: int) -> int | None:
    """Position of this image's end marker; bytes within its scans are never mistaken for one."""
    while (place := data.find(b"\xff", place)) >= 0 and place + 1 < len(data):
        marker = data[place + 1]
        if marker == _EOI:
            return place
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD7:
            place += 1 if marker == 0xFF else 2
        else:  # tables between the scans of a progressive JPEG
            place += 2 + struct.unpack(">H", data[place + 2 : place + 4].ljust(2, b"\0"))[0]
    return None


def _decides(marker: int, body: bytes) -> bool:
    if marker == _APP2:
        return body.startswith(_ICC)
    if marker == _APP14:
        return body.startswith(_ADOBE)
    return not (_APP0 <= marker <= _APP15 or marker == _COMMENT)


def _orientation(data: bytes) -> int:
    try:
        with Image.open(io.BytesIO(data)) as image:
            value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # unreadable EXIF means no rotation
        return 1
    return value if value in range(1, 9) else 1


def _exif(orientation: int) -> bytes:
    """EXIF with the orientation and nothing else."""
    entry = struct.pack(">HHIHH", _ORIENTATION, 3, 1, orientation, 0)
    return b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body
