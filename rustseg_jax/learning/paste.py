"""Pasting: rust in a known position, without a hand-drawn mask.

Pieces of a corroded picture, cut along its seeds, are pasted on a clean picture; the label of the
clean picture implies that everything else is clean. Pieces of clean pictures are pasted on clean
ones in the same way, so that a seam carries no information.

References
----------
Dwibedi et al., "Cut, paste and learn", ICCV 2017; Yun et al., "CutMix", ICCV 2019.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from rustseg_jax.config import CORROSION
from rustseg_jax.learning.augment import AugmentConfig, Crop, cut_crop, vary
from rustseg_jax.learning.seeds import CLEAN, RUST

__all__ = ["sample"]

FIRM = 190  # seeds from this value on are certain enough to be pasted
ENOUGH = 0.01  # minimum share of certain seeds in a picture to cut from
LEAST = 0.004  # minimum share of a crop that a piece covers: about one position of the map
COVERS = (0.05, 0.1, 0.2, 0.35, 0.5)  # shares of a crop covered by random shapes


def sample(
    picture: NDArray[np.uint8],
    seeds: NDArray[np.uint8],
    label: int,
    clean: NDArray[np.uint8],
    side: int,
    rng: np.random.Generator,
    config: AugmentConfig,
) -> Crop:
    """Make one training crop of a picture, possibly combined with a clean one.

    Parameters
    ----------
    picture : (S, S, 3) uint8
    seeds : (S/4, S/4) uint8, see `seeds`
    label : 1 corrosion, 0 clean
    clean : (S, S, 3) uint8, any clean picture
    side : pixels of the result
    rng : source of all randomness
    config : strengths

    Returns
    -------
    `Crop`, with the same label
    """
    if label == CORROSION:
        crop = _rust(picture, seeds, clean, side, rng, config)
    else:
        crop = cut_crop(picture, side, rng, config, seeds)
        if rng.random() < config.paste_clean:
            piece = cut_crop(clean, side, rng, config)
            crop = Crop(_lay(crop.pixels, piece.pixels, _shape(side, rng), rng), crop.seeds)
    return vary(crop, rng, config)


def _rust(
    picture: NDArray[np.uint8],
    seeds: NDArray[np.uint8],
    clean: NDArray[np.uint8],
    side: int,
    rng: np.random.Generator,
    config: AugmentConfig,
) -> Crop:
    """The picture itself, or its rust on a clean picture."""
    ys, xs = np.nonzero(seeds > 200)
    if rng.random() >= config.paste_rust or len(ys) <= ENOUGH * seeds.size:
        return cut_crop(picture, side, rng, config, seeds)
    k = int(rng.integers(len(ys)))
    place = (xs[k] / seeds.shape[1], ys[k] / seeds.shape[0])
    piece = cut_crop(picture, side, rng, config, seeds, place)
    base = cut_crop(clean, side, rng, config)
    where = piece.seeds > FIRM
    if rng.random() < 0.5:
        where &= _shape(side, rng)
    if where.mean() <= LEAST:
        return piece
    pixels = _lay(base.pixels, piece.pixels, where, rng)
    return Crop(pixels, np.where(where, RUST, CLEAN).astype(np.uint8))


def _shape(side: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Random smooth shapes: coarse noise, enlarged and thresholded."""
    n = int(rng.integers(3, 9))
    noise = Image.fromarray(rng.random((n, n)).astype(np.float32))
    field = np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC))
    shape: NDArray[np.bool_] = field > np.quantile(field[::4, ::4], 1 - rng.choice(COVERS))
    return shape


def _lay(
    base: NDArray[np.uint8],
    piece: NDArray[np.uint8],
    where: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Paste a piece on a base with a soft seam, half of the time in the base's light."""
    soft = Image.fromarray(where.astype(np.uint8) * np.uint8(255))
    soft = soft.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 1.6))))
    alpha = np.asarray(soft, np.float32)[..., None] / np.float32(255)
    top = piece.astype(np.float32)
    if rng.random() < 0.5:
        ratio = np.clip((base.mean() + 20) / (piece.mean() + 20), 0.6, 1.6)
        top = np.minimum(top * np.float32(ratio ** rng.uniform(0, 1)), 255)
    return (base * (1 - alpha) + top * alpha).astype(np.uint8)
