"""Test-time augmentation: run the network on mirrored, shifted and rescaled variants of a photo.

Shifts are in pixels of the network's input, to the right and down. Heat maps are
(h, w) float32 in [0, 1] and are returned aligned with the photo.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rustseg_jax import images, localise
from rustseg_jax.classify import Classifier
from rustseg_jax.config import CORROSION, STRIDE, UncertaintyConfig, Variant
from rustseg_jax.images.resample import bilinear
from rustseg_jax.pipeline import segment
from rustseg_jax.result import Segmentation

__all__ = ["Look", "UncertaintyConfig", "Variant", "look_again"]

Map = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class Look(NamedTuple):
    """Output of the network for a variant; the heat map is aligned with the photo."""

    probability: float
    heat: Map
    heat_maximum: float


def look_again(seg: Segmentation, model: Classifier, config: UncertaintyConfig) -> tuple[Look, ...]:
    """Run the network on the variants of a photo, in the same way as on the photo itself.

    Parameters
    ----------
    seg : result for the photo
    model : the model of this result
    config : the variants

    Returns
    -------
    A `Look` for each of `config.variants`, in that order. If the photo was tiled, each variant
    is tiled too.
    """
    return tuple((_whole if seg.tiling is None else _in_windows)(seg, model, config))


def _whole(seg: Segmentation, model: Classifier, config: UncertaintyConfig) -> Iterator[Look]:
    """Run the network on the variants, those of equal size together."""
    variants, side = config.variants, model.config.input_size
    for scale in dict.fromkeys(v.scale for v in variants):
        group = [v for v in variants if v.scale == scale]
        size = max(STRIDE, STRIDE * round(side * scale / STRIDE))
        square = images.resize(seg.image, (size, size))
        x = jnp.asarray(np.stack([_varied(square, v, v.shift) for v in group]))
        x = x.astype(jnp.float32) / jnp.float32(255)
        output = model(x)
        heats, maxima = localise.localise(
            model, x, output, class_index=CORROSION, config=seg.config.localise
        )
        outputs = zip(
            group,
            model.probability(np.asarray(model.verdict(x, output))),
            np.asarray(heats),
            np.asarray(maxima),
            strict=True,
        )
        for variant, probability, heat, maximum in outputs:
            back = _back(heat, variant, seg.heatmap.shape)
            yield Look(float(probability), back, float(maximum))


def _in_windows(seg: Segmentation, model: Classifier, config: UncertaintyConfig) -> Iterator[Look]:
    """Run the network on the tiles of each variant of a large photo."""
    assert seg.tiling is not None
    plan = seg.tiling.plan
    for variant in config.variants:
        shift = round(variant.shift * plan.window / model.config.input_size)
        window = max(STRIDE, round(plan.window / variant.scale))
        tiles = replace(seg.config.tiles, mode="tiles", window=window)
        # Only the heat map is needed; without its appearance kernel the CRF costs little.
        crf = replace(seg.config.crf, bilateral_compat=0.0, iterations=0)
        varied = segment(
            _varied(seg.image, variant, shift), model, replace(seg.config, tiles=tiles, crf=crf)
        )
        heat = _back(varied.heat, variant, seg.heat.shape)
        yield Look(varied.probability, heat, varied.heat_maximum)


def _varied(photo: Pixels, variant: Variant, shift: int) -> Pixels:
    """Mirror and shift a photo; areas uncovered by the shift repeat the border."""
    photo = photo[:, ::-1] if variant.mirror else photo
    rows, columns = (np.clip(np.arange(n) - shift, 0, n - 1) for n in photo.shape[:2])
    return photo[rows[:, None], columns] if shift else photo


def _back(heat: Map, variant: Variant, shape: tuple[int, ...]) -> Map:
    """Align a variant's heat map with the photo: (h, w) float32 in [0, 1]."""
    heat = heat[:, ::-1] if variant.mirror else heat
    if variant.shift:  # cubic: at half a cell, linear interpolation would flatten the peaks
        heat = ndimage.shift(heat, -variant.shift / STRIDE, order=3, mode="nearest")
    return np.clip(bilinear(np.ascontiguousarray(heat), (shape[0], shape[1])), 0, 1)
