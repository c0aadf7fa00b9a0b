"""Rendered scenes with exact rust masks."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from . import others, round, steel, walls
from .light import photograph
from .noise import Canvas, Field

__all__ = ["KINDS", "Scene", "render"]

_Painter = Callable[[Canvas, np.random.Generator, bool], tuple[Field, Field]]

_PAINTERS: dict[str, tuple[_Painter, bool]] = {
    "painted_steel": (steel.painted_steel, True),
    "plate": (steel.plate, True),
    "corrugated": (steel.corrugated, True),
    "rusted_sheet": (steel.rusted_sheet, True),
    "pipe": (round.pipe, True),
    "railing": (round.railing, True),
    "brick": (walls.brick, False),
    "timber": (walls.timber, False),
    "leaves": (others.leaves, False),
    "terracotta": (walls.terracotta, False),
    "red_paint": (others.red_paint, False),
    "graffiti": (others.graffiti, False),
    "clean_pipe": (round.pipe, False),
    "clean_railing": (round.railing, False),
    "clean_steel": (steel.painted_steel, False),
    "clean_plate": (steel.plate, False),
    "clean_corrugated": (steel.corrugated, False),
}

KINDS = MappingProxyType({kind: rusts for kind, (_, rusts) in _PAINTERS.items()})


@dataclass(frozen=True)
class Scene:
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    kind: str
    corroded: bool


def render(kind: str, seed: int, *, size: tuple[int, int] = (448, 448)) -> Scene:
    """Render."""
    if kind not in KINDS:
        raise ConfigError(f"kind is {kind!r}; allowed: {', '.join(KINDS)}")
    painter, rusts = _PAINTERS[kind]
    canvas = Canvas(*size)
    rng = np.random.Generator(np.random.PCG64((zlib.crc32(kind.encode()), seed)))
    lit, rust = painter(canvas, rng, rusts)
    return Scene(photograph(canvas, rng, lit), rust > 0.5, kind, rusts)
