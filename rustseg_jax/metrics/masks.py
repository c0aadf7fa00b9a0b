"""Metrics of masks and verdicts: IoU, F1, AUC, calibration error, and the colour-rule baseline.

Masks are bool ``(H, W)``, probabilities float in [0, 1], labels 0 (clean) or 1
(corrosion). Everything is computed in float64 on the CPU. Undefined values
(such as the AUC of one class) are NaN in the single functions and None in reports, so
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
    """Counts of pixels or images: true and false positives, false and true negatives."""

    tp: int
    fp: int
    fn: int
    tn: int


def confusion(pred: ArrayLike, true: ArrayLike, ignore: ArrayLike | None = None) -> Confusion:
    """Count agreements and differences of two masks.

    Parameters
    ----------
    pred, true
        bool, any shape, the same for both.
    ignore
        bool of that shape: pixels that are not counted; None counts all.

    Returns
    -------
    Confusion
        Counts; their sum is the number of pixels that are not ignored.

    Raises
    ------
    ConfigError
        A mask is not bool, or the shapes differ.
    """
    pred, true = _mask("pred", pred), _mask("true", true)
    ignored = np.zeros(true.shape, bool) if ignore is None else _mask("ignore", ignore)
    if not pred.shape == true.shape == ignored.shape:
        raise ConfigError(
            f"pred has the shape {pred.shape}, true {true.shape}, ignore {ignored.shape}; "
            "the shapes must be equal"
        )
    seen = ~ignored
    tp = int(np.count_nonzero(pred & true & seen))
    fp = int(np.count_nonzero(pred & ~true & seen))
    fn = int(np.count_nonzero(~pred & true & seen))
    return Confusion(tp, fp, fn, int(np.count_nonzero(seen)) - tp - fp - fn)


def pooled(confusions: Iterable[Confusion]) -> Confusion:
    """Return the summed counts of several images, so that large ones weigh more; zeros for none."""
    rows = [(c.tp, c.fp, c.fn, c.tn) for c in confusions]
    return Confusion(*(sum(column) for column in zip(*rows, strict=True))) if rows else _NOTHING


def iou(counts: Confusion) -> float:
    """Return the intersection over union, in [0, 1]; 1 if both masks are empty."""
    return _ratio(counts.tp, counts.tp + counts.fp + counts.fn, empty=1.0)


def mean_iou(confusions: Iterable[Confusion]) -> float:
    """Return the mean IoU over images, with equal weights; NaN without images."""
    values = [iou(counts) for counts in confusions]
    return sum(values) / len(values) if values else math.nan


def f1(counts: Confusion) -> float:
    """Return the F1 score (Dice coefficient), in [0, 1]; 1 if both masks are empty."""
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, empty=1.0)


def precision(counts: Confusion) -> float:
    """Return the precision: the share of predicted pixels that are correct, in [0, 1].

    If nothing was predicted: 1 if the true mask is empty too, else 0.
    """
    return _ratio(counts.tp, counts.tp + counts.fp, empty=float(counts.fn == 0))


def recall(counts: Confusion) -> float:
    """Return the recall: the share of true pixels that were predicted, in [0, 1].

    If the true mask is empty: 1 if nothing was predicted, else 0.
    """
    return _ratio(counts.tp, counts.tp + counts.fn, empty=float(counts.fp == 0))


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative.

    Ties count one half.

    Parameters
    ----------
    scores
        (N,) float, finite; higher means label 1 is more likely.
    labels
        (N,) 0 or 1.

    Returns
    -------
    float
        In [0, 1], 0.5 is chance; NaN if one of the classes is absent.

    Raises
    ------
    ConfigError
        The lengths differ, a label is not 0 or 1, or a score is not finite.

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
    # Not `scipy.stats.mannwhitneyu`: it saves one line, but takes three to four times as long for
    # the same number, and importing scipy.stats costs 0.5 s and 34 MB.
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    rank = np.cumsum(sizes) - (sizes - 1) / 2  # mean rank, from 1, of a group of ties
    above = rank[group][labels].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def ece(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Return the expected calibration error of P(corrosion).

    This is the mean over images of ``|mean probability - share of corrosion|`` in their
    bin. Bins have equal width and include their lower edge, and the last also 1.

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
        In [0, 1]; 0 is perfect; NaN without images.

    Raises
    ------
    ConfigError
        The lengths differ, or a value is out of range.

    References
    ----------
    Naeini et al., AAAI 2015 (binary, as here); Guo et al., ICML 2017 (15 bins).
    """
    probabilities, labels = _probabilities(probabilities), _labels(labels)
    _check_lengths("probabilities", probabilities, labels)
    if bins < 1:
        raise ConfigError(f"bins is {bins}; must be at least 1")
    if not labels.size:
        return math.nan
    inner_edges = np.arange(1, bins) / bins
    place = np.searchsorted(inner_edges, probabilities, side="right")
    gap = np.bincount(place, weights=probabilities - labels, minlength=bins)
    return float(np.abs(gap).sum() / labels.size)


def classification_report(
    probabilities: ArrayLike, labels: ArrayLike, threshold: float
) -> dict[str, int | float | None]:
    """Return all metrics of the image-level verdict.

    Parameters
    ----------
    probabilities
        (N,) P(corrosion) in [0, 1].
    labels
        (N,) 0 or 1.
    threshold
        Decision threshold: the verdict is corrosion at or above this probability.

    Returns
    -------
    dict
        n, accuracy, balanced_accuracy (mean recall of the classes that occur),
        precision, recall, f1 (of corrosion), auc, ece. Undefined values are None:
        auc with one class, everything but n without images.

    Raises
    ------
    ConfigError
        The lengths differ, or a value is out of range.
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
    """Compute the baseline mask: a fixed colour rule without learning.

    It marks pixels with hue < 0.11 or > 0.96, saturation > 0.35 and
    0.12 < value < 0.85, as in `skimage.color.rgb2hsv`. It uses integer arithmetic, strip
    by strip to save memory, and is exact: colours exactly on a limit are not marked, whereas
    floating-point rounding would mark 259 such colours of the 16.7 million.

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
        The image has the wrong shape or type.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ConfigError(
            f"image is {image.dtype} with the shape {image.shape}; must be (H, W, 3) uint8, "
            "as returned by images.read"
        )
    mask = np.empty(image.shape[:2], bool)
    rows = max(1, _STRIP_PIXELS // max(1, image.shape[1]))
    for top in range(0, image.shape[0], rows):
        mask[top : top + rows] = _hsv_rule_strip(image[top : top + rows])
    return mask


_NOTHING = Confusion(0, 0, 0, 0)

_STRIP_PIXELS = 1 << 18
"""Pixels per strip of `hsv_rule`: its int16 arrays (0.5 MB each) fit into the CPU cache."""


def _ratio(part: int, whole: int, *, empty: float) -> float:
    return part / whole if whole else empty


def _balanced_accuracy(counts: Confusion) -> float:
    pairs = [(counts.tp, counts.tp + counts.fn), (counts.tn, counts.tn + counts.fp)]
    recalls = [hits / size for hits, size in pairs if size]
    return sum(recalls) / len(recalls) if recalls else math.nan


def _hsv_rule_strip(strip: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Apply the rule: value = r / 255, saturation = spread / r, hue = (g - b) / spread / 6.

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
        raise ConfigError(f"{name} is {mask.dtype}; must be bool, for example {name} > 0")
    return mask


def _scores(name: str, values: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(values, np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ConfigError(f"{name} has the shape {scores.shape}; must be (N,) with finite values")
    return scores


def _probabilities(values: ArrayLike) -> NDArray[np.float64]:
    probabilities = _scores("probabilities", values)
    if ((probabilities < 0) | (probabilities > 1)).any():
        raise ConfigError("probabilities has values outside [0, 1]; give P(corrosion), not logits")
    return probabilities


def _labels(values: ArrayLike) -> NDArray[np.bool_]:
    labels = np.asarray(values)
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise ConfigError(
            f"labels has the shape {labels.shape}; must be (N,) with values 0 (clean) and "
            "1 (corrosion) only"
        )
    return labels.astype(bool)


def _check_lengths(name: str, values: NDArray[np.float64], labels: NDArray[np.bool_]) -> None:
    if values.shape != labels.shape:
        raise ConfigError(
            f"{name} has {values.size} values, labels {labels.size}; the numbers must be equal"
        )
