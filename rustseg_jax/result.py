"""The result of a segmentation: `Segmentation`, with the `Config` it was made with.

`rustseg_jax.pipeline` computes it once; the pages, the command line, the labels store and the
metrics all use this one object, so no stage is computed twice.
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

# Reasons for an empty mask.
NO_CORROSION = "the classifier finds no corrosion"
NO_HEAT = "the classifier finds corrosion, but the heat map is below the threshold everywhere"
NOTHING_LEFT = "the CRF removed all of the rough mask: no colour edges support it"


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Result for one photo, stage by stage.

    Attributes
    ----------
    image : (H, W, 3) uint8, upright sRGB
    probability : calibrated P(corrosion) in [0, 1]
    corroded : probability >= config.decision_threshold
    reason : reason for an empty mask, or ""
    heatmap : (28, 28) float32 in [0, 1], of the corrosion class; always present. For a tiled
        photo it is `fine_heatmap` downscaled
    heat_maximum : value by which the heat map was divided; for a score map, which is not
        divided, its maximum
    threshold : the threshold that was applied to the heat map
    rough : (H, W) bool, heat map at the photo's size, thresholded
    posterior : (H, W) float32 in [0, 1] from the CRF, or None if it did not run
    mask : (H, W) bool; all False if not corroded
    stages : name -> array, in the order of the method
    timings : seconds by stage
    config : options of the result
    model : identification of the weights
    tiling : the tiles of a large photo and their results; None if it was analysed whole
    fine_heatmap : (h, w) float32 in [0, 1], the blended heat maps of tiles and whole photo, from
        which threshold, rough mask and mask were made; None without tiles
    heat : the heat map that the mask was made from: `fine_heatmap` if present, else `heatmap`
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
        """The output of the network for the photo."""
        return Evidence(
            self.probability, self.heatmap, self.heat_maximum, self.tiling, self.fine_heatmap
        )

    @property
    def heat(self) -> np.ndarray:
        """The heat map that the mask was made from: the fine one if present."""
        return self.evidence.heat

    @property
    def crf(self) -> CRFParams:
        """The CRF parameters for this photo: `config.crf`, adapted to its tiles."""
        return self.evidence.crf(self.config)

    @property
    def area(self) -> float:
        """Share of the image covered by the mask, in [0, 1]."""
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
