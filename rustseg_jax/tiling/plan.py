"""Large photos in overlapping windows: which windows, what they cost, how their maps join.

Shrunk to the network's input, a photo of 3000 pixels loses rust of 30. Windows at native
scale keep it. Here is the geometry and the blending, nothing that runs the network; that
does `rustseg_jax.pipeline`.

Everything is counted in cells, the positions of the network's map: a window is `cells`
cells a side, and the fine map of the photo is the grid of cells that the windows share.
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

# Pixels of the photo to one of the CRF, a side. Finer masks were no better on photos and took
# several times as long: docs/decisions/0008.
CRF_SHRINKS = 4

Map = NDArray[np.float32]
Shape = tuple[int, int]
Box = tuple[slice, slice]


@dataclass(frozen=True)
class Plan:
    """The windows of one photo, and what they cost.

    Attributes
    ----------
    shape : (H, W) of the photo in pixels
    window : side of a window in pixels of the photo
    scale : how far the photo is shrunk before the windows are cut, so that there are not
        too many; 1 is native
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
        """How many."""
        return len(self.rows) * len(self.columns)

    @property
    def passes(self) -> int:
        """Pictures that go through the network: the windows, and the whole photo.

        A photo looked at whole is one, so this is also the network's work in its unit.
        """
        return self.windows + 1

    @property
    def grid(self) -> Shape:
        """(h, w) of the fine map in cells."""
        return self.rows[-1] + self.cells, self.columns[-1] + self.cells

    def boxes(self) -> Iterator[Box]:
        """Rows and columns of the photo that each window covers, in pixels, row by row.

        All are of one size: `window` a side, less where the photo is.
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
        """Say in a line what will be done and what it costs."""
        native = (
            "at native scale"
            if self.scale == 1
            else f"of the photo shrunk to {percent(self.scale, digits=0)}"
        )
        return (
            f"{self.windows} windows {native}: {self.passes} passes through the network "
            "instead of 1"
        )

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
    """The windows in which a photo was looked at, and what was said of it.

    Attributes
    ----------
    plan : the windows
    whole : calibrated P(corrosion) of the whole photo, shrunk to the network's input
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
    """Say how a photo of this size will be looked at, and at what cost; runs nothing.

    Parameters
    ----------
    shape : (H, W) of the photo in pixels
    config : when and how; the defaults when left out
    input_size : side in pixels of the network's input, `model.config.input_size`

    Returns
    -------
    `Plan`, or None where the photo is looked at whole: the mode says so, "auto" finds it
    small enough, or it fits into one window.

    Raises
    ------
    ConfigError
        A side is below 1, or the input size no multiple of 16.

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
        raise ConfigError(f"input_size is {input_size}; allowed are the multiples of {STRIDE}")
    small = config.mode == "auto" and max(shape) <= config.from_side
    if config.mode == "whole" or small or max(shape) <= config.window:
        return None
    cells = input_size // STRIDE
    window = _affordable(shape, config, cells)
    starts = [_starts(_grid(side, window, cells), cells, config.overlap) for side in shape]
    return Plan(shape, window, config.window / window, cells, starts[0], starts[1])


def _affordable(shape: Shape, config: TileConfig, cells: int) -> int:
    """Return the smallest side of a window, from the wanted one up, that is not too many."""
    low, high = config.window, max(shape)  # one window of the longer side covers all

    def count(window: int) -> int:
        return math.prod(
            len(_starts(_grid(side, window, cells), cells, config.overlap)) for side in shape
        )

    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) <= config.max_windows else (middle + 1, high)
    return low


def _grid(side: int, window: int, cells: int) -> int:
    """Return how many cells a side of the photo has; rounded up, so that windows reach its end."""
    return max(cells, math.ceil(side * cells / window))


def _starts(grid: int, cells: int, overlap: float) -> tuple[int, ...]:
    """Return the first cells of the windows: evenly spread, from border to border."""
    step = max(1, math.floor(cells * (1 - overlap)))
    steps = math.ceil((grid - cells) / step)
    return tuple(round(k * (grid - cells) / max(steps, 1)) for k in range(steps + 1))


def fade(cells: int) -> Map:
    """Weights across a window: 1 in its middle, nearly 0 at its borders (Hann's window).

    Near a window's border the convolutions see its padding instead of the photo: about
    four cells deep. There the neighbouring window knows better.

    Parameters
    ----------
    cells : positions along a window's side

    Returns
    -------
    (cells,) float32 above 0, up to 1
    """
    return (np.sin(np.pi * (np.arange(cells) + 0.5) / cells) ** 2).astype(np.float32)


def blend(maps: Map, plan: Plan) -> Map:
    """Join the maps of the windows to the fine map of the photo.

    Parameters
    ----------
    maps : (windows, cells, cells) float32, in the order of `Plan.boxes`, in one unit
    plan : of the photo

    Returns
    -------
    `plan.grid` float32: at each cell the mean of the windows that see it, weighted by
    `fade` in both directions; never below or above what they say

    Raises
    ------
    ConfigError
        The maps are not those of the plan.
    """
    wanted = (plan.windows, plan.cells, plan.cells)
    if maps.shape != wanted:
        raise ConfigError(f"maps has the shape {maps.shape}; the plan has {wanted}")
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
    """Shrink a fine map to a square one: each cell the mean of what it covers.

    Parameters
    ----------
    fine : (h, w) float32 in [0, 1]
    side : of the result

    Returns
    -------
    (side, side) float32 in [0, 1]
    """
    # The filter may leave the interval by its last bit.
    return np.clip(shrink_map(fine, (side, side)), 0, 1)


def crf_of(plan: Plan | None, crf: CRFParams, config: TileConfig) -> CRFParams:
    """Return the CRF for a photo: in a tiled one it reaches as far as in one window.

    Parameters
    ----------
    plan : of the photo; None leaves the parameters as they are
    crf : for a photo looked at whole
    config : says how large the CRF may be

    Returns
    -------
    `crf` at a quarter of the photo's size, never below its own working size nor above that
    of `config`. Its standard deviations are, in pixels of the photo, those of a photo that
    is one window.
    """
    if plan is None:
        return crf
    wanted = round(max(plan.shape) * plan.scale / CRF_SHRINKS)
    size = max(crf.working_size, min(config.working_size, wanted))
    reference = crf.reference_size * max(plan.shape) / plan.window
    return replace(crf, working_size=size, reference_size=round(reference))
