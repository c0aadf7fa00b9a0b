"""A mask beside the true one: what was hit, missed and extra.

Pictures are (h, w, 3) uint8; masks (H, W) bool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rustseg_jax.drawing.overlay import MASK_COLOUR
from rustseg_jax.images import resize
from rustseg_jax.images.resample import shrink_mask
from rustseg_jax.refine import working_shape

__all__ = ["DIFFERENCE_COLOURS", "Difference", "difference_picture", "enlarge"]

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]

DIFFERENCE_COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"hit": MASK_COLOUR, "missed": (240, 228, 66), "extra": (213, 94, 0)}
)
"""Azure, yellow, vermilion: apart in lightness and for every kind of colour vision (after Okabe
and Ito, 2008); drawn on the photo in grey, so that rust does not look like one of them."""

SIDE = 448
"""Longer side of a picture in pixels, unless told otherwise."""


@dataclass(frozen=True, eq=False)
class Difference:
    """A mask against the true one.

    Attributes
    ----------
    name : of the stage, see `rustseg_jax.teaching.mask.Truth`
    iou : intersection over union, in [0, 1]
    lost : IoU lost against the stage before, 1 before the first; below 0 it won some
    hit, missed, extra : (H, W) bool: corrosion that was found, that was not, and what is none
    """

    name: str
    iou: float
    lost: float
    hit: Mask = field(repr=False)
    missed: Mask = field(repr=False)
    extra: Mask = field(repr=False)


def difference_picture(photo: Picture, difference: Difference, *, side: int = SIDE) -> Picture:
    """Draw what was hit, missed and extra on the photo in grey, see `DIFFERENCE_COLOURS`.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    difference : of this photo
    side : longer side of the picture in pixels; the photo is not enlarged

    Returns
    -------
    (h, w, 3) uint8
    """
    shape = working_shape((photo.shape[0], photo.shape[1]), side)
    grey = np.asarray(Image.fromarray(resize(photo, shape)).convert("L").convert("RGB"))
    drawn = grey.copy()
    for name, colour in DIFFERENCE_COLOURS.items():
        mask = shrink_mask(getattr(difference, name), shape)
        drawn[mask] = (0.35 * grey[mask] + 0.65 * np.array(colour)).astype(np.uint8)
    return drawn


def enlarge(picture: Picture, side: int) -> Picture:
    """Enlarge by a whole number, without interpolation, to about `side` pixels; never shrink.

    Parameters
    ----------
    picture : (h, w, 3) uint8
    side : longer side to reach, not to pass, in pixels

    Returns
    -------
    (k h, k w, 3) uint8
    """
    times = max(1, side // max(picture.shape[:2]))
    return picture.repeat(times, axis=0).repeat(times, axis=1)
