"""Look at a photo again: mirrored, shifted, at another size.

Shifts are in pixels of the network's input, to the right and down. Heat maps are
(h, w) float32 in [0, 1] and come back lying as that of the photo does.
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
    """What the network says of a variant; the heat map lies as that of the photo does."""

    probability: float
    heat: Map
    heat_maximum: float


def look_again(seg: Segmentation, model: Classifier, config: UncertaintyConfig) -> tuple[Look, ...]:
    """Show the network the variants of a photo, as it was shown the photo.

    Parameters
    ----------
    seg : what was found in the photo
    model : that found it
    config : which variants

    Returns
    -------
    A `Look` for each of `config.variants`, in that order. A photo that was looked at in
    windows is looked at in windows again, once for each variant.
    """
    return tuple((_whole if seg.tiling is None else _in_windows)(seg, model, config))


def _whole(seg: Segmentation, model: Classifier, config: UncertaintyConfig) -> Iterator[Look]:
    """Show the network the variants: those of one size at once."""
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
    """The same for a large photo: the variants are looked at in windows, as it was."""
    assert seg.tiling is not None
    plan = seg.tiling.plan
    for variant in config.variants:
        shift = round(variant.shift * plan.window / model.config.input_size)
        window = max(STRIDE, round(plan.window / variant.scale))
        tiles = replace(seg.config.tiles, mode="tiles", window=window)
        # Only the heat map is wanted: without its large kernel the CRF costs nothing.
        crf = replace(seg.config.crf, bilateral_compat=0.0, iterations=0)
        varied = segment(
            _varied(seg.image, variant, shift), model, replace(seg.config, tiles=tiles, crf=crf)
        )
        heat = _back(varied.heat, variant, seg.heat.shape)
        yield Look(varied.probability, heat, varied.heat_maximum)


def _varied(photo: Pixels, variant: Variant, shift: int) -> Pixels:
    """Mirror and shift a photo; what the shift uncovers repeats the border."""
    photo = photo[:, ::-1] if variant.mirror else photo
    rows, columns = (np.clip(np.arange(n) - shift, 0, n - 1) for n in photo.shape[:2])
    return photo[rows[:, None], columns] if shift else photo


def _back(heat: Map, variant: Variant, shape: tuple[int, ...]) -> Map:
    """Lay a variant's heat map as that of the photo: (h, w) float32 in [0, 1]."""
    heat = heat[:, ::-1] if variant.mirror else heat
    if variant.shift:  # cubic: half a cell off, linear interpolation would flatten each peak
        heat = ndimage.shift(heat, -variant.shift / STRIDE, order=3, mode="nearest")
    return np.clip(bilinear(np.ascontiguousarray(heat), (shape[0], shape[1])), 0, 1)
