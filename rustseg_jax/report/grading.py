"""Grades of a rusted area: ISO 4628-3 Ri and ASTM D610.

Both standards grade the visible rust of a painted steel surface by the share of the surface that
it covers. ASTM D610 defines ranges. ISO 4628-3 gives one area for each of its reference images; a
share between two of them gets the worse grade, because the surface is rustier than the better one.

Sources: ASTM D610-08 (2019), table 1. ISO 4628-3:2016, table 1 (areas of the reference images; Ri 5
is 40 to 50 %, and anything above the image of Ri 4). Both assume a uniform surface: the share must
refer to the steel, not to a photo that also shows other things.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.errors import ConfigError

__all__ = ["ASTM_D610", "ISO_4628_3", "Grade", "Grading", "grade", "rusted_share"]

ISO_4628_3 = (0.0, 0.0005, 0.005, 0.01, 0.08)
"""Largest rusted share for Ri 0 to Ri 4; anything above is Ri 5."""

ASTM_D610 = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.10, 0.16, 0.33, 0.50)
"""Largest rusted share for the grades 10 (practically none) down to 1; anything above is 0."""


@dataclass(frozen=True)
class Grade:
    """A grade on one scale, with the range of grades that the interval of the area allows.

    Attributes
    ----------
    value : grade of the area itself
    least, most : grades of the least and the most rust in the interval; both equal `value` without
        an interval. ASTM D610 counts down: there, `least` is the larger number
    """

    value: int
    least: int
    most: int

    @property
    def certain(self) -> bool:
        """Whether the whole interval has one grade."""
        return self.least == self.most

    def words(self, prefix: str = "") -> str:
        """Return the grade as text: "Ri 4", or "Ri 4 (3 to 5)" if the interval spans several."""
        span = "" if self.certain else f" ({self.least} to {self.most})"
        return f"{prefix}{self.value}{span}"


@dataclass(frozen=True)
class Grading:
    """The grades of a rusted share.

    Attributes
    ----------
    share : rusted share of the surface, in [0, 1]
    interval : lower and upper bound of the share, or None
    iso : ISO 4628-3, 0 (no rust) to 5
    astm : ASTM D610, 10 (at most 0.01 %) to 0 (more than half)
    """

    share: float
    interval: tuple[float, float] | None
    iso: Grade
    astm: Grade

    @property
    def certain(self) -> bool:
        """Whether the interval has one grade on both scales."""
        return self.iso.certain and self.astm.certain

    def words(self) -> str:
        """Return both as text: "ISO 4628-3 Ri 4, ASTM D610 grade 3", with ranges if any."""
        return f"ISO 4628-3 {self.iso.words('Ri ')}, ASTM D610 {self.astm.words('grade ')}"


def grade(share: float, interval: Sequence[float] | None = None) -> Grading:
    """Grade a rusted share.

    Parameters
    ----------
    share : rusted share of the surface, in [0, 1] (not percent)
    interval : lower and upper bound of the share; they need not enclose `share`, whose grade is
        always included

    Returns
    -------
    `Grading`

    Raises
    ------
    ConfigError
        A share is not a number from 0 to 1, or the interval is not two ascending shares.
    """
    value = _share("share", share)
    bounds = None
    if interval is not None:
        bounds = _interval(interval)
    low, high = bounds or (value, value)
    low, high = min(low, value), max(high, value)
    iso = Grade(_iso(value), _iso(low), _iso(high))
    astm = Grade(_astm(value), _astm(low), _astm(high))
    return Grading(value, bounds, iso, astm)


def rusted_share(mask: NDArray[np.bool_], surface: NDArray[np.bool_] | None = None) -> float:
    """Return the rusted share of a surface.

    Parameters
    ----------
    mask : (H, W) bool, rust
    surface : (H, W) bool, the steel in the photo; None for the whole photo. Rust outside it is not
        counted

    Returns
    -------
    Share in [0, 1]

    Raises
    ------
    ConfigError
        The arrays differ in shape or are not bool, or the surface is empty.
    """
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise ConfigError(f"mask is {mask.dtype}{mask.shape}; it must be bool (H, W)")
    if surface is None:
        if not mask.size:
            raise ConfigError(f"mask has the shape {mask.shape}; it must not be empty")
        return float(mask.mean())
    if surface.dtype != np.bool_ or surface.shape != mask.shape:
        raise ConfigError(
            f"surface is {surface.dtype}{surface.shape}; it must be bool{mask.shape}, like the mask"
        )
    if not surface.any():
        raise ConfigError("surface covers no pixel; mark the part of the photo that is steel")
    return float(mask[surface].mean())


def _iso(share: float) -> int:
    return bisect_left(ISO_4628_3, share)


def _astm(share: float) -> int:
    return len(ASTM_D610) - bisect_left(ASTM_D610, share)


def _share(name: str, value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 <= number <= 1:
        raise ConfigError(f"{name} is {value!r}; it must be a share between 0 and 1")
    return number


def _interval(interval: Sequence[float]) -> tuple[float, float]:
    if len(interval) != 2:
        raise ConfigError(f"interval is {interval!r}; it must be two shares, lower and upper bound")
    low, high = (_share("interval", end) for end in interval)
    if low > high:
        raise ConfigError(f"interval is {interval!r}; the lower bound must not exceed the upper")
    return low, high
