"""From polygons to pixels, by a stated rule.

A pixel belongs to a polygon when its **centre** lies inside, where inside is even-odd: so a
pixel in row r and column c is asked for (c + 0.5, r + 0.5), x to the right, y down, the photo's
corner being (0, 0). A centre exactly on a left or upper edge is inside, on a right or lower
one outside, so polygons that share an edge share no pixel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["fill"]

Mask = NDArray[np.bool_]


def fill(polygons: Iterable[Sequence[Sequence[float]]], shape: tuple[int, int]) -> Mask:
    """Fill polygons; where several overlap, the pixel is marked all the same.

    Parameters
    ----------
    polygons : each (N, 2), its corners (x, y)
    shape : (H, W)

    Returns
    -------
    (H, W) bool
    """
    mask = np.zeros(shape, np.bool_)
    for polygon in polygons:
        mask |= _inside(np.asarray(polygon, np.float64), shape)
    return mask


def _inside(corners: NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """Where a ray to the left crosses an odd number of edges."""
    height, width = shape
    crossed = np.zeros((height, width + 1), np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        low, high = min(y0, y1), max(y0, y1)
        first, last = max(0, int(np.ceil(low - 0.5))), min(height, int(np.ceil(high - 0.5)))
        if first >= last:
            continue
        rows = np.arange(first, last)
        x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        columns = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
        crossed[rows, columns] ^= True  # each row once for an edge
    odd = np.logical_xor.accumulate(crossed, axis=1)
    return np.ascontiguousarray(odd[:, :width])
