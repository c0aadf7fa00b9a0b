"""Draw the difference between a mask and the true one: hit, missed and extra pixels.

Images are (h, w, 3) uint8; masks (H, W) bool.
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
"""Azure, yellow and vermilion differ in lightness and for all types of colour vision (after Okabe
and Ito, 2008). They are drawn on the photo in grey, so that rust is not confused with them."""

SIDE = 448
"""Default longer side of an image in pixels."""


@dataclass(frozen=True, eq=False)
class Difference:
    """Difference between a mask and the true one.

    Attributes
    ----------
    name : name of the stage, see `rustseg_jax.teaching.mask.Truth`
    iou : intersection over union, in [0, 1]
    lost : IoU lost relative to the previous stage (1 before the first); negative if it increased
    hit, missed, extra : (H, W) bool: true positives, false negatives and false positives
    """

    name: str
    iou: float
    lost: float
    hit: Mask = field(repr=False)
    missed: Mask = field(repr=False)
    extra: Mask = field(repr=False)


def difference_picture(photo: Picture, difference: Difference, *, side: int = SIDE) -> Picture:
    """Draw hit, missed and extra pixels on the photo in grey, see `DIFFERENCE_COLOURS`.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    difference : difference for this photo
    side : longer side of the image in pixels; the photo is not enlarged

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
    """Enlarge by a whole factor, without interpolation, to at most `side` pixels; never shrink.

    Parameters
    ----------
    picture : (h, w, 3) uint8
    side : maximum longer side in pixels

    Returns
    -------
    (k h, k w, 3) uint8
    """
    times = max(1, side // max(picture.shape[:2]))
    return picture.repeat(times, axis=0).repeat(times, axis=1)
