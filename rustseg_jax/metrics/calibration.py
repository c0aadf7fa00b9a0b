"""Curves and intervals of verdicts: reliability diagram, ROC and precision-recall, Wilson interval.

Probabilities are P(corrosion) in [0, 1], labels 0 (clean) or 1 (corrosion); all results are
plain numbers that can be written as JSON.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rustseg_jax.errors import ConfigError

__all__ = ["BINS", "operating_points", "reliability", "wilson"]

BINS = 15
"""As in `metrics.ece` (Guo et al. 2017), so that the diagram matches that number."""

_Z = 1.959964
"""Quantile of the normal distribution for a 95 % interval."""


def reliability(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = BINS
) -> list[dict[str, Any]]:
    """Compare predicted probabilities with the observed share of corrosion, in equal-width bins.

    Bins include their lower edge, and the last also 1, as in `metrics.ece`, which is the mean
    over images of ``|probability - share|`` of their bin.

    Parameters
    ----------
    probabilities
        (N,) in [0, 1].
    labels
        (N,) 0 or 1.
    bins
        At least 1.

    Returns
    -------
    list of dict
        For each bin: low and high (its edges), n, probability (mean) and share (of corrosion);
        the last two are None in a bin without images.

    Raises
    ------
    ConfigError
        The lengths differ, or a value is out of range.
    """
    p, rust = _checked(probabilities, labels)
    if bins < 1:
        raise ConfigError(f"bins is {bins}; must be at least 1")
    place = np.searchsorted(np.arange(1, bins) / bins, p, side="right")
    return [
        {"low": k / bins, "high": (k + 1) / bins, **_bin(p[place == k], rust[place == k])}
        for k in range(bins)
    ]


def _bin(p: np.ndarray, rust: np.ndarray) -> dict[str, Any]:
    if not p.size:
        return {"n": 0, "probability": None, "share": None}
    return {"n": int(p.size), "probability": float(p.mean()), "share": float(rust.mean())}


def operating_points(probabilities: ArrayLike, labels: ArrayLike) -> dict[str, Any]:
    """Count true and false positives at each decision threshold, for ROC and precision-recall.

    Parameters
    ----------
    probabilities
        (N,) in [0, 1].
    labels
        (N,) 0 or 1.

    Returns
    -------
    dict
        corroded and clean (number of images), and three lists of equal length, from the
        highest threshold down: threshold (each distinct probability), tp and fp
        (corroded and clean images with at least that probability).

    Raises
    ------
    ConfigError
        The lengths differ, or a value is out of range.
    """
    p, rust = _checked(probabilities, labels)
    thresholds, place = np.unique(-p, return_inverse=True)
    size = thresholds.size
    tp = np.cumsum(np.bincount(place, weights=rust, minlength=size))
    fp = np.cumsum(np.bincount(place, weights=~rust, minlength=size))
    return {
        "corroded": int(rust.sum()),
        "clean": int((~rust).sum()),
        "threshold": [float(t) for t in np.abs(thresholds)],  # avoids -0.0
        "tp": [int(n) for n in tp],
        "fp": [int(n) for n in fp],
    }


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a proportion, `right` of `n` images (Wilson 1927).

    Raises
    ------
    ConfigError
        n is below 1, or right is not between 0 and n.
    """
    if n < 1 or not 0 <= right <= n:
        raise ConfigError(f"right is {right}, n is {n}; must be 0 <= right <= n and n >= 1")
    # Not `scipy.stats.binomtest`: it saves no lines with these checks, importing scipy.stats, which
    # nothing else here needs, costs 0.5 s and 34 MB, and a call takes 1.3 ms, not a microsecond.
    share, extra = right / n, _Z**2 / n
    middle = (share + extra / 2) / (1 + extra)
    half = _Z * math.sqrt(share * (1 - share) / n + extra / (4 * n)) / (1 + extra)
    return max(0.0, middle - half), min(1.0, middle + half)


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    p, rust = np.asarray(probabilities, np.float64), np.asarray(labels)
    if p.ndim != 1 or p.shape != rust.shape:
        raise ConfigError(
            f"probabilities has the shape {p.shape}, labels {rust.shape}; both must be (N,)"
        )
    if not ((p >= 0) & (p <= 1)).all():
        raise ConfigError("probabilities has values outside [0, 1]; give P(corrosion), not logits")
    if not np.isin(rust, (0, 1)).all():
        raise ConfigError("labels has values other than 0 (clean) and 1 (corrosion)")
    return p, rust.astype(bool)
