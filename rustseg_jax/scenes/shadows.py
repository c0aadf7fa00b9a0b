"""Cast shadows onto a finished picture, to compare it with itself in the sun."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.errors import ConfigError
from rustseg_jax.scenes.noise import Canvas, Field, fbm, smoothstep

__all__ = ["SHADOWS", "cast_shadow"]

SHADOWS = ("edge", "bars", "foliage")
"""Of a wall at the side, a fence in front, a tree above the picture."""

_DEPTH = 0.7
"""Share of the light removed by a shadow: the sky alone gives about 0.3 of sun and sky together
in the rendered scenes (0.42 of 0.42 + 1.15 x 0.85, see `scenes.light.make_light`)."""

_TINT = (1.0, 0.97, 0.9)
"""Share of red, green and blue in the loss: what is left comes from the blue sky."""

_GAMMA = 2.2  # between sRGB and linear light, as in `scenes.light`


def cast_shadow(
    image: NDArray[np.uint8], kind: str, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Darken part of a picture like the shadow of an object outside the frame.

    Parameters
    ----------
    image
        (H, W, 3) uint8, sRGB.
    kind
        One of `SHADOWS`.
    seed
        0 or more; varies positions and angles.

    Returns
    -------
    shaded : ndarray
        (H, W, 3) uint8; equal to `image` outside the shadow and its soft border.
    shadow : ndarray
        (H, W) bool, where the shadow has more than half of its depth.

    Raises
    ------
    ConfigError
        The kind is unknown.
    """
    if kind not in SHADOWS:
        raise ConfigError(f"kind is {kind!r}; it must be one of {', '.join(SHADOWS)}")
    canvas = Canvas(*image.shape[:2])
    dark = _dark(canvas, np.random.default_rng((SHADOWS.index(kind), seed)), kind)
    lost = dark[..., None] * (np.float32(_DEPTH) * np.array(_TINT, np.float32))
    light = (image.astype(np.float32) / 255) ** np.float32(_GAMMA) * (1 - lost)
    shaded = np.rint(light ** np.float32(1 / _GAMMA) * 255).astype(np.uint8)
    return shaded, dark > 0.5


def _dark(canvas: Canvas, rng: np.random.Generator, kind: str) -> Field:
    """(H, W), 1 in the shadow, 0 in the sun."""
    angle, place = rng.uniform(0, 2 * np.pi), rng.uniform(-0.15, 0.15)
    along = (canvas.y - canvas.tall / 2) * np.float32(np.sin(angle))
    along = along + (canvas.x - canvas.wide / 2) * np.float32(np.cos(angle))
    wobble = along + fbm(canvas, rng, 4, octaves=3) * np.float32(0.004)
    if kind == "edge":
        return smoothstep(-0.012, 0.012, wobble - np.float32(place))
    if kind == "bars":
        waves = np.sin(wobble * np.float32(2 * np.pi * rng.uniform(2.5, 4.5)))
        return smoothstep(-0.15, 0.15, waves)
    leaves = fbm(canvas, rng, 9, octaves=3, gain=0.5)
    return smoothstep(-0.2, 0.2, leaves + along * np.float32(2))
