"""Interval of the rusted area of a photo, calibrated on photos with masks.

The area of a mask alone says little about its error: masks from weak heat maps are empty, masks of
some sources are too large. The interval therefore comes from a small fit on photos whose true
area is known. Let ``t`` be the log odds of an area, ``x`` the features of `AreaEvidence`
(from the masks, heat maps and verdicts of the variants), ``centre = b . x`` and
``spread = g . x``. The interval contains the areas with ``|t - centre| <= q spread``, where ``q``
is a quantile of the scores of photos that were not used in their fit: conformal prediction with a
normalised score. A photo with an empty mask may be clean, whatever the fit predicts: its interval
starts at 0, and its quantile is that of photos with empty masks, so that the level holds for
photos with and without a mask.

All areas are shares of the photo in [0, 1]. This module applies a calibration;
`rustseg_jax.learning.calibrate_area` fits one.

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
"""Features of the fit, in this order; see `AreaEvidence.features`."""

SMALLEST = 1e-3
"""Added to an area before taking log odds: a tenth of a percent, less than one heat-map cell
of a mask at 448 pixels (1/784), so that empty and nearly empty masks are treated alike."""

KIND = 30
"""Minimum number of photos of a kind, below which both kinds are pooled: with fewer, the 0.9
quantile is one of the two or three largest scores."""

SUREST = 1e-4  # minimum distance of probabilities from 0 and 1, which limits their log odds

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class AreaEvidence:
    """Evidence of a photo and its variants on the rusted area; the photo itself comes first.

    Attributes
    ----------
    areas : share covered by the mask, in [0, 1]
    heats : mean of the heat map that the mask was made from, in [0, 1]
    probabilities : calibrated P(corrosion), in [0, 1]
    """

    areas: tuple[float, ...]
    heats: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.areas) == len(self.heats) == len(self.probabilities):
            raise ConfigError(
                f"areas, heats and probabilities have {len(self.areas)}, {len(self.heats)} and "
                f"{len(self.probabilities)} values; give one each for the photo and each variant"
            )
        for f in fields(self):
            if not all(0 <= value <= 1 for value in getattr(self, f.name)):
                raise ConfigError(f"{f.name} is {getattr(self, f.name)}; must be between 0 and 1")

    @property
    def empty(self) -> bool:
        """Whether the photo's own mask is empty."""
        return self.areas[0] == 0

    @cached_property
    def features(self) -> Vector:
        """Return the features of the fit, (6,) float64.

        1; means of the square roots of area and heat; mean log odds of the probability; standard
        deviations of both square roots.
        """
        areas, heats = np.sqrt(self.areas), np.sqrt(self.heats)
        odds = logit(np.clip(self.probabilities, SUREST, 1 - SUREST))
        return np.array([1, areas.mean(), heats.mean(), odds.mean(), areas.std(), heats.std()])


@dataclass(frozen=True)
class AreaModel:
    """A calibration, which maps `AreaEvidence` to an interval.

    Attributes
    ----------
    centre, spread : (6,) weights of `FEATURES` for the log odds of the area and its error
    floor : minimum spread, above 0
    scores : conformity scores of the calibration photos with a mask, ascending, >= 0
    empty_scores : those of the photos with an empty mask
    weights : SHA-256 of the weights file to which it applies
    settings : configuration of the method and the variants to which it applies
    record : its origin and its measured coverage, as plain values
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
        """Return the interval of the true area.

        Parameters
        ----------
        evidence : evidence of the photo
        level : share of photos that the interval should cover, above 0 and below 1

        Returns
        -------
        (low, middle, high), 0 <= low <= middle <= high <= 1. With too few calibration
        photos for the level, the interval is all of [0, 1].
        """
        centre, spread = self.locate(evidence)
        reach = quantile(self.scores_for(evidence), level) * spread
        low = 0.0 if evidence.empty else area_of(centre - reach)
        return low, area_of(centre), area_of(centre + reach)

    def scores_for(self, evidence: AreaEvidence) -> tuple[float, ...]:
        """Return the scores for photos with, or without, a mask; of both kinds if too few."""
        own = self.empty_scores if evidence.empty else self.scores
        return own if len(own) >= KIND else (*self.scores, *self.empty_scores)

    def locate(self, evidence: AreaEvidence) -> tuple[float, float]:
        """Return centre and spread of the area's log odds; the centre is limited to valid areas."""
        x = evidence.features
        centre = min(max(float(x @ self.centre), odds_of(0)), odds_of(1))
        return centre, max(self.floor, float(x @ self.spread))

    def score(self, evidence: AreaEvidence, area: float) -> float:
        """Return how far the interval must extend to cover an area, in spreads, >= 0."""
        centre, spread = self.locate(evidence)
        off = (odds_of(area) - centre) / spread
        return max(0.0, off) if evidence.empty else abs(off)

    def mismatch(self, weights: str, settings: Mapping[str, Any]) -> str:
        """Return why the calibration does not apply to weights and settings; "" if it does."""
        if not self.weights or weights != self.weights:
            return "not calibrated for these weights"
        if _plain(settings) != _plain(self.settings):
            return "not calibrated for this configuration"
        return ""


def quantile(scores: ArrayLike, level: float) -> float:
    """Return the conformal quantile: the ceil((n + 1) level)-th smallest of n scores.

    It is infinity if n is too small for the level. ``level`` is above 0 and below 1.
    """
    if not 0 < level < 1:
        raise ConfigError(f"level is {level}; must be above 0 and below 1")
    ordered = np.sort(np.asarray(scores, np.float64))
    # 0.9 * 10 is slightly more than 9 in floating point: round before taking the ceiling.
    rank = math.ceil(round((ordered.size + 1) * level, 9))
    return float(ordered[rank - 1]) if rank <= ordered.size else math.inf


def odds_of(area: float) -> float:
    """Return the log odds of an area in [0, 1], finite at both ends."""
    return math.log((area + SMALLEST) / (1 - area + SMALLEST))


def area_of(odds: float) -> float:
    """Return the area for log odds, clipped to [0, 1]; the inverse of `odds_of`."""
    share = float(expit(odds)) * (1 + 2 * SMALLEST) - SMALLEST
    return min(max(share, 0.0), 1.0)


def carry_interval(
    interval: tuple[float, float], before: float, now: float, *, part: float = 1.0
) -> tuple[float, float]:
    """Transfer an interval to another area: another mask of the photo, or a part of it.

    This is a rule, not a calibration. The calibration works in log odds and assumes equal errors
    at all areas, so the ends are shifted by as many log odds as the area; an area that was
    inside the interval stays inside. If one of the two areas is 0, its log odds are
    meaningless, and only the certain bounds remain: from 0 up to all of the rust within the part.

    Parameters
    ----------
    interval : low and high, for the area `before`
    before : masked share before the change, in [0, 1]
    now : masked share after the change, in [0, 1]
    part : share of the photo to which `now` refers, above 0 and at most 1; 1 for the whole photo

    Returns
    -------
    (low, high), 0 <= low <= high <= 1; the same interval if nothing changed

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
    """Return the path of a weights file's calibration: area.json in the same folder.

    None means the default weights of `load_model`: RUSTSEG_MODEL, else the shipped ones.
    """
    return Path(weights or os.environ.get("RUSTSEG_MODEL") or DEFAULT).with_name("area.json")


def save_area(path: Path | str, model: AreaModel) -> None:
    """Write a calibration as JSON, atomically; raise a ConfigError if this fails."""
    text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(model)}, allow_nan=False)
    write_whole(Path(path), f"{text}\n".encode())


def load_area(path: Path | str | None = None) -> AreaModel | None:
    """Read a calibration.

    Parameters
    ----------
    path : file; by default the one beside the default weights of `load_model`

    Returns
    -------
    `AreaModel`, or None if no path was given and the default file does not exist

    Raises
    ------
    DataError
        The given file is missing, or the file is not a calibration of this version.
    """
    place = Path(path) if path is not None else place_of()
    if path is None and not place.is_file():
        return None
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        if (content.pop("format"), content.pop("version")) != (FORMAT, VERSION):
            raise ValueError("another program or version")
        for name in ("centre", "spread", "scores", "empty_scores"):
            content[name] = tuple(map(float, content[name]))
        return AreaModel(**content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{place} is not a calibration of the rusted area ({error})") from error


def _plain(settings: Mapping[str, Any]) -> Any:
    """Return the settings as read from JSON, with lists instead of tuples."""
    return json.loads(json.dumps(settings))
