"""Output of the network for a photo: probability and heat map, whole or in tiles."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import numpy as np

from rustseg_jax import images, localise
from rustseg_jax.classify import Classifier, Output
from rustseg_jax.config import CLEAN, CORROSION, Config, CRFParams
from rustseg_jax.tiling import windows
from rustseg_jax.tiling.plan import Plan, Tiling, crf_of, plan_tiles, reduce

__all__ = ["Evidence", "look", "look_closer", "network_input", "plan_of"]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Output of the network for a photo; later stages need only this and the photo.

    Attributes
    ----------
    probability : calibrated P(corrosion) in [0, 1]
    heatmap : (28, 28) float32 in [0, 1], of the corrosion class
    heat_maximum : value by which the heat map was divided, see `Segmentation`
    tiling : the tiles of a large photo, or None
    fine_heatmap : (h, w) float32 in [0, 1], of tiles and whole photo, or None
    """

    probability: float
    heatmap: np.ndarray = field(repr=False)
    heat_maximum: float
    tiling: Tiling | None = None
    fine_heatmap: np.ndarray | None = field(repr=False, default=None)

    @property
    def heat(self) -> np.ndarray:
        """The heat map that the mask is made from: the fine one if present."""
        return self.heatmap if self.fine_heatmap is None else self.fine_heatmap

    def crf(self, config: Config) -> CRFParams:
        """Return the CRF parameters for this photo: `config.crf`, adapted to its tiles."""
        return crf_of(self.tiling.plan if self.tiling else None, config.crf, config.tiles)


def network_input(photo: np.ndarray, model: Classifier) -> np.ndarray:
    """Convert (H, W, 3) uint8 to (1, 448, 448, 3) float32 in [0, 1], stretched as in training."""
    side = model.config.input_size
    return images.resize(photo, (side, side)).astype(np.float32)[None] / np.float32(255)


def plan_of(photo: np.ndarray, model: Classifier, config: Config) -> Plan | None:
    """Return the tiles in which a photo will be analysed; None if it is analysed whole."""
    shape = (photo.shape[0], photo.shape[1])
    return plan_tiles(shape, config.tiles, input_size=model.config.input_size)


def look(
    model: Classifier, x: jax.Array, output: Output, verdict: jax.Array, config: Config
) -> list[tuple[Evidence, float]]:
    """Return the evidence of a batch of whole photos.

    Parameters
    ----------
    model, x, output : the network, (B, H, W, 3) float32 in [0, 1], and its output for them
    verdict : (B, 2) logits, `Classifier.verdict`
    config : method of the heat map

    Returns
    -------
    For each photo its evidence, and its margin: the logit of corrosion minus that of clean
    """
    heat, maximum = localise.localise(
        model, x, output, class_index=CORROSION, config=config.localise
    )
    logits = np.asarray(verdict, np.float64)
    photos = zip(
        logits[:, CORROSION] - logits[:, CLEAN],
        model.probability(logits),
        np.asarray(heat),
        np.asarray(maximum),
        strict=True,
    )
    return [
        (Evidence(float(p), heatmap, float(peak)), float(margin))
        for margin, p, heatmap, peak in photos
    ]


def look_closer(
    photo: np.ndarray,
    model: Classifier,
    plan: Plan,
    whole: tuple[Evidence, float],
    config: Config,
) -> Evidence:
    """Analyse a large photo in tiles and combine the result with that of the whole photo.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    model : the network
    plan : tiles of this photo
    whole : result of `look` for the whole photo
    config : method of the heat map, and weight of the whole photo's heat map

    Returns
    -------
    The combined evidence
    """
    evidence, margin = whole
    top = np.array([evidence.heat_maximum], np.float32)
    heat = windows.absolute(evidence.heatmap[None], top, config.localise)
    views, share = windows.Views(np.array([margin]), heat), config.tiles.whole_share
    closer = windows.look_closer(photo, model, plan, views, config.localise, share=share)
    return Evidence(
        probability=closer.probability,
        heatmap=reduce(closer.heat, plan.cells),
        heat_maximum=closer.maximum,
        tiling=closer.tiling,
        fine_heatmap=closer.heat,
    )
