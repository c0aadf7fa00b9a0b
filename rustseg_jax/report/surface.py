"""The steel surface in a photo: its outline, its pixels, and the rust on it.

Grades refer to the rusted share of a steel surface. A photo also shows other things, so a person
marks the surface as a box or a polygon. Its corners are shares of the photo's width and height in
[0, 1], from the left and from the top, so that they are valid for every size of the photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rustseg_jax.correct.polygon import fill
from rustseg_jax.errors import ConfigError
from rustseg_jax.report.grading import Grading, grade, rusted_share
from rustseg_jax.uncertainty.interval import carry_interval

__all__ = ["Part", "Surface", "measure_part", "surface_overlay"]

MOST_CORNERS = 64  # nobody draws more by hand, and the address stays short
_UNITS = 10_000
"""Corners are written in units of 1/10000: less than a pixel of an 8000-pixel photo."""

_DIM = 0.4  # remaining contrast outside the surface
_GREY = 128
_LINE_SHARE = 1 / 400  # width of the line over the longer side
_LIGHT, _DARK = (255, 255, 255), (20, 30, 40)
_STRIP_PIXELS = 1 << 20  # processed at a time

Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Surface:
    """A polygon on a photo.

    Attributes
    ----------
    corners : (x, y) of each, shares of width and height in [0, 1]; 3 to 64, in order. If the
        outline crosses itself, the even-odd rule applies
    """

    corners: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        corners = tuple((float(x), float(y)) for x, y in self.corners)
        if not 3 <= len(corners) <= MOST_CORNERS:
            raise ConfigError(
                f"corners has {len(corners)} entries; it must have 3 to {MOST_CORNERS}"
            )
        for corner in corners:
            if not all(0 <= share <= 1 for share in corner):
                raise ConfigError(
                    f"corner {corner} is outside the photo; both values must be between 0 and 1"
                )
        object.__setattr__(self, "corners", corners)

    @classmethod
    def box(cls, left: float, top: float, right: float, bottom: float) -> Surface:
        """Return the rectangle between two opposite corners, shares in [0, 1]."""
        return cls(((left, top), (right, top), (right, bottom), (left, bottom)))

    @classmethod
    def parse(cls, text: str) -> Surface:
        """Read a surface from the text that `text` returns.

        Raises
        ------
        ConfigError
            The text is not valid.
        """
        words = text.split(".")
        plain = all(word.isascii() and word.isdecimal() for word in words)
        fits = len(words) % 2 == 0 and 4 <= len(words) <= 2 * MOST_CORNERS
        if not plain or not fits or max(map(len, words)) > 5:
            raise ConfigError(
                f"surface is {text[:60]!r}; it must be the corners of a box (4 numbers) or of a "
                f"polygon (6 to {2 * MOST_CORNERS}), from 0 to {_UNITS}, separated by full stops"
            )
        numbers = [int(word) / _UNITS for word in words]
        if len(numbers) == 4:
            return cls.box(numbers[0], numbers[1], numbers[2], numbers[3])
        return cls(tuple(zip(numbers[::2], numbers[1::2], strict=True)))

    def text(self) -> str:
        """Return the corners as short text for an address: "1000.2000.9000.8000" is a box."""
        corners = self.corners
        if len(corners) == 4 and Surface.box(*corners[0], *corners[2]).corners == corners:
            corners = (corners[0], corners[2])
        return ".".join(str(round(share * _UNITS)) for corner in corners for share in corner)

    def mask(self, shape: tuple[int, int]) -> Mask:
        """Return the mask of the pixels whose centres are inside.

        Parameters
        ----------
        shape : (H, W) in pixels

        Returns
        -------
        (H, W) bool

        Raises
        ------
        ConfigError
            There are none: the surface is smaller than a pixel, or a line.
        """
        height, width = shape
        inside = fill([self.corners], shape, scale=(width, height))
        if not inside.any():
            raise ConfigError("surface covers no pixel; mark the part of the photo that is steel")
        return inside


@dataclass(frozen=True)
class Part:
    """The result on the marked part of a photo.

    Attributes
    ----------
    surface : the marked part
    share : share of the photo that it covers, above 0 up to 1
    area : rusted share of the marked part, in [0, 1]
    interval : lower and upper bound of the true share, or None if the uncertainty was not measured.
        Transferred from the whole photo (`rustseg_jax.uncertainty.interval.carry_interval`); it is
        not calibrated, as no photos with a marked part were available
    grading : grades of the area
    """

    surface: Surface
    share: float
    area: float
    interval: tuple[float, float] | None
    grading: Grading

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "corners": [list(corner) for corner in self.surface.corners],
            "share": self.share,
            "area": self.area,
            "interval": None if self.interval is None else list(self.interval),
            "grades": {
                "iso_4628_3": asdict(self.grading.iso),
                "astm_d610": asdict(self.grading.astm),
            },
        }


def measure_part(mask: Mask, surface: Surface, *, interval: Sequence[float] | None = None) -> Part:
    """Measure the rusted share of the marked surface, and grade it.

    Parameters
    ----------
    mask : (H, W) bool, rust in the whole photo
    surface : the part that is steel
    interval : lower and upper bound of the rusted share of the whole photo, if known

    Returns
    -------
    `Part`

    Raises
    ------
    ConfigError
        The surface covers no pixel.
    """
    inside = surface.mask((mask.shape[0], mask.shape[1]))
    share, area = float(inside.mean()), rusted_share(mask, inside)
    carried = None
    if interval is not None:
        low, high = interval
        carried = carry_interval((low, high), float(mask.mean()), area, part=share)
    return Part(surface, share, area, carried, grade(area, carried))


def surface_overlay(image: Pixels, surface: Surface) -> Pixels:
    """Draw the outline of a surface and dim everything outside it.

    Parameters
    ----------
    image : (H, W, 3) uint8, the photo or an overlay
    surface : the marked part

    Returns
    -------
    (H, W, 3) uint8, a new array; unchanged inside the outline

    Raises
    ------
    ConfigError
        The surface covers no pixel.
    """
    height, width = image.shape[:2]
    outside = ~surface.mask((height, width))
    drawn = image.copy()
    step = max(1, _STRIP_PIXELS // width)
    dimmed = np.rint(_GREY + _DIM * (np.arange(256) - _GREY)).astype(np.uint8)
    for top in range(0, height, step):
        strip, where = drawn[top : top + step], outside[top : top + step]
        np.copyto(strip, dimmed[strip], where=where[..., None])
    picture = Image.fromarray(drawn)
    line = [(x * width, y * height) for x, y in (*surface.corners, surface.corners[0])]
    thick = max(1, round(max(height, width) * _LINE_SHARE))
    draw = ImageDraw.Draw(picture)
    for colour, extent in ((_DARK, 3 * thick), (_LIGHT, thick)):  # visible on every photo
        draw.line(line, fill=colour, width=extent, joint="curve")
    return np.asarray(picture)
