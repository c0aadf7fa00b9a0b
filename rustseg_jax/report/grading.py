"""From rusted area to the grade it implies: ISO 4628-3 Ri and ASTM D610.

Both standards grade the visible rust of a painted steel surface by the share of the surface
it covers. ASTM D610 names ranges of it. ISO 4628-3 names one area for each of its reference
pictures; a share between two of them gets the worse grade, as a surface that is rustier than
a picture does not pass for it.

Sources: ASTM D610-08 (2019), table 1. ISO 4628-3:2016, table 1 (the areas of its pictures;
Ri 5 is 40 to 50 %, and anything above the picture of Ri 4). Both mean a uniform surface: the
share must be one of the steel, not of a picture that shows other things too.
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
"""Largest share of rusted surface of Ri 0 to Ri 4; what is more is Ri 5."""

ASTM_D610 = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.10, 0.16, 0.33, 0.50)
"""Largest share of rusted surface of the rust grades 10 (none to speak of) down to 1; then 0."""


@dataclass(frozen=True)
class Grade:
    """A grade of one scale, or all grades that an interval of the area leaves possible.

    Attributes
    ----------
    value : of the area itself
    least, most : of the least and the most rust in the interval; both `value` without one.
        ASTM D610 counts down: there `least` is the larger number
    """

    value: int
    least: int
    most: int

    @property
    def certain(self) -> bool:
        """Whether the whole interval has one grade."""
        return self.least == self.most

    def words(self, prefix: str = "") -> str:
        """Say it: "Ri 4", or "Ri 4 (3 to 5)" where the interval spans several."""
        span = "" if self.certain else f" ({self.least} to {self.most})"
        return f"{prefix}{self.value}{span}"


@dataclass(frozen=True)
class Grading:
    """What a rusted share implies.

    Attributes
    ----------
    share : rusted share of the surface, in [0, 1]
    interval : shares between which it is thought to lie, or None
    iso : ISO 4628-3, 0 (no rust) to 5
    astm : ASTM D610, 10 (at most 0.01 %) to 0 (more than half)
    """

    share: float
    interval: tuple[float, float] | None
    iso: Grade
    astm: Grade

    @property
    def certain(self) -> bool:
        """Whether the interval leaves one grade on both scales."""
        return self.iso.certain and self.astm.certain

    def words(self) -> str:
        """Say it: "ISO 4628-3 Ri 4, ASTM D610 grade 3", with spans where there are some."""
        return f"ISO 4628-3 {self.iso.words('Ri ')}, ASTM D610 {self.astm.words('grade ')}"


def grade(share: float, interval: Sequence[float] | None = None) -> Grading:
    """Grade a rusted share.

    Parameters
    ----------
    share : rusted share of the surface, in [0, 1] (not percent)
    interval : least and most share that it may be, which need not lie around `share`: the
        grade of the share is then counted in, too

    Returns
    -------
    `Grading`

    Raises
    ------
    ConfigError
        A share is no number from 0 to 1, or the interval is none.
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
    """Rusted share of a surface.

    Parameters
    ----------
    mask : (H, W) bool, rust
    surface : (H, W) bool, what of the picture is the steel; None for all of it. Rust outside
        of it does not count

    Returns
    -------
    Share in [0, 1]

    Raises
    ------
    ConfigError
        The two differ in shape or are not bool, or the surface is empty.
    """
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise ConfigError(f"mask is {mask.dtype}{mask.shape}; allowed is bool (H, W)")
    if surface is None:
        if not mask.size:
            raise ConfigError(f"mask is {mask.shape}; it must have a pixel")
        return float(mask.mean())
    if surface.dtype != np.bool_ or surface.shape != mask.shape:
        raise ConfigError(
            f"surface is {surface.dtype}{surface.shape}; allowed is bool{mask.shape}, the "
            "size of the mask"
        )
    if not surface.any():
        raise ConfigError("surface marks no pixel; mark the part of the picture that is steel")
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
        raise ConfigError(f"{name} is {value!r}; allowed is a share from 0 to 1")
    return number


def _interval(interval: Sequence[float]) -> tuple[float, float]:
    if len(interval) != 2:
        raise ConfigError(f"interval is {interval!r}; allowed are two shares, least and most")
    low, high = (_share("interval", end) for end in interval)
    if low > high:
        raise ConfigError(f"interval is {interval!r}; the first share must not exceed the second")
    return low, high
