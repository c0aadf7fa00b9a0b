"""Numbers that say how good a mask, a probability or a heat map is.

Masks are bool ``(H, W)``, probabilities float in [0, 1], labels 0 (clean) or 1
(corrosion). Everything is computed in float64 on the CPU. What is not defined
(an AUC of one class) is NaN from the single functions and None in reports, so
that a report is valid JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rustseg_jax.errors import ConfigError
from rustseg_jax.metrics.faithfulness import Faithfulness, insertion_deletion

__all__ = [
    "Confusion",
    "Faithfulness",
    "auc",
    "classification_report",
    "confusion",
    "ece",
    "f1",
    "hsv_rule",
    "insertion_deletion",
    "iou",
    "mean_iou",
    "pooled",
    "precision",
    "recall",
]


@dataclass(frozen=True)
class Confusion:
    """Pixels or pictures, counted: true and false positives, false and true negatives."""

    tp: int
    fp: int
    fn: int
    tn: int


def confusion(pred: ArrayLike, true: ArrayLike, ignore: ArrayLike | None = None) -> Confusion:
    """Count agreement of two masks.

    Parameters
    ----------
    pred, true
        bool, any shape, the same for both.
    ignore
        bool of that shape: places that are not counted; None counts all.

    Returns
    -------
    Confusion
        Counts; their sum is the number of places that are not ignored.

    Raises
    ------
    ConfigError
        When a mask is not bool or the shapes differ.
    """
    pred, true = _mask("pred", pred), _mask("true", true)
    ignored = np.zeros(true.shape, bool) if ignore is None else _mask("ignore", ignore)
    if not pred.shape == true.shape == ignored.shape:
        raise ConfigError(
            f"pred has shape {pred.shape}, true {true.shape}, ignore {ignored.shape}: "
            "bring the masks to one size first"
        )
    seen = ~ignored
    tp = int(np.count_nonzero(pred & true & seen))
    fp = int(np.count_nonzero(pred & ~true & seen))
    fn = int(np.count_nonzero(~pred & true & seen))
    return Confusion(tp, fp, fn, int(np.count_nonzero(seen)) - tp - fp - fn)


def pooled(confusions: Iterable[Confusion]) -> Confusion:
    """Sum of the counts of several pictures, so that large ones weigh more; zeros for none."""
    rows = [(c.tp, c.fp, c.fn, c.tn) for c in confusions]
    return Confusion(*(sum(column) for column in zip(*rows, strict=True))) if rows else _NOTHING


def iou(counts: Confusion) -> float:
    """Intersection over union, in [0, 1]; 1 when both masks are empty: they agree."""
    return _ratio(counts.tp, counts.tp + counts.fp + counts.fn, empty=1.0)


def mean_iou(confusions: Iterable[Confusion]) -> float:
    """Mean of the pictures' own IoU, each weighing the same; NaN for no picture."""
    values = [iou(counts) for counts in confusions]
    return sum(values) / len(values) if values else math.nan


def f1(counts: Confusion) -> float:
    """Harmonic mean of precision and recall (Dice), in [0, 1]; 1 when both masks are empty."""
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, empty=1.0)


def precision(counts: Confusion) -> float:
    """Share of what was marked that is right, in [0, 1].

    Where nothing was marked: 1 if there was nothing to mark, else 0.
    """
    return _ratio(counts.tp, counts.tp + counts.fp, empty=float(counts.fn == 0))


def recall(counts: Confusion) -> float:
    """Share of what is there that was marked, in [0, 1].

    Where nothing is there: 1 if nothing was marked, else 0.
    """
    return _ratio(counts.tp, counts.tp + counts.fn, empty=float(counts.fp == 0))


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve: how often a positive scores above a negative, ties half.

    Parameters
    ----------
    scores
        (N,) float, higher means more likely 1; finite.
    labels
        (N,) 0 or 1.

    Returns
    -------
    float
        In [0, 1], 0.5 is chance; NaN when one of the classes is absent.

    Raises
    ------
    ConfigError
        When lengths differ, a label is not 0 or 1, or a score is not finite.

    References
    ----------
    Hanley and McNeil, Radiology 143, 1982: the area is the Mann-Whitney statistic.
    """
    scores, labels = _scores("scores", scores), _labels(labels)
    _check_lengths("scores", scores, labels)
    positives = int(labels.sum())
    negatives = labels.size - positives
    if not positives or not negatives:
        return math.nan
    # Not `scipy.stats.mannwhitneyu`: the same number in three to four times the time, one line
    # less, and 0.5 s and 34 MB for the import of scipy.stats.
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    rank = np.cumsum(sizes) - (sizes - 1) / 2  # mean rank, from 1, of a group of ties
    above = rank[group][labels].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def ece(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error of P(corrosion).

    The mean over pictures of ``|mean probability - share of corrosion|`` in their
    bin. Bins are equally wide, contain their lower edge, and the last also 1.

    Parameters
    ----------
    probabilities
        (N,) in [0, 1], of label 1.
    labels
        (N,) 0 or 1.
    bins
        At least 1; 15 as in the reference.

    Returns
    -------
    float
        In [0, 1]; 0 is perfect; NaN for no picture.

    Raises
    ------
    ConfigError
        When lengths differ or a value is out of its range.

    References
    ----------
    Naeini et al., AAAI 2015 (binary, as here); Guo et al., ICML 2017 (15 bins).
    """
    probabilities, labels = _probabilities(probabilities), _labels(labels)
    _check_lengths("probabilities", probabilities, labels)
    if bins < 1:
        raise ConfigError(f"bins={bins} is not allowed: give at least 1")
    if not labels.size:
        return math.nan
    inner_edges = np.arange(1, bins) / bins
    place = np.searchsorted(inner_edges, probabilities, side="right")
    gap = np.bincount(place, weights=probabilities - labels, minlength=bins)
    return float(np.abs(gap).sum() / labels.size)


def classification_report(
    probabilities: ArrayLike, labels: ArrayLike, threshold: float
) -> dict[str, int | float | None]:
    """All numbers of the picture-level verdict.

    Parameters
    ----------
    probabilities
        (N,) P(corrosion) in [0, 1].
    labels
        (N,) 0 or 1.
    threshold
        The verdict is corrosion from this probability on.

    Returns
    -------
    dict
        n, accuracy, balanced_accuracy (mean recall of the classes that occur),
        precision, recall, f1 (of corrosion), auc, ece. None where not defined:
        auc with one class, everything but n without pictures.

    Raises
    ------
    ConfigError
        When lengths differ or a value is out of its range.
    """
    probabilities, labels = _probabilities(probabilities), _labels(labels)
    _check_lengths("probabilities", probabilities, labels)
    counts = confusion(probabilities >= threshold, labels)
    values = {
        "accuracy": _ratio(counts.tp + counts.tn, labels.size, empty=math.nan),
        "balanced_accuracy": _balanced_accuracy(counts),
        "precision": precision(counts) if labels.size else math.nan,
        "recall": recall(counts) if labels.size else math.nan,
        "f1": f1(counts) if labels.size else math.nan,
        "auc": auc(probabilities, labels),
        "ece": ece(probabilities, labels),
    }
    defined = {key: None if math.isnan(value) else value for key, value in values.items()}
    return {"n": labels.size, **defined}


def hsv_rule(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Baseline: a fixed colour rule, no learning.

    Marked is what has hue < 0.11 or > 0.96, saturation > 0.35 and
    0.12 < value < 0.85, as of `skimage.color.rgb2hsv`. Computed in integers, strip
    by strip to save memory, and exact: a colour right on a limit is not marked, where
    the rounding of floats marks 259 such colours of the 16.7 million.

    Parameters
    ----------
    image
        (H, W, 3) uint8, sRGB.

    Returns
    -------
    ndarray
        (H, W) bool.

    Raises
    ------
    ConfigError
        When the image has another shape or type.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ConfigError(
            f"image is {image.dtype} of shape {image.shape}: give uint8 (H, W, 3), "
            "as images.read returns it"
        )
    mask = np.empty(image.shape[:2], bool)
    rows = max(1, _STRIP_PIXELS // max(1, image.shape[1]))
    for top in range(0, image.shape[0], rows):
        mask[top : top + rows] = _hsv_rule_strip(image[top : top + rows])
    return mask


_NOTHING = Confusion(0, 0, 0, 0)

_STRIP_PIXELS = 1 << 18
"""Pixels of a strip of `hsv_rule`: its int16 arrays (0.5 MB each) stay in the cache."""


def _ratio(part: int, whole: int, *, empty: float) -> float:
    return part / whole if whole else empty


def _balanced_accuracy(counts: Confusion) -> float:
    pairs = [(counts.tp, counts.tp + counts.fn), (counts.tn, counts.tn + counts.fp)]
    recalls = [hits / size for hits, size in pairs if size]
    return sum(recalls) / len(recalls) if recalls else math.nan


def _hsv_rule_strip(strip: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The rule in integers: value = r / 255, saturation = spread / r, hue = (g - b) / spread / 6.

    Such hues have red as the largest channel; -0.24 / 6 is the 0.96 of the rule.
    """
    red, green, blue = (strip[..., channel].astype(np.int16) for channel in range(3))
    least = np.minimum(green, blue)
    spread = red - least
    tilt = green - blue
    mask = (red >= green) & (red >= blue)
    mask &= (red >= 31) & (red <= 216)  # 0.12 * 255 = 30.6, 0.85 * 255 = 216.75
    mask &= 20 * spread > 7 * red  # saturation > 0.35
    mask &= 50 * tilt < 33 * spread  # hue < 0.11, that is (g - b) / spread < 0.66
    mask &= 25 * tilt > -6 * spread  # hue > 0.96, that is (g - b) / spread > -0.24
    return mask


def _mask(name: str, values: ArrayLike) -> NDArray[np.bool_]:
    mask = np.asarray(values)
    if mask.dtype != np.bool_:
        raise ConfigError(f"{name} is {mask.dtype}: give bool, for example {name} > 0")
    return mask


def _scores(name: str, values: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ConfigError(f"{name} has shape {scores.shape}: give (N,), all values finite")
    return scores


def _probabilities(values: ArrayLike) -> NDArray[np.float64]:
    probabilities = _scores("probabilities", values)
    if ((probabilities < 0) | (probabilities > 1)).any():
        raise ConfigError("probabilities has values outside [0, 1]: give P(corrosion), not logits")
    return probabilities


def _labels(values: ArrayLike) -> NDArray[np.bool_]:
    labels = np.asarray(values)
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise ConfigError(f"labels has shape {labels.shape}: give (N,) of 0 (clean) and 1 only")
    return labels.astype(bool)


def _check_lengths(name: str, values: NDArray[np.float64], labels: NDArray[np.bool_]) -> None:
    if values.shape != labels.shape:
        raise ConfigError(f"{name} has {values.size} values, labels {labels.size}: give as many")
