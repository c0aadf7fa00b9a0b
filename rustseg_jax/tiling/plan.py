"""Layout, cost and blending of the overlapping tiles (windows) of a large photo.

Resized to the network's input, a photo of 3000 pixels loses rust patches of 30 pixels. Tiles at
full resolution keep them. This module holds the geometry and the blending only; `windows` runs
the network.

The unit is the cell, a position of the network's map: a window is `cells` cells a side, and the
fine map of the photo is the grid of cells that the windows share.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.config import STRIDE, CRFParams, NetworkConfig, TileConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.images.resample import shrink_map
from rustseg_jax.wording import percent

__all__ = [
    "Plan",
    "Tiling",
    "blend",
    "crf_of",
    "fade",
    "plan_tiles",
    "reduce",
]

# Photo pixels per CRF pixel, along one side. Finer masks were no better on photos and took several
# times as long: docs/decisions/0008.
CRF_SHRINKS = 4

SECONDS_A_PASS = 0.11
"""Estimated seconds per forward pass, threshold and CRF included: the largest photo takes 13.6 s
for 127 passes on two cores (docs/performance.md, `python -m benchmarks.tiles --largest`)."""

Map = NDArray[np.float32]
Shape = tuple[int, int]
Box = tuple[slice, slice]


@dataclass(frozen=True)
class Plan:
    """The layout of the windows of one photo, and their cost.

    Attributes
    ----------
    shape : (H, W) of the photo in pixels
    window : side of a window in pixels of the photo
    scale : factor by which the photo is reduced before it is cut into windows, to limit their
        number; 1 is full resolution
    cells : positions along a window's side in the network's map
    rows, columns : first cell of each row and column of windows, from 0
    """

    shape: Shape
    window: int
    scale: float
    cells: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @property
    def windows(self) -> int:
        """Number of windows."""
        return len(self.rows) * len(self.columns)

    @property
    def passes(self) -> int:
        """Forward passes of the network: one per window, and one for the whole photo."""
        return self.windows + 1

    @property
    def grid(self) -> Shape:
        """(h, w) of the fine map in cells."""
        return self.rows[-1] + self.cells, self.columns[-1] + self.cells

    def boxes(self) -> Iterator[Box]:
        """Yield the rows and columns of the photo that each window covers, in pixels, row by row.

        All have the same size: `window` a side, or the side of the photo where that is smaller.
        """
        for i in self.rows:
            for j in self.columns:
                yield self._span(i, 0), self._span(j, 1)

    def _span(self, cell: int, axis: int) -> slice:
        side = self.shape[axis]
        size = min(self.window, side)
        start = min(round(cell * side / self.grid[axis]), side - size)
        return slice(start, start + size)

    def describe(self) -> str:
        """Describe the tiles and their cost: "72 tiles at full resolution (about 8 s)"."""
        scale = (
            "at full resolution"
            if self.scale == 1
            else f"of the photo reduced to {percent(self.scale, digits=0)}"
        )
        return f"{self.windows} tiles {scale} ({self.duration()})"

    def duration(self, times: int = 1) -> str:
        """Estimate how long the analysis takes, repeated `times` times: "about 8 s"."""
        seconds = SECONDS_A_PASS * self.passes * times
        return f"about {max(1, round(seconds))} s"

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "windows": self.windows,
            "rows": len(self.rows),
            "columns": len(self.columns),
            "window": self.window,
            "scale": self.scale,
            "passes": self.passes,
        }


@dataclass(frozen=True)
class Tiling:
    """The windows in which a photo was analysed, and the probabilities they gave.

    Attributes
    ----------
    plan : the windows
    whole : calibrated P(corrosion) of the whole photo, resized to the network's input
    windows : calibrated P(corrosion) of the photo from its windows, see `windows.pool`
    """

    plan: Plan
    whole: float
    windows: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **self.plan.to_json(),
            "whole_probability": self.whole,
            "windows_probability": self.windows,
        }


def plan_tiles(
    shape: Shape, config: TileConfig | None = None, *, input_size: int = NetworkConfig.input_size
) -> Plan | None:
    """Plan how to analyse a photo of this size; runs nothing.

    Parameters
    ----------
    shape : (H, W) of the photo in pixels
    config : when and how to use windows; the defaults when left out
    input_size : side in pixels of the network's input, `model.config.input_size`

    Returns
    -------
    `Plan`, or None if the photo is analysed as a whole: because of the mode, because it is small
    enough for "auto", or because it fits into one window.

    Raises
    ------
    ConfigError
        A side is below 1, or the input size is not a multiple of 16.

    Examples
    --------
    >>> found = plan_tiles((3000, 4000))
    >>> found.windows, found.passes
    (108, 109)
    >>> plan_tiles((1000, 1500)) is None
    True
    """
    config = config or TileConfig()
    if min(shape) < 1:
        raise ConfigError(f"shape is {shape}; both sides must be at least 1")
    if input_size < STRIDE or input_size % STRIDE:
        raise ConfigError(f"input_size is {input_size}; it must be a multiple of {STRIDE}")
    small = config.mode == "auto" and max(shape) <= config.from_side
    if config.mode == "whole" or small or max(shape) <= config.window:
        return None
    cells = input_size // STRIDE
    window = _affordable(shape, config, cells)
    starts = [_starts(_grid(side, window, cells), cells, config.overlap) for side in shape]
    return Plan(shape, window, config.window / window, cells, starts[0], starts[1])


def _affordable(shape: Shape, config: TileConfig, cells: int) -> int:
    """Return the smallest window side, from the configured one up, that stays within the limit."""
    low, high = config.window, max(shape)  # one window as long as the longer side covers all

    def count(window: int) -> int:
        return math.prod(
            len(_starts(_grid(side, window, cells), cells, config.overlap)) for side in shape
        )

    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) <= config.max_windows else (middle + 1, high)
    return low


def _grid(side: int, window: int, cells: int) -> int:
    """Return the number of cells along a side, rounded up so that windows reach its end."""
    return max(cells, math.ceil(side * cells / window))


def _starts(grid: int, cells: int, overlap: float) -> tuple[int, ...]:
    """Return the first cell of each window: evenly spaced, from border to border."""
    step = max(1, math.floor(cells * (1 - overlap)))
    steps = math.ceil((grid - cells) / step)
    return tuple(round(k * (grid - cells) / max(steps, 1)) for k in range(steps + 1))


def fade(cells: int) -> Map:
    """Return the weights across a window: 1 in the middle, nearly 0 at the borders (Hann window).

    About four cells deep at a window's border, the convolutions see padding instead of the photo;
    there the neighbouring window is more reliable.

    Parameters
    ----------
    cells : positions along a window's side

    Returns
    -------
    (cells,) float32 above 0, up to 1
    """
    return (np.sin(np.pi * (np.arange(cells) + 0.5) / cells) ** 2).astype(np.float32)


def blend(maps: Map, plan: Plan) -> Map:
    """Blend the maps of the windows into the fine map of the photo.

    Parameters
    ----------
    maps : (windows, cells, cells) float32, in the order of `Plan.boxes`, all on the same scale
    plan : of the photo

    Returns
    -------
    `plan.grid` float32: for each cell the mean of the windows that cover it, weighted by `fade` in
    both directions; never below their minimum or above their maximum

    Raises
    ------
    ConfigError
        The shape of the maps does not match the plan.
    """
    wanted = (plan.windows, plan.cells, plan.cells)
    if maps.shape != wanted:
        raise ConfigError(f"maps has the shape {maps.shape}; the plan needs {wanted}")
    edge = fade(plan.cells).astype(np.float64)
    weight = np.outer(edge, edge)
    total, weights = np.zeros(plan.grid), np.zeros(plan.grid)
    places = ((i, j) for i in plan.rows for j in plan.columns)
    for values, (i, j) in zip(maps, places, strict=True):
        here = slice(i, i + plan.cells), slice(j, j + plan.cells)
        total[here] += weight * values
        weights[here] += weight
    return (total / weights).astype(np.float32)


def reduce(fine: Map, side: int) -> Map:
    """Reduce a fine map to a square one: each cell is the mean of the area it covers.

    Parameters
    ----------
    fine : (h, w) float32 in [0, 1]
    side : side of the result

    Returns
    -------
    (side, side) float32 in [0, 1]
    """
    # Rounding in the filter may leave the interval by the last bit.
    return np.clip(shrink_map(fine, (side, side)), 0, 1)


def crf_of(plan: Plan | None, crf: CRFParams, config: TileConfig) -> CRFParams:
    """Return the CRF parameters for a photo; in a tiled one the CRF reaches as far as in a window.

    Parameters
    ----------
    plan : of the photo; None leaves the parameters as they are
    crf : parameters for a photo analysed as a whole
    config : gives the largest working size of the CRF

    Returns
    -------
    `crf` at a quarter of the photo's size, but not below its own working size or above that of
    `config`. In photo pixels, its standard deviations equal those for a photo of one window.
    """
    if plan is None:
        return crf
    wanted = round(max(plan.shape) * plan.scale / CRF_SHRINKS)
    size = max(crf.working_size, min(config.working_size, wanted))
    reference = crf.reference_size * max(plan.shape) / plan.window
    return replace(crf, working_size=size, reference_size=round(reference))
