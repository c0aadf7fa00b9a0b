"""Loss of IoU by stage, for a result with a true mask.

Shared by the lesson, which has a whole result, and the labels store, which has the stored heat map,
threshold and masks. Masks are (H, W) bool at the photo's own size, heat maps (h, w) float32 in
[0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rustseg_jax import refine
from rustseg_jax.images.resample import bilinear, bilinear_strips
from rustseg_jax.metrics import Confusion, confusion, iou

__all__ = ["Loss", "best_cut", "losses", "through_grid", "worst_of"]

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]


@dataclass(frozen=True)
class Loss:
    """IoU of a stage in [0, 1], and its loss against the stage before (1 before the first)."""

    iou: float
    lost: float


def losses(masks: Mapping[str, Mask], true: Mask, ignore: Mask | None = None) -> dict[str, Loss]:
    """Return the loss of each stage; their sum is 1 less the last IoU.

    Parameters
    ----------
    masks : by stage, in the order of the method
    true : the true mask
    ignore : pixels that are not counted; None counts all
    """
    by_stage: dict[str, Loss] = {}
    before = 1.0
    for name, mask in masks.items():
        value = iou(confusion(mask, true, ignore))
        by_stage[name] = Loss(value, before - value)
        before = value
    return by_stage


def worst_of(by_stage: Mapping[str, Loss]) -> str:
    """Name the stage that lost most, the first on a tie; "" if nothing was lost."""
    name = max(by_stage, key=lambda stage: by_stage[stage].lost)
    return name if by_stage[name].lost > 0 else ""


def through_grid(true: Mask, grid: tuple[int, int]) -> Mask:
    """The best mask of this grid: the true share of each cell, enlarged, thresholded at half."""
    shares = np.clip(bilinear(true.astype(np.float32), grid), 0, 1)
    return refine.rough_mask(shares, 0.5, true.shape)


def best_cut(heat: Map, applied: float, true: Mask, ignore: Mask | None = None) -> float:
    """Return the threshold with the largest IoU: in steps of 0.01, or the one applied."""
    cuts = np.unique(np.append(np.arange(1, 101) / 100, applied))
    kept = np.zeros((2, cuts.size + 1), np.int64)  # pixels above this many thresholds, by truth
    for rows, values in bilinear_strips(heat.astype(np.float32), true.shape):
        seen = np.ones(values.size, bool) if ignore is None else ~ignore[rows].ravel()
        place = np.searchsorted(cuts.astype(np.float32), values.ravel()[seen], side="right")
        inside = true[rows].ravel()[seen]
        for row, part in enumerate((place[~inside], place[inside])):
            kept[row] += np.bincount(part, minlength=cuts.size + 1)
    false, hits = kept[:, ::-1].cumsum(1)[:, ::-1][:, 1:]  # marked at each threshold
    total = int(kept[1].sum())
    scores = [
        iou(Confusion(int(h), int(f), total - int(h), 0)) for f, h in zip(false, hits, strict=True)
    ]
    return float(cuts[int(np.argmax(scores))])
