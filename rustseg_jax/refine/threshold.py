"""The threshold of a heat map, and the rough mask that it cuts.

Heat maps are (h, w) float32 in [0, 1]; masks (H, W) bool.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from rustseg_jax.config import ThresholdConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.images.resample import Map, Shape, bilinear, bilinear_strips
from rustseg_jax.refine.crf import (
    CLIP,
    Mask,
    checked_unit,
)

__all__ = [
    "find_threshold",
    "foreground_probability",
    "moved_by",
    "moved_threshold",
    "rough_mask",
]


ONE_HUMP = 2 / np.pi
"""Otsu's separability of a single Gaussian hump split at its mean; two far humps give 1."""


def find_threshold(heatmap: Map, config: ThresholdConfig | None = None) -> float:
    """Return the threshold that separates corrosion from the rest of a heat map.

    The dynamic rule: with Otsu's threshold ``o``, its separability
    ``eta = between-class variance / variance`` and ``trust = (eta - 2/pi) /
    (1 - 2/pi)``, cut to [0, 1], the threshold is ``value + trust * (o - value)``,
    cut to [low, high]. A heat map that is warm all over has one hump: Otsu alone
    would cut the corrosion in two, while this keeps it whole.

    RustSEG [1]_ names a dynamic threshold; its formula is not in public text
    that could be found, so this rule is our own.

    Parameters
    ----------
    heatmap
        (h, w) floating point in [0, 1].
    config
        The rule and its numbers; ``ThresholdConfig()`` when left out.

    Returns
    -------
    The threshold in (0, 1]. Corrosion is where the heat map is at or above it.
    ``otsu`` returns `config.value` for a constant heat map, which has no Otsu threshold.

    Raises
    ------
    ConfigError
        The heat map is not a finite (h, w) array in [0, 1].

    References
    ----------
    .. [1] Burton et al., "RustSEG: Automated segmentation of corrosion using
       deep learning", 2022.
    .. [2] Otsu, "A threshold selection method from gray-level histograms",
       IEEE Trans. SMC 9(1), 1979.

    Examples
    --------
    >>> import numpy as np
    >>> find_threshold(np.array([[0.0, 0.0], [0.0, 1.0]]), ThresholdConfig("otsu"))
    0.5
    """
    config = config or ThresholdConfig()
    heatmap = checked_unit(heatmap, "heatmap")
    if config.rule == "fixed":
        return config.value
    otsu, separability = _otsu(heatmap)
    if config.rule == "otsu":
        return config.value if otsu is None else otsu
    if otsu is None:
        return min(max(config.value, config.low), config.high)
    trust = min(max((separability - ONE_HUMP) / (1 - ONE_HUMP), 0.0), 1.0)
    return min(max(config.value + trust * (otsu - config.value), config.low), config.high)


def moved_threshold(threshold: float, odds: float) -> float:
    """Move a threshold in log odds, which never leave (0, 1).

    Parameters
    ----------
    threshold
        In (0, 1].
    odds
        What is added to its log odds; 0 gives back the threshold itself.

    Returns
    -------
    The threshold in (0, 1), or what was given.
    """
    _check_threshold(threshold)
    if odds == 0:
        return threshold
    return float(expit(logit(min(threshold, 1 - CLIP)) + odds))


def moved_by(threshold: float, found: float) -> float:
    """Say by how many log odds a threshold was moved from the one that was found."""
    if threshold == found:
        return 0.0
    return float(logit(min(threshold, 1 - CLIP)) - logit(min(found, 1 - CLIP)))


def _otsu(heatmap: Map) -> tuple[float | None, float]:
    """Return Otsu's threshold, of the values and not of bins, and its separability."""
    values = np.sort(heatmap.astype(np.float64), axis=None)
    variance = values.var()
    cuts = np.flatnonzero(np.diff(values) > 0) + 1
    if cuts.size == 0:
        return None, 0.0
    share = cuts / values.size
    sums = np.cumsum(values)[cuts - 1]
    gap = (values.sum() - sums) / (values.size - cuts) - sums / cuts
    between = share * (1 - share) * gap**2
    best = int(np.argmax(between))
    cut = cuts[best]
    return float((values[cut - 1] + values[cut]) / 2), float(between[best] / variance)


def rough_mask(heatmap: Map, threshold: float, shape: Shape) -> Mask:
    """Enlarge a heat map bilinearly and cut it: True where it is at or above the threshold.

    Parameters
    ----------
    heatmap
        (h, w) floating point in [0, 1].
    threshold
        In (0, 1].
    shape
        (H, W) of the photo, in pixels. Memory beyond the mask does not grow with it.

    Returns
    -------
    (H, W) bool.
    """
    _check_threshold(threshold)
    mask = np.empty(shape, np.bool_)
    for rows, values in bilinear_strips(checked_unit(heatmap, "heatmap"), shape):
        np.greater_equal(values, threshold, out=mask[rows])
    return mask


def foreground_probability(
    heatmap: Map, threshold: float, *, shape: Shape | None = None, confidence: float = 0.95
) -> Map:
    """Turn heat into a probability of corrosion that is 0.5 exactly at the threshold.

    Linear from ``1 - confidence`` at heat 0 to 0.5 at the threshold, and on to
    `confidence` at heat 1.

    Parameters
    ----------
    heatmap
        (h, w) floating point in [0, 1].
    threshold
        In (0, 1].
    shape
        (H, W) to enlarge the heat map to beforehand, bilinearly, so that the line of
        probability 0.5 is the border of `rough_mask`; its own shape when left out.
    confidence
        Probability at heat 1, above 0.5 and below 1: how far the CRF may trust the heat.

    Returns
    -------
    (h, w) or `shape`, float32 in [1 - confidence, confidence].
    """
    _check_threshold(threshold)
    if not 0.5 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}: use above 0.5 and below 1")
    heat = checked_unit(heatmap, "heatmap")
    heat = heat if shape is None else bilinear(heat, shape)
    # At the threshold 1 nothing is above it: any divisor but 0 will do.
    above = (heat - threshold) / ((1 - threshold) or 1)
    signed = np.where(heat < threshold, heat / threshold - 1, above)
    return (0.5 + (confidence - 0.5) * signed).astype(np.float32)


def _check_threshold(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise ConfigError(f"threshold is {threshold}: use above 0, up to 1")
