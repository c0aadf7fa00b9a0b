"""Rendered scenes with exact rust masks: samples, test fixtures, teaching pictures.

The rust is drawn, so its mask is exact: pixels with an opacity of the rust layer over 0.5, after
occlusion and the camera's view. Definition of rust:

- Corroded metal is rust, including pinholes in the paint.
- Run-off stain and the faint halo around a patch are not, as in the experts' polygons of the
  evaluation sets, which mark spots and mostly leave stain out.

The same kind and seed give the same scene at any size of the same aspect ratio, and the same pixels
on every machine, up to the last bit of the C library's `exp` and `sin`.

`python -m rustseg_jax.scenes --out data/samples` writes the shipped samples.
"""

from __future__ import annotations

import operator
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from . import others, round, steel, walls
from .light import photograph
from .noise import Canvas, Field

__all__ = ["KINDS", "MAX_SIDE", "MIN_SIDE", "Scene", "render"]

# Below 64 a bolt is one pixel; 2048 takes about twenty seconds and 1.1 GB.
MIN_SIDE, MAX_SIDE = 64, 2048

_Painter = Callable[[Canvas, np.random.Generator, bool], tuple[Field, Field]]

_PAINTERS: dict[str, tuple[_Painter, bool]] = {
    "painted_steel": (steel.painted_steel, True),
    "plate": (steel.plate, True),
    "pipe": (round.pipe, True),
    "corrugated": (steel.corrugated, True),
    "railing": (round.railing, True),
    "rusted_sheet": (steel.rusted_sheet, True),
    "brick": (walls.brick, False),
    "timber": (walls.timber, False),
    "leaves": (others.leaves, False),
    "terracotta": (walls.terracotta, False),
    "red_paint": (others.red_paint, False),
    "graffiti": (others.graffiti, False),
    "clean_steel": (steel.painted_steel, False),
    "clean_plate": (steel.plate, False),
    "clean_pipe": (round.pipe, False),
    "clean_corrugated": (steel.corrugated, False),
    "clean_railing": (round.railing, False),
}

KINDS: Mapping[str, bool] = MappingProxyType({k: rusts for k, (_, rusts) in _PAINTERS.items()})
"""Name of each kind of scene -> whether it is corroded."""


@dataclass(frozen=True)
class Scene:
    """A rendered picture with its ground truth.

    Attributes
    ----------
    image : NDArray[np.uint8]
        (H, W, 3), sRGB.
    mask : NDArray[np.bool_]
        (H, W), True for rust; run-off stain is not rust.
    kind : str
        One of `KINDS`.
    corroded : bool
        Whether the scene has rust.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    kind: str
    corroded: bool


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size as two ints in range; ConfigError otherwise."""
    try:
        height, width = (operator.index(side) for side in size)
    except (TypeError, ValueError):
        raise ConfigError(
            f"size is {size!r}; it must be two whole numbers, height and width in pixels"
        ) from None
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (height, width)):
        raise ConfigError(f"size is {size!r}; each side must be {MIN_SIDE} to {MAX_SIDE} pixels")
    return height, width


def render(kind: str, seed: int, *, size: tuple[int, int] = (448, 448)) -> Scene:
    """Render a scene.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    seed : int
        0 or more. The seed varies positions, paint, weather and rust.
    size : tuple of int
        Height and width in pixels, each in 64..2048.

    Returns
    -------
    Scene
        Picture and mask.

    Raises
    ------
    ConfigError
        If the kind is unknown, the seed negative, or the size out of range.

    Examples
    --------
    >>> scene = render("plate", 3, size=(64, 96))
    >>> scene.image.shape, scene.corroded
    ((64, 96, 3), True)
    """
    if kind not in KINDS:
        raise ConfigError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ConfigError(f"seed is {seed!r}; it must be a whole number, 0 or more")
    canvas = Canvas(*_checked_size(size))
    painter, rusts = _PAINTERS[kind]
    # The kind is part of the seed: otherwise seed 3 would give every kind the same layout.
    rng = np.random.Generator(np.random.PCG64((zlib.crc32(kind.encode()), int(seed))))
    lit, rust = painter(canvas, rng, rusts)
    return Scene(photograph(canvas, rng, lit), rust > 0.5, kind, rusts)
