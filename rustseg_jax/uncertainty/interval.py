"""How much of a photo is rusted: an interval that was calibrated on photos with masks.

A mask's own area says little of its error: masks of faint heat are empty, masks of
some sources too large. So the interval comes from a small fit on photos whose true
area is known. With ``t`` the log odds of an area, ``x`` what `AreaEvidence` says of a photo
(its variants' masks, heat and verdicts), ``centre = b . x`` and ``spread = g . x``, it is
the areas with ``|t - centre| <= q spread``, where ``q`` is a quantile of what photos
scored that their fit had not seen: conformal prediction with a normalised score. A
photo whose mask is empty may be clean, whatever the fit says: its interval begins at 0,
and its quantile is that of photos with empty masks, so that the level holds for both kinds.

All areas are shares of the photo in [0, 1]. Here is what a calibration says of a photo;
`rustseg_jax.learning.calibrate_area` makes one.

References
----------
Vovk, Gammerman and Shafer, "Algorithmic learning in a random world", 2005. Lei et al.,
"Distribution-free predictive inference for regression", JASA 2018, section 5.2 (the
normalised score); Vovk, "Conditional validity of inductive conformal predictors", 2012 (a
quantile for each kind). Barber et al., "Predictive inference with the jackknife+", Annals of
Statistics 2021 (scores from folds).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from rustseg_jax.classify.weights import DEFAULT
from rustseg_jax.errors import ConfigError, DataError
from rustseg_jax.runtime import write_whole

__all__ = [
    "FEATURES",
    "FORMAT",
    "AreaEvidence",
    "AreaModel",
    "carry_interval",
    "load_area",
    "place_of",
    "save_area",
]

FORMAT, VERSION = "rustseg-jax-area", 1
FEATURES = ("one", "area", "heat", "odds", "area_spread", "heat_spread")
"""What the fit sees of a photo, in this order; see `AreaEvidence.features`."""

SMALLEST = 1e-3
"""Added to an area before its log odds: a tenth of a percent, below what a 448-pixel mask
holds of one heat cell (1/784), so that empty and nearly empty masks are the same."""

KIND = 30
"""So many photos of a kind at least, or the kinds are taken together: with fewer, the quantile
of 0.9 is one of the two or three largest scores."""

SUREST = 1e-4  # probabilities are kept this far from 0 and 1: beyond, log odds say nothing more

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class AreaEvidence:
    """What a photo and its variants say of its rusted area; the photo itself comes first.

    Attributes
    ----------
    areas : share that the mask covers, in [0, 1]
    heats : mean of the heat map that the mask was made from, in [0, 1]
    probabilities : calibrated P(corrosion), in [0, 1]
    """

    areas: tuple[float, ...]
    heats: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.areas) == len(self.heats) == len(self.probabilities):
            raise ConfigError(
                f"areas, heats and probabilities are {len(self.areas)}, {len(self.heats)} and "
                f"{len(self.probabilities)}; give one of each for the photo and each variant"
            )
        for f in fields(self):
            if not all(0 <= value <= 1 for value in getattr(self, f.name)):
                raise ConfigError(f"{f.name} is {getattr(self, f.name)}; allowed is 0 to 1")

    @property
    def empty(self) -> bool:
        """Whether the photo's own mask is empty."""
        return self.areas[0] == 0

    @cached_property
    def features(self) -> Vector:
        """What the fit sees, (6,) float64.

        1; means of the square roots of area and heat; mean log odds of the verdict; standard
        deviations of both square roots.
        """
        areas, heats = np.sqrt(self.areas), np.sqrt(self.heats)
        odds = logit(np.clip(self.probabilities, SUREST, 1 - SUREST))
        return np.array([1, areas.mean(), heats.mean(), odds.mean(), areas.std(), heats.std()])


@dataclass(frozen=True)
class AreaModel:
    """A calibration: from `AreaEvidence` to an interval.

    Attributes
    ----------
    centre, spread : (6,) weights of `FEATURES` for the log odds of the area and its error
    floor : least spread, above 0
    scores : conformity scores of the calibration photos with a mask, ascending, >= 0
    empty_scores : of those whose mask was empty
    weights : SHA-256 of the weights file that it holds for
    settings : configuration of the method and of the variants that it holds for
    record : where it comes from and what it measured; plain values
    """

    centre: tuple[float, ...]
    spread: tuple[float, ...]
    floor: float
    scores: tuple[float, ...]
    empty_scores: tuple[float, ...] = ()
    weights: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in ("centre", "spread"):
            if len(getattr(self, name)) != len(FEATURES):
                raise ConfigError(
                    f"{name} has {len(getattr(self, name))} weights; give one for each of "
                    f"{', '.join(FEATURES)}"
                )
        numbers = (*self.centre, *self.spread, *self.scores, *self.empty_scores, self.floor)
        if not all(map(math.isfinite, numbers)) or not self.floor > 0:
            raise ConfigError("weights, scores and floor must be finite, floor above 0")

    def interval(self, evidence: AreaEvidence, *, level: float = 0.9) -> tuple[float, float, float]:
        """Say between which areas the true one lies.

        Parameters
        ----------
        evidence : of the photo
        level : share of photos that the interval should cover, above 0 and below 1

        Returns
        -------
        (low, middle, high), 0 <= low <= middle <= high <= 1. With too few calibration
        photos for the level it is the whole of [0, 1].
        """
        centre, spread = self.locate(evidence)
        reach = quantile(self.scores_for(evidence), level) * spread
        low = 0.0 if evidence.empty else area_of(centre - reach)
        return low, area_of(centre), area_of(centre + reach)

    def scores_for(self, evidence: AreaEvidence) -> tuple[float, ...]:
        """Scores of the photo's kind, with a mask or without; of both where that has too few."""
        own = self.empty_scores if evidence.empty else self.scores
        return own if len(own) >= KIND else (*self.scores, *self.empty_scores)

    def locate(self, evidence: AreaEvidence) -> tuple[float, float]:
        """Return centre and spread of the area's log odds, the centre that of an area."""
        x = evidence.features
        centre = min(max(float(x @ self.centre), odds_of(0)), odds_of(1))
        return centre, max(self.floor, float(x @ self.spread))

    def score(self, evidence: AreaEvidence, area: float) -> float:
        """Say how far the interval must reach to cover an area, in spreads, >= 0."""
        centre, spread = self.locate(evidence)
        off = (odds_of(area) - centre) / spread
        return max(0.0, off) if evidence.empty else abs(off)

    def mismatch(self, weights: str, settings: Mapping[str, Any]) -> str:
        """Say why this calibration does not hold for these weights and settings; "" if it does."""
        if not self.weights or weights != self.weights:
            return "not calibrated for these weights"
        if _plain(settings) != _plain(self.settings):
            return "not calibrated for this configuration"
        return ""


def quantile(scores: ArrayLike, level: float) -> float:
    """Return the conformal quantile: the ceil((n + 1) level)-th smallest of n scores.

    Infinity where n is too small for the level. ``level`` is above 0 and below 1.
    """
    if not 0 < level < 1:
        raise ConfigError(f"level is {level}; allowed is above 0 and below 1")
    ordered = np.sort(np.asarray(scores, np.float64))
    # 0.9 * 10 is a little more than 9 in floating point: what is whole stays whole.
    rank = math.ceil(round((ordered.size + 1) * level, 9))
    return float(ordered[rank - 1]) if rank <= ordered.size else math.inf


def odds_of(area: float) -> float:
    """Log odds of an area in [0, 1], finite at both ends."""
    return math.log((area + SMALLEST) / (1 - area + SMALLEST))


def area_of(odds: float) -> float:
    """Area of log odds, the inverse of `odds_of`; cut to [0, 1]."""
    share = float(expit(odds)) * (1 + 2 * SMALLEST) - SMALLEST
    return min(max(share, 0.0), 1.0)


def carry_interval(
    interval: tuple[float, float], before: float, now: float, *, part: float = 1.0
) -> tuple[float, float]:
    """Carry an interval over to another area: another mask of the photo, or a part of it.

    A rule, not a calibration. As the calibration works in log odds, whose errors it takes for
    equally likely at every area, the ends are moved by as many log odds as the area was; so
    an area that lay within them still does. Where one of the two areas is 0, its log odds say
    nothing, and what is left is what must hold: from 0 up to all of the rust within the part.

    Parameters
    ----------
    interval : low and high, of the area `before`
    before : share that was masked, in [0, 1]
    now : share that is masked now, in [0, 1]
    part : share of the photo that `now` is a share of, above 0 up to 1; 1 for all of it

    Returns
    -------
    (low, high), 0 <= low <= high <= 1; the interval itself where nothing changed

    Examples
    --------
    >>> carry_interval((0.1, 0.3), 0.2, 0.0, part=0.5)
    (0.0, 0.6)
    """
    if before == now and part == 1:
        return interval
    if before == 0 or now == 0:
        return 0.0, max(now, min(1.0, interval[1] / part))
    moved = odds_of(now) - odds_of(before)
    low, high = (area_of(odds_of(end) + moved) for end in interval)
    return low, high


def place_of(weights: Path | str | None = None) -> Path:
    """Return where the calibration of a weights file is: area.json beside it.

    None stands for the weights that `load_model` takes: RUSTSEG_MODEL, else the shipped ones.
    """
    return Path(weights or os.environ.get("RUSTSEG_MODEL") or DEFAULT).with_name("area.json")


def save_area(path: Path | str, model: AreaModel) -> None:
    """Write a calibration as JSON, whole or not at all; ConfigError where it cannot be."""
    text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(model)}, allow_nan=False)
    write_whole(Path(path), f"{text}\n".encode())


def load_area(path: Path | str | None = None) -> AreaModel | None:
    """Read a calibration.

    Parameters
    ----------
    path : file; None takes the one beside the weights that `load_model` takes

    Returns
    -------
    `AreaModel`, or None where no path was given and there is no such file

    Raises
    ------
    DataError
        The named file is missing, or a file is no calibration of this version.
    """
    place = Path(path) if path is not None else place_of()
    if path is None and not place.is_file():
        return None
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        if (content.pop("format"), content.pop("version")) != (FORMAT, VERSION):
            raise ValueError("it is of another program or version")
        for name in ("centre", "spread", "scores", "empty_scores"):
            content[name] = tuple(map(float, content[name]))
        return AreaModel(**content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{place} is no calibration of the rusted area: {error}") from error


def _plain(settings: Mapping[str, Any]) -> Any:
    """As JSON gives it back: tuples become lists."""
    return json.loads(json.dumps(settings))
