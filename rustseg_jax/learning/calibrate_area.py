"""Calibrate the interval of the rusted area on photos with masks, and evaluate it.

The calibration uses half A of the photos (see `manifest.half_of`). Results reported for half A are
cross-validated by scene: each photo is evaluated with a fit and scores from photos of other scenes.
See `rustseg_jax.uncertainty.interval` for the interval itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax import images
from rustseg_jax.classify import Classifier
from rustseg_jax.config import Config, UncertaintyConfig
from rustseg_jax.errors import DataError, ImageError
from rustseg_jax.manifest import Record, read_mask
from rustseg_jax.pipeline import segment_batch
from rustseg_jax.uncertainty.doubt import gather
from rustseg_jax.uncertainty.interval import FEATURES, AreaEvidence, AreaModel, odds_of, quantile

__all__ = [
    "LEAST",
    "METHODS",
    "KnownArea",
    "check_enough",
    "collect",
    "cross_validate",
    "fit",
    "judge",
    "score",
]

LEAST = 40  # photos: six weights twice, and enough scores left for a 0.9 quantile
FOLDS = 10  # as usual (Kohavi 1995): each fit sees nine tenths of the photos
RIDGE = 1.0  # equals one imaginary photo with "no effect" per weight, once standardised
FLOOR = 1 / 3  # of the mean error: no photo is assumed more than three times as certain as usual
BATCH = 4  # photos per pass through the network

METHODS = ("interval", "alone", "constant", "everywhere", "variants")
"""The reported intervals: the calibrated one; the same without augmentations (only if
cross-validated); the mask's area plus or minus a constant; one interval for all photos; the
uncalibrated range of the augmentations' areas."""

Vector = NDArray[np.float64]
Bounds = tuple[float, float]


@dataclass(frozen=True)
class KnownArea:
    """A photo with known rusted area.

    Attributes
    ----------
    split, scene : as in `Record`
    area : true share of the photo, in [0, 1], not counting pixels that the mask ignores
    evidence : results for the photo and its augmentations
    """

    split: str
    scene: str
    area: float
    evidence: AreaEvidence

    @property
    def pair(self) -> Bounds:
        """Predicted area of the mask, and the true area."""
        return self.evidence.areas[0], self.area


def collect(
    records: Sequence[Record],
    model: Classifier,
    config: Config,
    variants: UncertaintyConfig,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[KnownArea], list[dict[str, str]]]:
    """Analyse photos with masks, and their augmentations, each photo as a whole.

    Parameters
    ----------
    records : all with a mask
    model, config : as for `segment`
    variants : the augmentations
    progress : called with (photos done, total)

    Returns
    -------
    (cases, failed) : failed has the image and error of each photo that could not be used
    """
    config = replace(config, tiles=replace(config.tiles, mode="whole"))
    cases: list[KnownArea] = []
    failed: list[dict[str, str]] = []
    todo = iter(records)
    while chunk := list(islice(todo, BATCH)):
        good = list(_readable(chunk, failed))
        results = segment_batch((photo for _, photo, _ in good), model, config, batch=BATCH)
        for (record, _, area), seg in zip(good, results, strict=True):
            cases.append(KnownArea(record.split, record.scene, area, gather(seg, model, variants)))
        if progress:
            progress(len(cases) + len(failed), len(records))
    return cases, failed


def _readable(
    records: Sequence[Record], failed: list[dict[str, str]]
) -> Iterator[tuple[Record, NDArray[np.uint8], float]]:
    for record in records:
        try:
            photo = images.read(record.image)
            mask, ignore = read_mask(record, (photo.shape[0], photo.shape[1]))
        except (ImageError, DataError) as error:
            failed.append({"image": str(record.image), "error": str(error)})
            continue
        counted = ~ignore
        yield record, photo, float((mask & counted).sum() / max(1, counted.sum()))


def fit(
    cases: Sequence[KnownArea],
    *,
    weights: str = "",
    settings: Mapping[str, Any] | None = None,
    record: Mapping[str, Any] | None = None,
) -> AreaModel:
    """Fit the interval.

    Weights of the centre: ridge regression of the area's log odds on the standardised features; of
    the spread: the same for the absolute errors. The score of each photo comes from the fit to the
    folds without its scene.

    Parameters
    ----------
    cases : at least 40
    weights, settings, record : stored in the model, see `AreaModel`

    Returns
    -------
    `AreaModel`

    Raises
    ------
    DataError
        Too few cases, or all in one fold.
    """
    check_enough(len(cases))
    return replace(
        _calibrated(cases), weights=weights, settings=settings or {}, record=record or {}
    )


def check_enough(photos: int) -> None:
    """Raise DataError if there are too few photos for a calibration."""
    if photos < LEAST:
        raise DataError(
            f"{photos} photos with masks are too few for a calibration; use {LEAST} or more"
        )


def _calibrated(cases: Sequence[KnownArea]) -> AreaModel:
    """The fit, and the score of each photo from the fit to the folds without its scene."""
    scores: dict[bool, list[float]] = {True: [], False: []}
    for rest, part in _folds(cases):
        model = _fit(rest)
        for case in part:
            scores[case.evidence.empty].append(model.score(case.evidence, case.area))
    return replace(
        _fit(cases),
        scores=tuple(sorted(scores[False])),
        empty_scores=tuple(sorted(scores[True])),
    )


def cross_validate(cases: Sequence[KnownArea], *, level: float = 0.9) -> dict[str, dict[str, Any]]:
    """Evaluate the interval on its calibration photos, each with a fit that excludes its scene.

    Parameters
    ----------
    cases : at least 40
    level : target coverage

    Returns
    -------
    See `score`
    """
    check_enough(len(cases))
    judged = []
    for rest, part in _folds(cases):
        alone = _calibrated([_alone(case) for case in rest])
        for case, bounds in judge(part, _calibrated(rest), [c.pair for c in rest], level=level):
            low, _, high = alone.interval(_alone(case).evidence, level=level)
            judged.append((case, {**bounds, "alone": (low, high)}))
    return score([case for case, _ in judged], [bounds for _, bounds in judged], level=level)


def judge(
    cases: Sequence[KnownArea], model: AreaModel, known: Sequence[Bounds], *, level: float = 0.9
) -> list[tuple[KnownArea, dict[str, Bounds]]]:
    """Compute the interval of each case with each of `METHODS`.

    Parameters
    ----------
    cases : to be evaluated
    model : the calibration
    known : `KnownArea.pair` of the calibration photos: the baselines are calibrated on the same
        photos
    level : target coverage

    Returns
    -------
    Each case with its (low, high) by method, without "alone"
    """
    reach = min(quantile([abs(mask - true) for mask, true in known], level), 1.0)
    tail = (1 + level) / 2
    most = min(quantile([true for _, true in known], tail), 1.0)
    least = max(-quantile([-true for _, true in known], tail), 0.0)
    judged = []
    for case in cases:
        low, _, high = model.interval(case.evidence, level=level)
        area, areas = case.evidence.areas[0], case.evidence.areas
        bounds = {
            "interval": (low, high),
            "constant": (max(0.0, area - reach), min(1.0, area + reach)),
            "everywhere": (least, most),
            "variants": (min(areas), max(areas)),
        }
        judged.append((case, bounds))
    return judged


def score(
    cases: Sequence[KnownArea], bounds: Sequence[Mapping[str, Bounds]], *, level: float = 0.9
) -> dict[str, dict[str, Any]]:
    """Score intervals.

    Parameters
    ----------
    cases : N photos
    bounds : N intervals by method, with the same methods for all
    level : target coverage of the intervals

    Returns
    -------
    By group ("all", each split, "mask" and "no mask" by whether a mask was found) and method: n;
    coverage, the share of photos whose true area is inside; width, the mean; winkler, the mean
    interval score (width, plus 2 / (1 - level) times the distance of the area from the interval;
    Gneiting and Raftery 2007): lower is better, and a narrow width cannot make up for misses.
    """
    groups = {"all": [True] * len(cases)}
    for split in sorted({c.split for c in cases}):
        groups[split] = [c.split == split for c in cases]
    groups["mask"] = [not c.evidence.empty for c in cases]
    groups["no mask"] = [c.evidence.empty for c in cases]
    true = np.array([c.area for c in cases])
    result = {}
    for name, chosen in groups.items():
        which = [k for k, yes in enumerate(chosen) if yes]
        if which:
            result[name] = {
                "n": len(which),
                **{
                    m: _score(true[which], [bounds[k][m] for k in which], level)
                    for m in METHODS
                    if m in bounds[0]
                },
            }
    return result


def _score(true: Vector, bounds: Sequence[Bounds], level: float) -> dict[str, float]:
    low, high = np.array(bounds).T
    outside = np.maximum(low - true, 0) + np.maximum(true - high, 0)
    return {
        "coverage": float((outside == 0).mean()),
        "width": float((high - low).mean()),
        "winkler": float((high - low + 2 / (1 - level) * outside).mean()),
    }


def _alone(case: KnownArea) -> KnownArea:
    """The case without augmentations."""
    seen = case.evidence
    own = AreaEvidence(seen.areas[:1], seen.heats[:1], seen.probabilities[:1])
    return replace(case, evidence=own)


def _fit(cases: Sequence[KnownArea]) -> AreaModel:
    """The two regressions, without scores."""
    x = np.array([c.evidence.features for c in cases])
    t = np.array([odds_of(c.area) for c in cases])
    centre = _ridge(x, t)
    errors = np.abs(t - x @ centre)
    # Identical photos have no error: any spread above 0 will do.
    floor = max(FLOOR * float(errors.mean()), np.finfo(float).eps)
    spread = _ridge(x, errors)
    return AreaModel(tuple(map(float, centre)), tuple(map(float, spread)), floor, ())


def _ridge(x: Vector, y: Vector) -> Vector:
    """Weights (6,) of the unscaled features; the first, the constant, is not regularised."""
    mean, scale = x[:, 1:].mean(0), x[:, 1:].std(0)
    z = (x[:, 1:] - mean) / np.where(scale > 0, scale, 1)
    inner = np.linalg.solve(z.T @ z + RIDGE * np.eye(len(FEATURES) - 1), z.T @ (y - y.mean()))
    slopes = inner / np.where(scale > 0, scale, 1)
    return np.concatenate([[y.mean() - mean @ slopes], slopes])


def _folds(cases: Sequence[KnownArea]) -> Iterator[tuple[list[KnownArea], list[KnownArea]]]:
    """(the others, the fold) for each non-empty fold; a scene is never split."""
    number = [_fold_of(case.scene) for case in cases]
    present = sorted(set(number))
    if len(present) < 2:
        raise DataError("the photos have too few scenes for a calibration (all in one fold)")
    for k in present:
        yield (
            [c for c, n in zip(cases, number, strict=True) if n != k],
            [c for c, n in zip(cases, number, strict=True) if n == k],
        )


def _fold_of(scene: str) -> int:
    """0 to 9 by the scene's name; from other bits of its hash than `half_of` uses."""
    return int.from_bytes(hashlib.sha256(scene.encode()).digest()[:8]) % FOLDS
