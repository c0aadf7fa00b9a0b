"""Threshold of a heat map, and the resulting rough mask.

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
"""Otsu's separability of a single Gaussian split at its mean; two distant modes give 1."""


def find_threshold(heatmap: Map, config: ThresholdConfig | None = None) -> float:
    """Return the threshold that separates corrosion from the rest of a heat map.

    The dynamic rule: with Otsu's threshold ``o``, its separability
    ``eta = between-class variance / variance`` and ``trust = (eta - 2/pi) /
    (1 - 2/pi)``, clipped to [0, 1], the threshold is ``value + trust * (o - value)``,
    clipped to [low, high]. If a heat map is high everywhere, its histogram has one mode: Otsu's
    threshold [2]_ alone would split the corrosion in two, while this rule keeps it whole.

    RustSEG [1]_ mentions a dynamic threshold; no published formula was
    found, so this rule was designed for this project.

    Parameters
    ----------
    heatmap
        (h, w) floating point in [0, 1].
    config
        The rule and its numbers; ``ThresholdConfig()`` by default.

    Returns
    -------
    The threshold in (0, 1]; the rough mask is where the heat map is at or above it.
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
    """Shift a threshold in log odds, so that it stays in (0, 1).

    Parameters
    ----------
    threshold
        In (0, 1].
    odds
        Shift of its log odds; 0 returns the threshold unchanged.

    Returns
    -------
    The threshold in (0, 1), or the unchanged threshold.
    """
    _check_threshold(threshold)
    if odds == 0:
        return threshold
    return float(expit(logit(min(threshold, 1 - CLIP)) + odds))


def moved_by(threshold: float, found: float) -> float:
    """Return the shift, in log odds, of a threshold relative to the one that was found."""
    if threshold == found:
        return 0.0
    return float(logit(min(threshold, 1 - CLIP)) - logit(min(found, 1 - CLIP)))


def _otsu(heatmap: Map) -> tuple[float | None, float]:
    """Return Otsu's threshold, computed from the values without bins, and its separability."""
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
    """Enlarge a heat map bilinearly and threshold it: True where it is at or above the threshold.

    Parameters
    ----------
    heatmap
        (h, w) floating point in [0, 1].
    threshold
        In (0, 1].
    shape
        (H, W) of the photo, in pixels. Only the memory of the mask grows with it.

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
    """Convert heat-map values to a probability of corrosion that is 0.5 exactly at the threshold.

    Linear from ``1 - confidence`` at 0 to 0.5 at the threshold, and from there to
    `confidence` at 1.

    Parameters
    ----------
    heatmap
        (h, w) floating point in [0, 1].
    threshold
        In (0, 1].
    shape
        (H, W) to which the heat map is first enlarged bilinearly, so that the contour of
        probability 0.5 is the border of `rough_mask`; by default its own shape.
    confidence
        Probability at heat 1, above 0.5 and below 1: how strongly the CRF relies on the heat map.

    Returns
    -------
    (h, w) or `shape`, float32 in [1 - confidence, confidence].
    """
    _check_threshold(threshold)
    if not 0.5 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}; must be above 0.5 and below 1")
    heat = checked_unit(heatmap, "heatmap")
    heat = heat if shape is None else bilinear(heat, shape)
    # No value is above a threshold of 1: any divisor except 0 will do.
    above = (heat - threshold) / ((1 - threshold) or 1)
    signed = np.where(heat < threshold, heat / threshold - 1, above)
    return (0.5 + (confidence - 0.5) * signed).astype(np.float32)


def _check_threshold(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise ConfigError(f"threshold is {threshold}; must be above 0 and at most 1")
