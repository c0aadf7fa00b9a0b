"""Polygon rasterisation with a defined rule.

A pixel belongs to a polygon if its **centre** is inside by the even-odd rule. The centre of the
pixel in row r and column c is (c + 0.5, r + 0.5), with x to the right, y down, and (0, 0) at the
photo's corner. A centre exactly on a left or upper edge is inside, one on a right or lower
edge is outside, so polygons that share an edge share no pixel.

This is for polygons with real-valued corners: marked surfaces and exports of other tools. The
outlines drawn by experts (`rustseg_jax.correct.strokes`) follow another rule: areas enclosed twice
are inside too, and corners are whole numbers, so that the canvas in the browser finds the same
pixels with integer arithmetic. Labelme's shapes are drawn as in labelme.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["fill"]

Mask = NDArray[np.bool_]


def fill(
    polygons: Iterable[Sequence[Sequence[float]]],
    shape: tuple[int, int],
    *,
    scale: tuple[float, float] = (1, 1),
) -> Mask:
    """Fill polygons and return their union.

    Parameters
    ----------
    polygons : each (N, 2), its corners (x, y)
    shape : (H, W)
    scale : pixels per unit of x and of y: (1, 1) if corners are given in pixels, (W, H)
        if they are given as shares of the photo

    Returns
    -------
    (H, W) bool
    """
    mask = np.zeros(shape, np.bool_)
    for polygon in polygons:
        mask |= _inside(np.asarray(polygon, np.float64), shape, scale)
    return mask


def _inside(
    corners: NDArray[np.float64], shape: tuple[int, int], scale: tuple[float, float]
) -> Mask:
    """Return where a ray to the left crosses an odd number of edges."""
    height, width = shape
    # Rows are compared in the unit of the corners: 0.035 of 100 rows is the middle of row 3, but
    # 0.035 * 100 in floating point is more than 3.5.
    centres = (np.arange(height) + 0.5) / scale[1]
    crossed = np.zeros((height, width + 1), np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        first, last = np.searchsorted(centres, (min(y0, y1), max(y0, y1)))
        if first == last:
            continue
        x = x0 + (centres[first:last] - y0) * (x1 - x0) / (y1 - y0)
        columns = np.clip(np.ceil(x * scale[0] - 0.5), 0, width).astype(np.int64)
        crossed[np.arange(first, last), columns] ^= True  # each row once per edge
    odd = np.logical_xor.accumulate(crossed, axis=1)
    return np.ascontiguousarray(odd[:, :width])
