"""Random fields for rendered scenes: smooth noise, cells, blurs and samplers.

Lengths are in units of the picture's short side, so the same seed gives the same scene at any size.
Fields are (H, W), float32 or finer. Random numbers come from NumPy's PCG64; no BLAS or FFT is
involved, so a seed gives the same picture on every machine up to the last bit of `exp`, `sin` and
`pow`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Canvas", "Field", "blur", "cells", "fbm", "mix", "sample", "smoothstep"]

Field: TypeAlias = NDArray[np.floating[Any]]

# Standard deviation of a bicubic B-spline through uniform [-1, 1] values:
# sqrt(1 / 3) times the mean sum of squared weights, 151 / 315 on each axis.
_SPLINE_STD = float(np.sqrt(1 / 3)) * 151 / 315


@dataclass(frozen=True)
class Canvas:
    """The pixel grid of one scene.

    Attributes
    ----------
    height, width : int
        Pixels.
    """

    height: int
    width: int

    @property
    def short(self) -> int:
        """Length of the short side in pixels: the unit of all lengths."""
        return min(self.height, self.width)

    @property
    def tall(self) -> float:
        """Height in units of the short side."""
        return self.height / self.short

    @property
    def wide(self) -> float:
        """Width in units of the short side."""
        return self.width / self.short

    @property
    def y(self) -> Field:
        """Vertical positions of the pixel centres, (H, 1), downwards."""
        return ((np.arange(self.height, dtype=np.float32) + 0.5) / self.short)[:, None]

    @property
    def x(self) -> Field:
        """Horizontal positions of the pixel centres, (1, W)."""
        return ((np.arange(self.width, dtype=np.float32) + 0.5) / self.short)[None, :]

    def window(self, y: float, x: float, reach: float) -> tuple[slice, slice]:
        """Rows and columns within `reach` of a point (in short sides), clipped to the grid."""
        top, bottom = np.clip([int((y + d) * self.short) for d in (-reach, reach)], 0, self.height)
        left, right = np.clip([int((x + d) * self.short) for d in (-reach, reach)], 0, self.width)
        return slice(int(top), int(bottom)), slice(int(left), int(right))

    def full(self, value: float = 0.0) -> Field:
        """A constant field."""
        return np.full((self.height, self.width), value, np.float32)


def smoothstep(low: float, high: float, values: Field) -> Field:
    """0 below `low`, 1 above `high`, a smooth cubic in between.

    Parameters
    ----------
    low, high : float
        Ends of the ramp; `low` > `high` gives the falling ramp.
    values : Field
        Any shape.

    Returns
    -------
    Field
        In [0, 1], the shape of `values`.
    """
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def mix(first: Field, second: Field, weight: Field | float) -> Field:
    """Blend: `first` where the weight is 0, `second` where it is 1; broadcasts.

    A weight with one axis fewer than the values gets a channel axis.
    """
    amount = np.asarray(weight, np.float32)
    if amount.ndim and amount.ndim == max(np.ndim(first), np.ndim(second)) - 1:
        amount = amount[..., None]
    return (first + (second - first) * amount).astype(np.float32)


def blur(field: Field, sigma: float) -> Field:
    """Near-Gaussian blur of the first two axes.

    Parameters
    ----------
    field : Field
        (H, W) or (H, W, C).
    sigma : float
        Pixels. From 4 on, three box blurs replace the Gaussian: their cost does not grow with
        sigma.
    """
    trailing = (0,) * (field.ndim - 2)
    if sigma < 4:
        sigmas = (sigma, sigma, *trailing)
        return np.asarray(ndimage.gaussian_filter(field, sigmas, mode="nearest", truncate=3))
    size = 2 * round((np.sqrt(4 * sigma * sigma + 1) - 1) / 2) + 1  # 3 boxes: 3 (n^2 - 1) / 12
    for _ in range(3):
        field = ndimage.uniform_filter(field, (size, size, *(1,) * len(trailing)), mode="nearest")
    return field


def sample(field: Field, y: Field, x: Field) -> Field:
    """Sample a field between its pixels.

    Parameters
    ----------
    field : Field
        (H, W) or (H, W, C).
    y, x : Field
        (h, w) positions in pixels of `field`; outside, the border value is used.

    Returns
    -------
    Field
        (h, w) or (h, w, C).
    """
    if field.ndim == 3:
        return np.stack([sample(field[..., c], y, x) for c in range(field.shape[2])], axis=-1)
    return np.asarray(ndimage.map_coordinates(field, [y, x], order=1, mode="nearest"))


def _spline(positions: Field, length: int) -> tuple[list[NDArray[np.intp]], list[Field]]:
    """Lattice indices and cubic B-spline weights of 1-D positions."""
    base = np.floor(positions)
    f = (positions - base).astype(np.float32)
    weights: list[Field] = [
        (1 - f) ** 3 / 6,
        (3 * f**3 - 6 * f**2 + 4) / 6,
        (-3 * f**3 + 3 * f**2 + 3 * f + 1) / 6,
        f**3 / 6,
    ]
    first = base.astype(np.intp)
    return [(first + k) % length for k in range(4)], weights


def _octave(canvas: Canvas, key: tuple[int, int], fy: float, fx: float) -> Field:
    """One octave of B-spline value noise with unit variance."""
    rng = np.random.Generator(np.random.PCG64(key))
    length = 64 if max(fy * canvas.tall, fx * canvas.wide) < 60 else 256
    lattice = rng.uniform(-1, 1, (length, length)).astype(np.float32)
    offset = rng.uniform(0, length, 2).astype(np.float32)
    rows, row_weights = _spline(canvas.y[:, 0] * np.float32(fy) + offset[0], length)
    columns, column_weights = _spline(canvas.x[0] * np.float32(fx) + offset[1], length)
    strips = sum(lattice[i] * w[:, None] for i, w in zip(rows, row_weights, strict=True))
    result = canvas.full()
    for j, w in zip(columns, column_weights, strict=True):
        result += np.asarray(strips)[:, j] * w
    return result / np.float32(_SPLINE_STD)


def fbm(
    canvas: Canvas,
    rng: np.random.Generator,
    frequency: float,
    *,
    octaves: int = 5,
    gain: float = 0.5,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Field:
    """Fractional Brownian motion: octaves of noise, each twice as fine.

    Parameters
    ----------
    canvas : Canvas
        The grid.
    rng : numpy.random.Generator
        One number is drawn from it, whatever the size of the canvas.
    frequency : float
        Cells of the first octave along the short side.
    octaves : int
        Number of octaves; those finer than two cells a pixel are left out.
    gain : float
        Amplitude of an octave relative to the previous one.
    stretch : tuple of float
        Factors on the frequency along y and x; (0.1, 1) gives vertical fibres.

    Returns
    -------
    Field
        (H, W), approximately normal with mean 0 and variance 1.
    """
    key = int(rng.integers(2**32))
    total = canvas.full()
    for octave in range(octaves):
        scale = frequency * 2.0**octave
        if scale * min(stretch) > 2 * canvas.short:
            break
        noise = _octave(canvas, (key, octave), scale * stretch[0], scale * stretch[1])
        total += noise * np.float32(gain**octave)
    return total / np.float32(np.sqrt(sum(gain ** (2 * o) for o in range(octaves))))


def cells(
    canvas: Canvas, rng: np.random.Generator, frequency: float
) -> tuple[Field, Field, NDArray[np.int64]]:
    """Cellular (Worley) noise.

    Parameters
    ----------
    canvas : Canvas
        The grid.
    rng : numpy.random.Generator
        One number is drawn from it.
    frequency : float
        Cells along the short side.

    Returns
    -------
    tuple
        Distance to the nearest point and to the second nearest, in cells, and a random number in
        0..65535 for the nearest point, all (H, W).
    """
    points = np.random.Generator(np.random.PCG64(int(rng.integers(2**32)))).random(
        (128, 128, 2), np.float32
    )
    y = np.broadcast_to(canvas.y * np.float32(frequency), (canvas.height, canvas.width))
    x = np.broadcast_to(canvas.x * np.float32(frequency), (canvas.height, canvas.width))
    iy, ix = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    first, second = canvas.full(9), canvas.full(9)
    owner = np.zeros(first.shape, np.int64)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            cy, cx = (iy + dy) % 128, (ix + dx) % 128
            point = points[cy, cx]
            squared = (iy + dy + point[..., 0] - y) ** 2 + (ix + dx + point[..., 1] - x) ** 2
            squared = squared.astype(np.float32)
            nearer = squared < first
            second = np.where(nearer, first, np.minimum(second, squared))
            first = np.where(nearer, squared, first)
            owner = np.where(nearer, (cy * 128 + cx) * 4, owner)
    return np.sqrt(first), np.sqrt(second), owner * 40503 % 65536
