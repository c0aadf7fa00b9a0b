"""Look at a photo again: mirrored, shifted, at another size.

Shifts are in pixels of the network's input, to the right and down. Heat maps are
(h, w) float32 in [0, 1] and come back lying as that of the photo does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from rustseg_jax import images, localise
from rustseg_jax.classify import CORROSION, STRIDE, Classifier
from rustseg_jax.errors import ConfigError
from rustseg_jax.pipeline import segment
from rustseg_jax.result import Segmentation
from rustseg_jax.upsample import bilinear

__all__ = ["Look", "UncertaintyConfig", "Variant", "look_again"]

Map = NDArray[np.float32]
Photo = NDArray[np.uint8]


class Variant(NamedTuple):
    """One way to look at a photo again.

    Attributes
    ----------
    mirror : left to right
    shift : pixels of the network's input to the right and down; the border is repeated
    scale : size relative to the network's input
    """

    mirror: bool = False
    shift: int = 0
    scale: float = 1.0


@dataclass(frozen=True)
class UncertaintyConfig:
    """Which variants are looked at, and what the interval should cover.

    Attributes
    ----------
    mirror : look at the mirror image
    shift : look at the photo shifted by so many pixels of the network's input to both
        sides, 0 for neither; 8 is half a cell of the heat map, where it differs most
    scales : look at the photo at these sizes, relative to the network's input, 0.25 to 4
    level : share of photos whose true area the interval should cover, above 0 and below 1
    """

    mirror: bool = True
    shift: int = STRIDE // 2
    scales: tuple[float, ...] = (0.8, 1.25)  # a quarter more and less distance to the steel
    level: float = 0.9

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))  # a list, from JSON
        if not isinstance(self.shift, int) or not 0 <= self.shift <= 4 * STRIDE:
            raise ConfigError(
                f"shift is {self.shift}; allowed are whole numbers, 0 to {4 * STRIDE}"
            )
        if not all(0.25 <= scale <= 4 for scale in self.scales):
            raise ConfigError(f"scales is {self.scales}; allowed are numbers from 0.25 to 4")
        if not 0 < self.level < 1:
            raise ConfigError(f"level is {self.level}; allowed is above 0 and below 1")
        if not self.variants:
            raise ConfigError("mirror, shift and scales leave no variant; choose at least one")

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The variants, those of the network's own size first."""
        same = [Variant(mirror=True)] if self.mirror else []
        same += [Variant(shift=s) for s in (self.shift, -self.shift) if self.shift]
        return (*same, *(Variant(scale=scale) for scale in self.scales))


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
        found = zip(
            group,
            model.probability(np.asarray(model.verdict(x, output))),
            np.asarray(heats),
            np.asarray(maxima),
            strict=True,
        )
        for variant, probability, heat, maximum in found:
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
        found = segment(
            _varied(seg.image, variant, shift), model, replace(seg.config, tiles=tiles, crf=crf)
        )
        heat = _back(found.heat, variant, seg.heat.shape)
        yield Look(found.probability, heat, found.heat_maximum)


def _varied(photo: Photo, variant: Variant, shift: int) -> Photo:
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
