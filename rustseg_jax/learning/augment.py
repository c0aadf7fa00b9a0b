"""Augmentation of training crops: uint8 (side, side, 3) in and out, one seed, one result.

What is varied is what differs between sources without saying anything about
rust: scale, place, stretch, exposure, equalisation, saturation, a slight colour
cast, sharpness, JPEG. Both classes get the same treatment. Hue is only nudged:
the colour of rust is evidence.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

__all__ = ["AugmentConfig", "augment"]


@dataclass(frozen=True)
class AugmentConfig:
    """Strengths; the probabilities are per picture.

    The set follows what the first trial found (equalised, over-saturated and
    stretched pictures were called clean without it); the values are moderate
    ones, as in Cubuk et al., "RandAugment", 2020.
    """

    min_crop: float = 0.6  # sides of the crop as a share of the picture's side
    max_crop: float = 1.0
    stretch: float = 1.25  # greatest ratio between the crop's two sides
    tone: float = 0.45  # equalise or auto-contrast
    jitter: float = 0.35  # brightness and contrast are scaled by 1 +- this
    saturation: float = 0.6  # so is saturation
    cast: float = 0.06  # each colour channel is scaled by 1 +- this
    blur: float = 0.2
    downscale: float = 0.2
    jpeg: float = 0.3
    cut: float = 0.2  # a grey rectangle hides a part (watermarks, markers, signs)


def augment(
    picture: np.ndarray, side: int, rng: np.random.Generator, config: AugmentConfig
) -> np.ndarray:
    """Cut a random crop of a picture and vary it.

    Parameters
    ----------
    picture : (S, S, 3) uint8, contiguous or memory-mapped
    side : pixels of the result
    rng : the only source of chance
    config : strengths

    Returns
    -------
    (side, side, 3) uint8
    """
    image = _crop(picture, side, rng, config)
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    for share, change in (
        (config.tone, _tone),
        (1.0, lambda im, r: _jitter(im, r, config)),
        (config.downscale, _downscale),
        (config.blur, _blur),
        (config.jpeg, _jpeg),
    ):
        if rng.random() < share:
            image = change(image, rng)
    out = _cast(np.asarray(image), rng, config.cast)
    if rng.random() < config.cut:
        _cut(out, rng)
    return out


def _crop(
    picture: np.ndarray, side: int, rng: np.random.Generator, config: AugmentConfig
) -> Image.Image:
    full = picture.shape[0]
    size = full * rng.uniform(config.min_crop, config.max_crop)
    ratio = np.exp(rng.uniform(-1, 1) * np.log(config.stretch) / 2)
    width, height = min(full, size * ratio), min(full, size / ratio)
    left, top = rng.uniform(0, full - width), rng.uniform(0, full - height)
    # Cut whole pixels first: only they are copied out of a memory-mapped picture.
    x, y = int(left), int(top)
    part = picture[y : int(np.ceil(top + height)), x : int(np.ceil(left + width))]
    box = (left - x, top - y, left - x + width, top - y + height)
    return Image.fromarray(np.ascontiguousarray(part)).resize(
        (side, side), Image.Resampling.BILINEAR, box=box
    )


def _tone(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    changed = ImageOps.equalize(image) if rng.random() < 0.5 else ImageOps.autocontrast(image, 1)
    # Half way at random: real processing comes in all strengths.
    return Image.blend(image, changed, float(rng.uniform(0.4, 1.0)))


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


def _cast(pixels: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    scale = rng.uniform(1 - strength, 1 + strength, 3).astype(np.float32)
    return np.clip(pixels * scale, 0, 255).astype(np.uint8)


def _cut(pixels: np.ndarray, rng: np.random.Generator) -> None:
    side = pixels.shape[0]
    h, w = (rng.uniform(0.1, 0.35, 2) * side).astype(int)
    top, left = int(rng.integers(0, side - h + 1)), int(rng.integers(0, side - w + 1))
    pixels[top : top + h, left : left + w] = rng.integers(0, 256)
