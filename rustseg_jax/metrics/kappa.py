"""Agreement beyond chance: Cohen's kappa for two raters, Fleiss' kappa for several.

1 is full agreement, 0 is chance level, negative values are below chance. Kappa is undefined (NaN)
if all raters put all items into the same category, because chance would do the same.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rustseg_jax.errors import ConfigError

__all__ = ["cohens_kappa", "fleiss_kappa"]


def cohens_kappa(table: ArrayLike) -> float:
    """Return Cohen's kappa of two raters: (p_o - p_e) / (1 - p_e).

    p_o is the observed share of items on which the raters agree, p_e the share expected if each
    assigned the categories at random with unchanged frequencies.

    Parameters
    ----------
    table : (K, K) counts: items that the first rater put into row i and the second into column j

    References
    ----------
    Cohen, "A coefficient of agreement for nominal scales", 1960.

    Examples
    --------
    >>> round(cohens_kappa([[20, 5], [10, 15]]), 6)
    0.4
    """
    counts = _counts("table", table)
    if counts.shape[0] != counts.shape[1]:
        raise ConfigError(f"table has the shape {counts.shape}; must be square")
    total = counts.sum()
    if total == 0:
        return math.nan
    observed = np.trace(counts) / total
    expected = float(counts.sum(0) @ counts.sum(1)) / total**2
    return _beyond_chance(observed, expected)


def fleiss_kappa(counts: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return Fleiss' kappa of several raters.

    P_i = (sum_j n_ij^2 - n_i) / (n_i (n_i - 1)) is the share of pairs of raters that agree on
    item i; p_j is the share of all ratings that are category j; kappa is
    (mean P_i - sum p_j^2) / (1 - sum p_j^2). The number of raters can differ from item to
    item; items with fewer than two ratings are excluded.

    Parameters
    ----------
    counts : (N, K), number of raters who put item i into category j
    weights : (N,), number of items with these counts; None for one each

    References
    ----------
    Fleiss, "Measuring nominal scale agreement among many raters", 1971.
    """
    table = _counts("counts", counts)
    often = np.ones(len(table)) if weights is None else np.asarray(weights, np.float64)
    raters = table.sum(1)
    kept = raters >= 2
    table, raters, often = table[kept], raters[kept], often[kept]
    if often.sum() == 0:
        return math.nan
    pairs = ((table**2).sum(1) - raters) / (raters * (raters - 1))
    observed = float((pairs * often).sum() / often.sum())
    shares = (table * often[:, None]).sum(0) / (raters * often).sum()
    return _beyond_chance(observed, float((shares**2).sum()))


def _beyond_chance(observed: float, expected: float) -> float:
    # Sums of shares equal 1 only up to rounding.
    return math.nan if 1 - expected < 1e-12 else float((observed - expected) / (1 - expected))


def _counts(name: str, values: ArrayLike) -> NDArray[np.float64]:
    counts = np.asarray(values, np.float64)
    if counts.ndim != 2 or not np.isfinite(counts).all() or (counts < 0).any():
        raise ConfigError(
            f"{name} has the shape {counts.shape}; must be (N, K) counts of at least 0"
        )
    return counts
