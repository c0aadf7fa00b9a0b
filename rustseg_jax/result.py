"""What is chosen and what is found: `Config` in, `Segmentation` out.

A `Segmentation` is computed once, by `rustseg_jax.pipeline`, and then travels to
the page, the command line, the store and the metrics; nobody recomputes a stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from rustseg_jax.config import Config, CRFParams
from rustseg_jax.refine import Lattice
from rustseg_jax.tiling.evidence import Evidence
from rustseg_jax.tiling.plan import Tiling

__all__ = ["NOTHING_LEFT", "NO_CORROSION", "NO_HEAT", "Config", "Segmentation"]

# Reasons of an empty mask.
NO_CORROSION = "the classifier finds no corrosion"
NO_HEAT = "the classifier finds corrosion, but no part of the picture speaks for it"
NOTHING_LEFT = "the refinement left nothing of the rough mask: no colour edge holds it together"


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What was found in one photo, stage by stage.

    Attributes
    ----------
    image : (H, W, 3) uint8, upright sRGB
    probability : calibrated P(corrosion) in [0, 1]
    corroded : probability >= config.decision_threshold
    reason : why the mask is empty, or ""
    heatmap : (28, 28) float32 in [0, 1], of the corrosion class; always there. Of a photo
        looked at in windows it is `fine_heatmap` made small
    heat_maximum : what the heat map was divided by; of a score map, which is not divided, its
        own maximum
    threshold : the dynamic threshold that was applied to the heat map
    rough : (H, W) bool, heat map at the photo's size against the threshold
    posterior : (H, W) float32 in [0, 1] from the CRF, or None where it did not run
    mask : (H, W) bool; all False when not corroded
    stages : name -> array, in the order of the method
    timings : seconds by stage
    config : what was chosen
    model : what identifies the weights
    tiling : the windows in which a large photo was looked at, and what they said; None
        where it was looked at whole
    fine_heatmap : (h, w) float32 in [0, 1], the blended heat maps of windows and whole, from
        which threshold, rough mask and mask were made; None where there were no windows
    heat : the heat map that the mask was made from, `fine_heatmap` or else `heatmap`
    """

    image: np.ndarray = field(repr=False)
    probability: float
    corroded: bool
    reason: str
    heatmap: np.ndarray = field(repr=False)
    heat_maximum: float
    threshold: float
    rough: np.ndarray = field(repr=False)
    posterior: np.ndarray | None = field(repr=False)
    mask: np.ndarray = field(repr=False)
    timings: Mapping[str, float]
    config: Config = field(repr=False)
    model: Mapping[str, Any] = field(repr=False)
    lattice: Lattice | None = field(repr=False, default=None)
    tiling: Tiling | None = None
    fine_heatmap: np.ndarray | None = field(repr=False, default=None)

    @property
    def evidence(self) -> Evidence:
        """What the network said of the photo."""
        return Evidence(
            self.probability, self.heatmap, self.heat_maximum, self.tiling, self.fine_heatmap
        )

    @property
    def heat(self) -> np.ndarray:
        """The heat map that the mask was made from: the fine one where there is one."""
        return self.evidence.heat

    @property
    def crf(self) -> CRFParams:
        """The CRF's parameters for this photo: `config.crf`, adapted to its windows."""
        return self.evidence.crf(self.config)

    @property
    def area(self) -> float:
        """Share of the picture that the mask covers, in [0, 1]."""
        return float(self.mask.mean())

    @property
    def stages(self) -> Mapping[str, np.ndarray]:
        """The stages as arrays, in the order of the method."""
        arrays = {"photo": self.image, "heatmap": self.heatmap}
        if self.fine_heatmap is not None:
            arrays["fine_heatmap"] = self.fine_heatmap
        arrays["rough"] = self.rough
        if self.posterior is not None:
            arrays["posterior"] = self.posterior
        return MappingProxyType({**arrays, "mask": self.mask})
