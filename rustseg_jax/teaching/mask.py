"""From the heat map to the mask: threshold, CRF update by update, and the loss of each stage.

Masks are (H, W) bool at the photo's own size; heat maps float32 in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from rustseg_jax import images, refine
from rustseg_jax.config import CRFParams, Rule
from rustseg_jax.drawing.difference import Difference
from rustseg_jax.errors import ConfigError
from rustseg_jax.evaluate.stage_losses import best_cut, losses, through_grid, worst_of
from rustseg_jax.images.resample import guided_upsample
from rustseg_jax.pipeline import resegment
from rustseg_jax.result import Segmentation

__all__ = [
    "BINS",
    "BY_HAND",
    "CRFSteps",
    "Histogram",
    "Truth",
    "compare_with_truth",
    "crf_steps",
    "histogram",
]

BINS = 40
"""Bars of a histogram: 0.025 of heat each, about 20 of the 784 positions."""

BY_HAND = "by hand"
"""Name of the rule if the threshold was set by hand."""

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Histogram:
    """The distribution of the heat, and the threshold.

    Attributes
    ----------
    edges : (bins + 1,) float64, from 0 to 1; a bin includes its lower edge, the last one both
    counts : (bins,) int, positions of the heat map
    threshold : the threshold that was applied
    rule : its rule: "dynamic", "fixed", "otsu" or `BY_HAND`
    by_rule : threshold of each rule with the parameters of the config
    above : share of the positions at or above the threshold, in [0, 1]
    """

    edges: NDArray[np.float64] = field(repr=False)
    counts: NDArray[np.int64] = field(repr=False)
    threshold: float
    rule: str
    by_rule: Mapping[str, float]
    above: float


def histogram(seg: Segmentation, *, bins: int = BINS) -> Histogram:
    """Compute the histogram of the heat map that the mask was computed from, `seg.heat`.

    Parameters
    ----------
    seg : a result
    bins : number of bins of equal width, at least 2

    Returns
    -------
    `Histogram`

    Raises
    ------
    ConfigError
        `bins` is below 2.
    """
    if bins < 2:
        raise ConfigError(f"bins is {bins}; it must be at least 2")
    config = seg.config.threshold
    by_rule = {
        rule: refine.find_threshold(seg.heat, replace(config, rule=rule)) for rule in get_args(Rule)
    }
    counts, edges = np.histogram(seg.heat, bins=bins, range=(0, 1))
    return Histogram(
        edges=edges,
        counts=counts.astype(np.int64),
        threshold=seg.threshold,
        rule=config.rule if by_rule[config.rule] == seg.threshold else BY_HAND,
        by_rule=by_rule,
        above=float((seg.heat >= np.float32(seg.threshold)).mean()),
    )


@dataclass(frozen=True, eq=False)
class CRFSteps:
    """The dense CRF on one photo, from its input to its output.

    Attributes
    ----------
    image : (H, W, 3) uint8, the photo
    small : (h, w, 3) uint8, the photo at the CRF's working size
    params : the CRF parameters
    unary : (h, w) float32 in (0, 1), the evidence at each pixel as a probability
    posteriors : (h, w) float32 each, before the first update and after each one; fewer
        than ``params.iterations + 1`` if the CRF converged earlier
    changed : share of the working pixels that changed label in each update, in [0, 1]
    areas : share of the working pixels that each posterior labels as corrosion, in [0, 1]
    """

    image: NDArray[np.uint8] = field(repr=False)
    small: NDArray[np.uint8] = field(repr=False)
    params: CRFParams
    unary: Map = field(repr=False)
    posteriors: tuple[Map, ...] = field(repr=False)
    changed: tuple[float, ...]
    areas: tuple[float, ...]

    @property
    def updates(self) -> int:
        """Number of updates."""
        return len(self.posteriors) - 1

    def posterior(self, step: int) -> Map:
        """(H, W) float32 at the photo's size; that of step `updates` equals `seg.posterior`."""
        if not 0 <= step <= self.updates:
            raise ConfigError(f"step is {step}; it must be between 0 and {self.updates}")
        radius, epsilon = self.params.guide_radius, self.params.guide_epsilon
        return guided_upsample(
            self.posteriors[step], self.small, self.image, radius=radius, epsilon=epsilon
        )

    def mask(self, step: int) -> Mask:
        """(H, W) bool at the photo's size; that of step `updates` equals `seg.mask`."""
        return self.posterior(step) >= 0.5


def crf_steps(seg: Segmentation) -> CRFSteps | None:
    """Rerun the CRF of a result on its stored lattice, and record every step.

    A result does not hold an expert's strokes: for a corrected one, these are the steps without
    them.

    Parameters
    ----------
    seg : a result

    Returns
    -------
    `CRFSteps`; None if the CRF was not run (see `seg.reason`). To see what it would have done, pass
    ``dataclasses.replace(seg, corroded=True)``.
    """
    if not (seg.corroded and seg.rough.any()):
        return None
    params = seg.crf
    lattice = seg.lattice
    if lattice is None or lattice.params != params:
        shape = refine.working_shape((seg.image.shape[0], seg.image.shape[1]), params.working_size)
        whole = seg.image.shape[:2] == shape
        lattice = refine.Lattice(seg.image if whole else images.resize(seg.image, shape), params)
    height, width = lattice.image.shape[:2]
    unary = refine.foreground_probability(seg.heat, seg.threshold, shape=(height, width))
    posteriors = tuple(lattice.steps(unary))
    sides = [posterior >= 0.5 for posterior in posteriors]
    return CRFSteps(
        image=seg.image,
        small=lattice.image,
        params=params,
        unary=unary,
        posteriors=posteriors,
        changed=tuple(float((a != b).mean()) for a, b in pairwise(sides)),
        areas=tuple(float(side.mean()) for side in sides),
    )


@dataclass(frozen=True, eq=False)
class Truth:
    """The loss of each stage, measured against the true mask.

    Each stage is evaluated as if the later stages were left out or perfect:

    - "grid": the true mask itself, reduced to the heat map's grid, enlarged again and thresholded
      at one half: no heat map with so few positions can be expected to do better.
    - "heatmap": the heat map at the best threshold for this photo, which is not known in advance.
    - "threshold": the rough mask, at the threshold of the rule.
    - "crf": the mask, whatever the verdict.
    - "verdict": the final mask, empty if the verdict is "no corrosion".

    The losses add up to 1 minus the last IoU.

    Attributes
    ----------
    mask : (H, W) bool, the true mask
    stages : by these names, in this order
    best_threshold : threshold of the stage "heatmap", in [0.01, 1]
    worst : the stage with the largest loss, "" if there is no loss
    """

    mask: Mask = field(repr=False)
    stages: Mapping[str, Difference]
    best_threshold: float
    worst: str


def compare_with_truth(seg: Segmentation, true: Mask) -> Truth:
    """Compare the output of each stage with the true mask.

    Parameters
    ----------
    seg : a result
    true : (H, W) bool at the photo's size

    Returns
    -------
    `Truth`

    Raises
    ------
    ConfigError
        The true mask is not bool or does not have the photo's size.
    """
    if true.dtype != np.bool_ or true.shape != seg.mask.shape:
        raise ConfigError(
            f"true is {true.dtype}{true.shape}; it must be bool{seg.mask.shape}, like the photo"
        )
    free = seg if seg.corroded else resegment(replace(seg, corroded=True))
    best = best_cut(seg.heat, seg.threshold, true)
    masks = {
        "grid": through_grid(true, (seg.heat.shape[0], seg.heat.shape[1])),
        "heatmap": refine.rough_mask(seg.heat, best, seg.mask.shape),
        "threshold": seg.rough,
        "crf": free.mask,
        "verdict": seg.mask,
    }
    lost = losses(masks, true)
    stages = {
        name: Difference(name, loss.iou, loss.lost, mask & true, true & ~mask, mask & ~true)
        for (name, mask), loss in zip(masks.items(), lost.values(), strict=True)
    }
    return Truth(true, stages, best, worst_of(lost))
