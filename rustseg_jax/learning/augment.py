"""Augmentation of training crops: pixels and seeds, deterministic for a given random generator.

It varies what differs between sources but carries no information about rust: scale, position,
aspect ratio, exposure, equalisation, local contrast, saturation, a slight colour cast, sharpness,
JPEG. Both classes get the same treatment. Hue is changed only slightly: the colour of rust is
evidence.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from rustseg_jax.config import STRIDE
from rustseg_jax.learning.seeds import UNKNOWN

__all__ = ["AugmentConfig", "Crop", "augment", "cells", "cut_crop", "vary"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class AugmentConfig:
    """Strengths of the augmentation; probabilities are per picture.

    The operations were chosen after the first trial (without them, equalised, over-saturated and
    stretched pictures were called clean); the values are moderate, as in Cubuk et al.,
    "RandAugment", 2020. The preset "labels" keeps the stronger values of the first recipe; these
    are weaker because the network underfits (docs/decisions/0011). The effect of that change alone
    was not measured.
    """

    min_crop: float = 0.6  # smallest side of the crop as a share of the picture's side
    max_crop: float = 1.0
    stretch: float = 1.25  # greatest ratio between the crop's two sides
    tone: float = 0.4  # probability of equalisation, auto-contrast or local contrast
    jitter: float = 0.3  # brightness and contrast are scaled by 1 +- this
    saturation: float = 0.5  # saturation is scaled by 1 +- this
    cast: float = 0.06  # each colour channel is scaled by 1 +- this
    blur: float = 0.15
    downscale: float = 0.2
    jpeg: float = 0.25
    cut: float = 0.12  # a grey rectangle or a printed marker covers a part
    paste_rust: float = 0.28  # replace by pieces of a corroded picture pasted on a clean one
    paste_clean: float = 0.3  # paste pieces of a clean picture on a clean one


class Crop(NamedTuple):
    """A square part of a picture: (side, side, 3) uint8 and its seeds (side, side) uint8."""

    pixels: Pixels
    seeds: NDArray[np.uint8]


def augment(
    picture: Pixels,
    side: int,
    rng: np.random.Generator,
    config: AugmentConfig,
    seeds: NDArray[np.uint8] | None = None,
) -> Crop:
    """Cut a random crop from a picture and augment it.

    Parameters
    ----------
    picture : (S, S, 3) uint8, contiguous or memory-mapped
    side : pixels of the result
    rng : source of all randomness
    config : strengths
    seeds : (s, s) uint8, see `seeds`, of the whole picture; None if unknown

    Returns
    -------
    `Crop`; covered parts have unknown seeds
    """
    return vary(cut_crop(picture, side, rng, config, seeds), rng, config)


def cut_crop(
    picture: Pixels,
    side: int,
    rng: np.random.Generator,
    config: AugmentConfig,
    seeds: NDArray[np.uint8] | None = None,
    at: tuple[float, float] | None = None,
) -> Crop:
    """Cut a random crop, mirrored with probability one half.

    Like `augment`; `at` = (x, y), as shares of the picture's side, is a point that the crop
    contains.
    """
    full = picture.shape[0]
    size = full * rng.uniform(config.min_crop, config.max_crop)
    ratio = np.exp(rng.uniform(-1, 1) * np.log(config.stretch) / 2)
    width, height = min(full, size * ratio), min(full, size / ratio)
    if at is None:
        left, top = rng.uniform(0, full - width), rng.uniform(0, full - height)
    else:
        left, top = _start(full, width, at[0], rng), _start(full, height, at[1], rng)
    # Cut on whole pixels first: only these are copied from a memory-mapped picture.
    x, y = int(left), int(top)
    part = picture[y : int(np.ceil(top + height)), x : int(np.ceil(left + width))]
    box = (left - x, top - y, left - x + width, top - y + height)
    image = _shrink(part, side, box)
    if seeds is None:
        known = Image.new("L", (side, side), UNKNOWN)
    else:
        k = seeds.shape[0] / full
        known = _shrink(seeds, side, (left * k, top * k, (left + width) * k, (top + height) * k))
    if rng.random() < 0.5:
        image, known = ImageOps.mirror(image), ImageOps.mirror(known)
    return Crop(np.asarray(image), np.asarray(known))


def _start(full: int, size: float, place: float, rng: np.random.Generator) -> float:
    """Start of a crop that has the point somewhere in its middle."""
    return float(np.clip(place * full - size * rng.uniform(0.2, 0.8), 0, full - size))


def _shrink(
    values: NDArray[np.uint8], side: int, box: tuple[float, float, float, float]
) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(values))
    return image.resize((side, side), Image.Resampling.BILINEAR, box=box)


def vary(crop: Crop, rng: np.random.Generator, config: AugmentConfig) -> Crop:
    """Vary light, colour and sharpness of a crop, and cover a part of some crops."""
    image = Image.fromarray(crop.pixels)
    for share, change in (
        (config.tone, _tone),
        (1.0, lambda im, r: _jitter(im, r, config)),
        (config.downscale, _downscale),
        (config.blur, _blur),
        (config.jpeg, _jpeg),
    ):
        if rng.random() < share:
            image = change(image, rng)
    varied = Crop(_cast(np.asarray(image), rng, config.cast), crop.seeds.copy())
    if rng.random() < config.cut:
        _hide(varied, rng)
    return varied


def cells(seeds: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Seeds of a crop at the positions of the score map.

    Takes (side, side) uint8, side a multiple of 16. Returns (side/16, side/16) int8, the mean of
    each position's seeds: -127 certainly clean, 0 unknown, 127 certainly rust.
    """
    n = seeds.shape[0] // STRIDE
    mean = seeds.reshape(n, STRIDE, n, STRIDE).mean(axis=(1, 3), dtype=np.float32)
    return np.clip(np.round(mean) - UNKNOWN, -127, 127).astype(np.int8)


def _tone(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    which = rng.random()
    if which < 0.3:
        changed = ImageOps.equalize(image)
    elif which < 0.6:
        changed = ImageOps.autocontrast(image, float(rng.uniform(0, 3)))
    else:
        changed = _local_contrast(image, rng)
    # Blended with a random weight: real processing comes in all strengths.
    blended = Image.blend(image, changed, float(rng.uniform(0.4, 1.0)))
    return ImageOps.autocontrast(blended, 1) if rng.random() < 0.3 else blended


def _local_contrast(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Local contrast: similar to adaptive equalisation, at a tenth of its cost."""
    radius = image.width / rng.uniform(6, 20)
    return image.filter(ImageFilter.UnsharpMask(radius, int(rng.integers(40, 160)), 0))


def _jitter(image: Image.Image, rng: np.random.Generator, config: AugmentConfig) -> Image.Image:
    changes: tuple[tuple[Callable[[Image.Image], ImageEnhance._Enhance], float], ...] = (
        (ImageEnhance.Brightness, config.jitter),
        (ImageEnhance.Contrast, config.jitter),
        (ImageEnhance.Color, config.saturation),
    )
    for k in rng.permutation(len(changes)):
        enhancer, strength = changes[k]
        image = enhancer(image).enhance(float(rng.uniform(1 - strength, 1 + strength)))
    return image


def _downscale(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = max(16, int(image.width * rng.uniform(0.4, 0.9)))
    small = image.resize((side, side), Image.Resampling.BILINEAR)
    return small.resize(image.size, Image.Resampling.BILINEAR)


def _blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    if rng.random() < 0.5:
        return image.filter(ImageFilter.UnsharpMask(1.5, int(rng.integers(50, 150)), 0))
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.3))))


def _jpeg(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(35, 90)))
    return Image.open(buffer).convert("RGB")


def _cast(pixels: Pixels, rng: np.random.Generator, strength: float) -> Pixels:
    scale = rng.uniform(1 - strength, 1 + strength, 3).astype(np.float32)
    return np.clip(pixels * scale, 0, 255).astype(np.uint8)


def _hide(crop: Crop, rng: np.random.Generator) -> None:
    """Cover a part with grey, or with a printed marker, in place."""
    side = crop.pixels.shape[0]
    h, w = (rng.uniform(0.08, 0.3, 2) * side).astype(int)
    top, left = int(rng.integers(0, side - h + 1)), int(rng.integers(0, side - w + 1))
    here = (slice(top, top + h), slice(left, left + w))
    if rng.random() < 0.5:
        crop.pixels[here] = rng.integers(0, 256)
    else:
        crop.pixels[here] = _marker(h, w, rng)[..., None]
    crop.seeds[here] = UNKNOWN


def _marker(height: int, width: int, rng: np.random.Generator) -> Pixels:
    """A dark square with light cells, like the markers that inspectors stick beside rust."""
    n = int(rng.integers(3, 7))
    light = np.zeros((n, n), np.bool_)
    light[1:-1, 1:-1] = rng.random((n - 2, n - 2)) < 0.4
    ink = np.where(light, rng.integers(190, 256), rng.integers(0, 40)).astype(np.uint8)
    return np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.NEAREST))
