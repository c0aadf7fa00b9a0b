"""Resize maps and masks: upsampling, bilinear or guided by the photo's edges, and downscaling.

Maps are (h, w) float32; photos (H, W, 3) uint8 sRGB. Arrays of the photo's size
are computed in row strips, so that a 50-megapixel photo needs little memory beyond the result.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter

from rustseg_jax.errors import ConfigError

__all__ = ["bilinear", "bilinear_strips", "guided_upsample"]

STRIP_PIXELS = 1 << 20
"""Pixels processed at a time: about 25 MB of temporaries, whatever the size of the photo."""

WORKERS = min(4, os.cpu_count() or 1)
"""Strips computed in parallel, each with its own temporaries."""

Map = NDArray[np.floating]
Shape = tuple[int, int]


def bilinear(values: Map, shape: Shape) -> Map:
    """Resize a map bilinearly with half-pixel centres, with antialiasing where it shrinks.

    Parameters
    ----------
    values
        (h, w) floating point, any range.
    shape
        (H, W) of the result, in pixels.

    Returns
    -------
    (H, W) float32; a copy of `values` if the shapes are equal.
    """
    values = _checked_map(values)
    if values.shape == tuple(shape):
        return values.copy()
    height, width = shape
    return np.array(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))


def bilinear_strips(values: Map, shape: Shape) -> Iterator[tuple[slice, Map]]:
    """Yield `bilinear(values, shape)` in row strips, from the top.

    Parameters
    ----------
    values
        (h, w) floating point, any range.
    shape
        (H, W) of the whole result, in pixels.

    Yields
    ------
    The rows as a slice, and their values as (rows, W) float32. The strips join
    seamlessly, because each uses the adjacent rows of `values`.
    """
    picture = Image.fromarray(_checked_map(values))
    for rows in _strip_slices(shape):
        yield rows, _strip(picture, rows, shape)


def _strip(picture: Image.Image, rows: slice, shape: Shape) -> Map:
    """Return these rows of the image enlarged to `shape`."""
    step = picture.height / shape[0]
    box = (0, rows.start * step, picture.width, min(rows.stop * step, picture.height))
    size = (shape[1], rows.stop - rows.start)
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=box))


def guided_upsample(
    values: Map,
    small: NDArray[np.uint8],
    photo: NDArray[np.uint8],
    *,
    radius: int = 1,
    epsilon: float = 1e-3,
) -> Map:
    """Enlarge a map so that its borders follow the colour edges of the photo.

    Around each position the map is fitted as a linear function of the colour,
    ``values = a . colour + b``, on the small photo; ``a`` and ``b`` are enlarged
    bilinearly and applied to the colours of the large one: the fast guided filter
    [1]_ with a colour guide [2]_. The residual of the fit is enlarged
    bilinearly and added, so that no detail of `values` is lost.

    Parameters
    ----------
    values
        (h, w) floating point in [0, 1], at the small photo's size.
    small
        (h, w, 3) uint8, the photo downscaled to the map's size.
    photo
        (H, W, 3) uint8, the photo, at least as large.
    radius
        Half width of the fit's square window, in pixels of the map, at least 1.
    epsilon
        Ridge regularisation of the fit, a variance of colours in [0, 1], above 0: colour
        differences much below its square root do not affect the border.

    Returns
    -------
    (H, W) float32 in [0, 1]; a copy of `values` if the sizes are equal.

    Raises
    ------
    ConfigError
        A shape, a dtype or an option is invalid, or `values` has a NaN.

    Notes
    -----
    The defaults were measured: masks at 448 pixels (drawn by hand, and from the dense
    CRF, on 12 photos) were downscaled by 2, 4 and 8 and enlarged again. Mean IoU
    with the original over all cases: this function 0.916; bilinear 0.900; without the
    residual 0.903; radius 2 0.913; grey guide without the residual,
    lower still; joint bilateral upsampling 0.903 at best. An epsilon of 1e-4 gained
    another 0.001, but left specks that follow JPEG noise.

    References
    ----------
    .. [1] He and Sun, "Fast Guided Filter", arXiv:1505.00996, 2015.
    .. [2] He, Sun and Tang, "Guided Image Filtering", TPAMI 35(6), 2013.
    """
    values = _checked_map(values)
    _check_guides(values, small, photo)
    if radius < 1 or not epsilon > 0:
        raise ConfigError(
            f"radius is {radius} and epsilon is {epsilon}; radius must be at least 1 "
            "and epsilon above 0"
        )
    if values.shape == photo.shape[:2]:
        return values.copy()
    slopes, offset = _linear_fit(values, small.astype(np.float32) / 255, radius, epsilon)
    return _apply(slopes, offset, photo)


def _linear_fit(values: Map, guide: Map, radius: int, epsilon: float) -> tuple[list[Map], Map]:
    """Return the slope for each colour, and the offset including the residual of the fit."""

    def mean(x: Map) -> Map:
        return uniform_filter(x, 2 * radius + 1, mode="nearest")

    colours = [np.ascontiguousarray(guide[..., c]) for c in range(3)]
    means = [mean(colour) for colour in colours]
    average = mean(values)
    with_values = [
        mean(colour * values) - m * average for colour, m in zip(colours, means, strict=True)
    ]
    covariance = {
        (i, j): mean(colours[i] * colours[j]) - means[i] * means[j]
        for i in range(3)
        for j in range(i, 3)
    }
    for i in range(3):
        covariance[i, i] += np.float32(epsilon)
    slopes = [mean(slope) for slope in _solve_symmetric(covariance, with_values)]
    offset = values.copy()
    for slope, colour in zip(slopes, colours, strict=True):
        offset -= slope * colour
    return slopes, offset


def _solve_symmetric(s: Mapping[tuple[int, int], Map], v: Sequence[Map]) -> list[Map]:
    """Solve S a = v for symmetric positive 3x3 matrices, one per pixel, with cofactors.

    In float64: the determinant of nearly flat colours is about epsilon cubed, 1e-12.
    """
    wide = {key: value.astype(np.float64) for key, value in s.items()}
    a, b, c = wide[0, 0], wide[0, 1], wide[0, 2]
    d, e, f = wide[1, 1], wide[1, 2], wide[2, 2]
    cofactors = (
        (d * f - e * e, c * e - b * f, b * e - c * d),
        (c * e - b * f, a * f - c * c, b * c - a * e),
        (b * e - c * d, b * c - a * e, a * d - b * b),
    )
    determinant = a * cofactors[0][0] + b * cofactors[0][1] + c * cofactors[0][2]
    return [
        ((row[0] * v[0] + row[1] * v[1] + row[2] * v[2]) / determinant).astype(np.float32)
        for row in cofactors
    ]


def _apply(slopes: list[Map], offset: Map, photo: NDArray[np.uint8]) -> Map:
    """Evaluate the enlarged linear functions on the photo's colours, in strips."""
    shape = (photo.shape[0], photo.shape[1])
    result = np.empty(shape, np.float32)
    fields = [Image.fromarray(field) for field in (*(slope / 255 for slope in slopes), offset)]

    def fill(rows: slice) -> None:
        red, green, blue, rest = (_strip(field, rows, shape) for field in fields)
        out = result[rows]
        np.multiply(red, photo[rows, :, 0], out=out)
        out += green * photo[rows, :, 1]
        out += blue * photo[rows, :, 2]
        out += rest
        np.clip(out, 0, 1, out=out)

    # Pillow and NumPy release the GIL here, so that strips run in parallel.
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(fill, _strip_slices(shape)):
            pass
    return result


def _strip_slices(shape: Shape) -> Iterator[slice]:
    """Yield slices of rows that hold about STRIP_PIXELS pixels each."""
    height, width = shape
    rows = max(1, STRIP_PIXELS // width)
    for start in range(0, height, rows):
        yield slice(start, min(start + rows, height))


def _checked_map(values: Map) -> Map:
    """Return the map as contiguous float32, or raise a ConfigError."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    if values.ndim != 2 or values.size == 0:
        raise ConfigError(f"the map has the shape {values.shape}; must be (h, w) and not empty")
    if not np.isfinite(values).all():
        raise ConfigError("the map contains NaN or infinity; all values must be finite")
    return values


def _check_guides(values: Map, small: NDArray[np.uint8], photo: NDArray[np.uint8]) -> None:
    for name, guide in (("small", small), ("photo", photo)):
        if guide.dtype != np.uint8 or guide.ndim != 3 or guide.shape[2] != 3:
            raise ConfigError(
                f"{name} is {guide.dtype} with the shape {guide.shape}; must be (H, W, 3) uint8"
            )
    if small.shape[:2] != values.shape:
        raise ConfigError(
            f"small has the shape {small.shape[:2]}; must have that of the map, {values.shape}"
        )
    if photo.shape[0] < small.shape[0] or photo.shape[1] < small.shape[1]:
        raise ConfigError(
            f"photo has the shape {photo.shape[:2]}; must be at least as large as the map, "
            f"{values.shape}"
        )


def shrink_mask(mask: NDArray[np.bool_], shape: Shape) -> NDArray[np.bool_]:
    """Downscale a mask: True where at least half of the new pixel's area was True.

    Used for pages, reports and files alike.

    Parameters
    ----------
    mask
        (H, W) bool.
    shape
        (h, w) in pixels; a mask of this shape is returned unchanged.

    Returns
    -------
    (h, w) bool.
    """
    if mask.shape == shape:
        return mask
    grey = Image.fromarray(np.ascontiguousarray(mask).view(np.uint8) * np.uint8(255))
    return np.asarray(grey.resize(shape[::-1], Image.Resampling.BOX)) >= 128


def shrink_map(values: Map, shape: Shape) -> Map:
    """Downscale a float32 map by area averaging.

    Parameters
    ----------
    values
        (H, W) float32.
    shape
        (h, w) in pixels.

    Returns
    -------
    (h, w) float32.
    """
    picture = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(picture.resize(shape[::-1], Image.Resampling.BOX))
