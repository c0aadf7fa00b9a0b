"""Combine the masks of several raters, by majority or weighted by estimated reliability (STAPLE).

Masks are (H, W) bool; each can have a second one for pixels that its rater marked "can't tell".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Staple", "majority", "staple"]

Mask = NDArray[np.bool_]

_FIRST_GUESS = 0.99999  # initial sensitivity and specificity of each rater, as in ITK's STAPLE
_STEPS, _STILL = 500, 1e-9


@dataclass(frozen=True, eq=False)
class Staple:
    """Result of STAPLE.

    Attributes
    ----------
    probability : (H, W) float64 in [0, 1], probability of corrosion at each pixel; where no rater
        can tell, the share of corrosion among all ratings
    sensitivity : (n,) share of the corrosion that each rater marks
    specificity : (n,) share of the rest that each rater leaves unmarked
    steps : number of iterations
    """

    probability: NDArray[np.float64] = field(repr=False)
    sensitivity: NDArray[np.float64]
    specificity: NDArray[np.float64]
    steps: int


def majority(masks: Sequence[Mask], ignores: Sequence[Mask | None]) -> tuple[Mask, Mask]:
    """Return where more than half of the raters who can tell mark corrosion.

    Parameters
    ----------
    masks : n of (H, W) bool
    ignores : n of (H, W) bool, where the rater cannot tell, or None

    Returns
    -------
    (mask, ignore) : pixels are ignored if there is a tie or no rater can tell
    """
    votes, told = np.zeros(masks[0].shape, np.int64), np.zeros(masks[0].shape, np.int64)
    for mask, ignore in zip(masks, ignores, strict=True):
        knows = np.ones_like(mask) if ignore is None else ~ignore
        votes += mask & knows
        told += knows
    return 2 * votes > told, 2 * votes == told


def staple(masks: Sequence[Mask], ignores: Sequence[Mask | None] = ()) -> Staple:
    """Estimate the true mask and the reliability of each rater, in alternating steps.

    Let d_ij be the label of rater j for pixel i, p_j and q_j the rater's sensitivity and
    specificity, and g the share of corrosion among all ratings. The probability of corrosion is
    W_i = g a_i / (g a_i + (1 - g) b_i), where a_i = prod_j p_j^d_ij (1 - p_j)^(1 - d_ij) and
    b_i = prod_j (1 - q_j)^d_ij q_j^(1 - d_ij). Then p_j = sum_i W_i d_ij / sum_i W_i and
    q_j = sum_i (1 - W_i)(1 - d_ij) / sum_i (1 - W_i). Both steps repeat until convergence.

    Pixels with equal ratings are grouped, so that the cost depends on the number of distinct
    rating patterns, not on the number of pixels.

    Parameters
    ----------
    masks : n of (H, W) bool
    ignores : n of (H, W) bool, where the rater cannot tell, or None; () if there are none

    Returns
    -------
    `Staple`

    References
    ----------
    Warfield, Zou and Wells, "Simultaneous truth and performance level estimation (STAPLE)",
    IEEE Trans. Medical Imaging 23(7), 2004.
    """
    ignores = ignores or [None] * len(masks)
    said, often, kind_of = _kinds(masks, ignores)
    told = said >= 0
    yes = said == 1
    prior = float((yes * often[:, None]).sum() / max((told * often[:, None]).sum(), 1))
    p = np.full(len(masks), _FIRST_GUESS)
    q = p.copy()
    weight = np.full(len(said), prior)
    steps, moved = 0, np.inf
    while steps < _STEPS and moved >= _STILL:
        steps += 1
        weight = _weigh(yes, told, prior, p, q)
        new_p = _share((weight * often)[:, None] * told, yes, p)
        new_q = _share(((1 - weight) * often)[:, None] * told, ~yes, q)
        moved = max(np.abs(new_p - p).max(), np.abs(new_q - q).max())
        p, q = new_p, new_q
    return Staple(weight[kind_of].reshape(masks[0].shape), p, q, steps)


def _kinds(
    masks: Sequence[Mask], ignores: Sequence[Mask | None]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the rating patterns, their counts, and the pattern index of each pixel.

    Patterns are (kinds, n) of 1 (corrosion), 0 (clean) and -1 (cannot tell).
    """
    code = np.zeros(masks[0].size, np.int64)
    for mask, ignore in zip(masks, ignores, strict=True):
        part = mask.ravel().astype(np.int64)
        if ignore is not None:
            part[ignore.ravel()] = 2
        code = 3 * code + part
    kinds, kind_of, often = np.unique(code, return_inverse=True, return_counts=True)
    digits = kinds[:, None] // 3 ** np.arange(len(masks))[::-1] % 3
    return np.where(digits == 2, -1, digits), often, kind_of.ravel()


def _weigh(
    yes: Mask, told: Mask, prior: float, p: NDArray[np.float64], q: NDArray[np.float64]
) -> NDArray[np.float64]:
    if prior in (0.0, 1.0):
        return np.full(len(yes), prior)
    a = prior * np.where(told, np.where(yes, p, 1 - p), 1).prod(1)
    b = (1 - prior) * np.where(told, np.where(yes, 1 - q, q), 1).prod(1)
    both = a + b
    return np.divide(a, both, out=np.full(len(a), prior), where=both > 0)


def _share(
    weights: NDArray[np.float64], hit: Mask, before: NDArray[np.float64]
) -> NDArray[np.float64]:
    total = weights.sum(0)
    return np.divide((weights * hit).sum(0), total, out=before.copy(), where=total > 0)
