"""Images of corrections: a correction on its photo, what it changed, where experts disagree.

Encoded in memory, no larger than they are shown; a photo is never enlarged.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from rustseg_jax import images
from rustseg_jax.drawing.overlay import mask_overlay, uncertainty_overlay
from rustseg_jax.errors import ImageError
from rustseg_jax.images.resample import shrink_mask
from rustseg_jax.labels.records import Correction
from rustseg_jax.labels.rle import Rle
from rustseg_jax.metrics import confusion, iou
from rustseg_jax.refine import working_shape

__all__ = ["Change", "change_picture", "correction_picture", "disagreement_picture", "thumbnail"]

SIDE = 1280
"""Longer side of an image in pixels: sharp on high-density screens at half the size."""

_THUMBNAIL = 320
_UNSURE = (90, 90, 90)  # grey, the colour of "can't tell" on the canvas: neither rust nor clean

Photo = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Change:
    """How a correction changed a mask.

    Attributes
    ----------
    picture : PNG file: unchanged, added and removed areas in the colours of
        `rustseg_jax.teaching.figure.DIFFERENCE_COLOURS`
    iou : of both masks, in [0, 1]
    added, dropped : shares of the photo added and removed, in [0, 1]
    """

    picture: bytes = field(repr=False)
    iou: float
    added: float
    dropped: float


def correction_picture(photo: Photo, correction: Correction, *, side: int = SIDE) -> bytes:
    """Draw the mask of a correction, and its uncertain pixels in grey.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    correction : a correction of this photo; without a mask, only the photo is drawn
    side : longer side in pixels

    Returns
    -------
    PNG file
    """
    return _file(_drawn(photo, correction, side), "PNG")


def thumbnail(path: Path, correction: Correction, *, side: int = _THUMBNAIL) -> bytes:
    """Like `correction_picture`, from the photo's file, as a WebP file of about 20 KB.

    Raises
    ------
    ImageError
        The photo cannot be read.
    """
    return _file(_drawn(_small_photo(path, side), correction, side), "WEBP")


def change_picture(photo: Photo, before: Rle, after: Rle, *, side: int = SIDE) -> Change:
    """Draw the difference between two masks of a photo.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    before, after : masks of the photo's size
    side : longer side in pixels
    """
    from rustseg_jax.drawing.difference import Difference, difference_picture

    old, new = before.decode(), after.decode()
    agreement = iou(confusion(old, new))
    both, added, dropped = old & new, new & ~old, old & ~new
    found = Difference("mask", agreement, 1 - agreement, both, added, dropped)
    picture = _file(difference_picture(photo, found, side=side), "PNG")
    return Change(picture, agreement, float(added.mean()), float(dropped.mean()))


def disagreement_picture(
    photo: Photo, disagreement: NDArray[np.float32], *, side: int = SIDE
) -> bytes:
    """Draw where experts disagree, in yellow on the greyscale photo; stronger is more opaque.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    disagreement : (H, W) in [0, 1], see `Agreement`
    side : longer side in pixels

    Returns
    -------
    PNG file
    """
    shape = working_shape((photo.shape[0], photo.shape[1]), side)
    grey = np.asarray(Image.fromarray(images.resize(photo, shape)).convert("L").convert("RGB"))
    small = _resized(np.rint(255 * disagreement).astype(np.uint8), shape)
    return _file(uncertainty_overlay(grey, small.astype(np.float32) / 255), "PNG")


def _drawn(photo: Photo, correction: Correction, side: int) -> Photo:
    shape = working_shape((photo.shape[0], photo.shape[1]), side)
    drawn = images.resize(photo, shape)
    if correction.ignore is not None:
        drawn = mask_overlay(drawn, shrink_mask(correction.ignore.decode(), shape), colour=_UNSURE)
    if correction.mask is not None:
        drawn = mask_overlay(drawn, shrink_mask(correction.mask.decode(), shape))
    return drawn


def _resized(values: Photo, shape: tuple[int, int]) -> Photo:
    """Area means."""
    return np.asarray(Image.fromarray(values).resize(shape[::-1], Image.Resampling.BOX))


def _small_photo(path: Path, side: int) -> Photo:
    """A photo decoded at about the wanted size: JPEGs can be decoded at an eighth, for example."""
    try:
        with Image.open(path) as image:
            if image.format == "JPEG":
                image.draft("RGB", (2 * side, 2 * side))
                if image.mode == "RGB":
                    return np.asarray(ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"{path.name} is not a readable image") from error
    return images.read(path)


def _file(picture: Photo, kind: str) -> bytes:
    file = io.BytesIO()
    options = {"compress_level": 1} if kind == "PNG" else {"quality": 75}
    Image.fromarray(picture).save(file, kind, **options)
    return file.getvalue()
