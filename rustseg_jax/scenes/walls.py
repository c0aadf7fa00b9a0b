"""Look-alikes without rust, built of courses: brick, timber, terracotta roof tiles.

Each function returns the lit picture (H, W, 3) in linear light and an empty rust field.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .light import Surface, linear, make_light, paint, shade, tilt
from .noise import Canvas, Field, fbm, mix, smoothstep

__all__ = ["brick", "terracotta", "timber"]


def _pieces(
    rng: np.random.Generator, row: NDArray[np.int64], column: NDArray[np.int64]
) -> tuple[Field, Field, Field]:
    """Three random numbers in [0, 1] for every brick, board or tile: tone, hue, variation."""
    table = np.random.Generator(np.random.PCG64(int(rng.integers(2**32)))).random(
        (64, 64, 3), np.float32
    )
    value = table[row % 64, column % 64]
    return value[..., 0], value[..., 1], value[..., 2]


def _colours(stops: list[tuple[int, int, int]], where: Field) -> Field:
    """Linear colours along a list of sRGB stops, (H, W, 3)."""
    table = np.stack([linear(*stop) for stop in stops])
    places = np.linspace(0, 1, len(stops))
    channels = [np.interp(where, places, table[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


# Clays of common bricks, sRGB: red, brown, yellow stock, grey-pink.
_CLAYS = (
    [(112, 64, 54), (146, 84, 68), (164, 100, 80), (136, 88, 74), (172, 118, 96)],
    [(92, 68, 58), (118, 86, 70), (134, 100, 80), (106, 84, 74), (148, 116, 94)],
    [(140, 118, 84), (172, 148, 106), (184, 162, 124), (150, 132, 104), (196, 178, 142)],
    [(122, 96, 90), (150, 120, 110), (168, 138, 126), (138, 116, 110), (178, 152, 140)],
)


def _add_window(canvas: Canvas, rng: np.random.Generator, surface: Surface) -> Surface:
    """A white sash window with dark panes and a stone sill, let into a wall."""
    high, broad = rng.uniform(0.4, 0.55), rng.uniform(0.28, 0.42)
    top = rng.uniform(0.1, 0.3) * canvas.tall
    left = rng.uniform(0.12, 0.6) * canvas.wide
    y, x = canvas.y - np.float32(top), canvas.x - np.float32(left)
    inside = np.minimum(np.minimum(y, high - y), np.minimum(x, broad - x))
    bars = np.minimum(np.abs(y - high * 0.5), np.abs(x - broad / 2))
    opening = smoothstep(-0.001, 0.001, inside)
    pane = smoothstep(0.026, 0.028, inside) * smoothstep(0.008, 0.010, bars)
    sill = smoothstep(
        -0.002,
        0.002,
        np.minimum(np.minimum(y - high, high + 0.045 - y), np.minimum(x + 0.03, broad + 0.03 - x)),
    )
    sky = smoothstep(-1, 2, fbm(canvas, rng, 2, octaves=4) - 3 * y)[..., None]
    glass = linear(34, 40, 46) + sky * linear(120, 136, 150)
    albedo = mix(surface.albedo, linear(224, 222, 216), opening)
    albedo = mix(mix(albedo, glass, pane), linear(176, 170, 160), sill)
    recess = surface.height * (1 - opening) - 0.035 * opening - 0.008 * pane
    return replace(
        surface,
        albedo=albedo,
        height=mix(recess, np.full_like(recess, 0.02), sill),
        gloss=surface.gloss + 0.3 * pane,
    )


def _add_pavement(canvas: Canvas, rng: np.random.Generator, surface: Surface) -> Surface:
    """Paving at the foot of a wall, with a dark, damp joint."""
    foot = canvas.y - np.float32(rng.uniform(0.78, 0.9) * canvas.tall)
    foot = foot + fbm(canvas, rng, 6, octaves=3) * np.float32(0.002)
    ground = smoothstep(-0.002, 0.002, foot)
    grit = fbm(canvas, rng, 40, octaves=4, gain=0.8, stretch=(2.5, 1.0))
    slab = np.abs((canvas.x / np.float32(0.31)) % 1 - 0.5 - 0.4 * foot) > 0.49
    stone = linear(150, 148, 142) * (1 + 0.1 * grit - 0.5 * slab)[..., None]
    damp = 1 - 0.5 * np.exp(-np.abs(foot) / 0.02)
    return replace(
        surface,
        albedo=np.clip(mix(surface.albedo, stone, ground) * damp[..., None], 0, 1),
        height=mix(surface.height, grit * np.float32(0.0005) + np.float32(0.01), ground),
    )


def brick(canvas: Canvas, rng: np.random.Generator, _rusts: bool) -> tuple[Field, Field]:
    """A brick wall in running bond, with mortar, stains and efflorescence."""
    course = rng.uniform(0.062, 0.1)
    length, joint = course * 2.9, course * rng.uniform(0.06, 0.1)
    y = canvas.y + fbm(canvas, rng, 10, octaves=4) * np.float32(course * 0.015)
    x = canvas.x + fbm(canvas, rng, 10, octaves=4) * np.float32(course * 0.015)
    row = np.floor(y / course).astype(np.int64)
    shifted = x / np.float32(length) + 0.5 * (row % 2)
    column = np.floor(shifted).astype(np.int64)
    inner_y = (y / np.float32(course) - row - 0.5) * np.float32(course)
    inner_x = (shifted - column - 0.5) * np.float32(length)
    chip = fbm(canvas, rng, 45, octaves=3, gain=0.7) * np.float32(course * 0.02)
    away = np.maximum(np.abs(inner_y) - course / 2, np.abs(inner_x) - length / 2) + joint + chip
    body = smoothstep(course * 0.03, -course * 0.03, away.astype(np.float32))
    tone, hue, mood = _pieces(rng, row, column)
    stops = _CLAYS[int(rng.integers(len(_CLAYS)))]
    face = _colours(stops, hue) * (0.72 + 0.5 * tone)[..., None]
    face = mix(face, face * np.float32(0.5), (mood > 0.9) * 0.7)
    grain = fbm(canvas, rng, 50, octaves=4, gain=0.8)
    face = face * (1 + 0.13 * grain)[..., None]
    sand = 1 + 0.12 * fbm(canvas, rng, 90, octaves=3, gain=0.8)
    mortar = linear(176, 168, 156) * np.float32(rng.uniform(0.6, 1.05)) * sand[..., None]
    albedo = mix(mortar, face, body)
    bloom = smoothstep(1.0, 2.8, fbm(canvas, rng, 3, octaves=6, gain=0.6))
    albedo = mix(albedo, linear(196, 190, 182), bloom * np.float32(0.5))
    albedo = albedo * (1 - 0.35 * smoothstep(0.2, 2.0, fbm(canvas, rng, 2, octaves=6)))[..., None]
    height = body * (course * 0.09 + (tone - 0.5) * course * 0.03) + grain * np.float32(0.0007)
    surface = replace(
        paint(canvas, linear(128, 128, 128), gloss=0.0),
        albedo=np.clip(albedo, 0, 1).astype(np.float32),
        height=height.astype(np.float32),
    )
    if rng.random() < 0.6:
        surface = _add_window(canvas, rng, surface)
    if rng.random() < 0.5:
        surface = _add_pavement(canvas, rng, surface)
    lit = shade(canvas, surface, make_light(canvas, rng))
    return tilt(canvas, rng, lit, surface.rust, amount=1.3)


def timber(canvas: Canvas, rng: np.random.Generator, _rusts: bool) -> tuple[Field, Field]:
    """Upright boards with grain, knots and gaps."""
    board = rng.uniform(0.13, 0.24)
    across = (canvas.x + fbm(canvas, rng, 3, octaves=2, stretch=(0.3, 1)) * np.float32(0.0015)) / (
        np.float32(board)
    )
    column = np.floor(across).astype(np.int64)
    tone, hue, mood = _pieces(rng, np.zeros_like(column), column)
    inner = across - column - 0.5
    knot_y = (tone * 7.3 % 1) * canvas.tall
    knot_x = (hue - 0.5) * 0.5
    radius = np.hypot((canvas.y - knot_y) / np.float32(board * 2.2), inner - knot_x)
    radius = radius * (1 + 0.12 * fbm(canvas, rng, 14, octaves=3)) + 9 * (mood < 0.55)
    bend = np.exp(-((radius / 0.28) ** 2))
    drift = fbm(canvas, rng, 2.5, octaves=3, stretch=(0.35, 1.0))
    rings = (inner + mood * 3) * 7 + drift * 1.8 + canvas.y * (hue - 0.5) * 3 + bend * 5
    late = (0.5 + 0.5 * np.sin(rings * np.float32(2 * np.pi))) ** 2
    fibre = fbm(canvas, rng, 70, octaves=4, gain=0.75, stretch=(0.035, 1.0))
    styles = [
        [(204, 170, 124), (176, 136, 92), (136, 98, 64)],
        [(156, 112, 74), (122, 82, 52), (84, 54, 36)],
        [(168, 160, 148), (134, 124, 112), (96, 86, 76)],
        [(176, 128, 84), (142, 94, 58), (100, 66, 42)],
    ]
    stops = styles[int(rng.integers(len(styles)))]
    dark = 0.3 + 0.24 * late + 0.15 * fibre + 0.22 * (tone - 0.5)
    dark = dark + 0.9 * smoothstep(0.11, 0.05, radius.astype(np.float32))
    albedo = _colours(stops, np.clip(dark, 0, 1)) * (0.8 + 0.35 * mood)[..., None]
    albedo = albedo * (1 + 0.09 * fibre)[..., None]
    gap = smoothstep(0.022, 0.010, 0.5 - np.abs(inner))
    albedo = mix(albedo, linear(24, 19, 16), gap)
    round_edge = 0.004 * smoothstep(0.07, 0.0, 0.5 - np.abs(inner))
    height = -gap * 0.012 - round_edge + fibre * np.float32(0.0005) - late * np.float32(0.0003)
    surface = replace(
        paint(canvas, linear(128, 128, 128), gloss=rng.uniform(0.0, 0.15)),
        albedo=np.clip(albedo, 0, 1).astype(np.float32),
        height=(height + canvas.full()).astype(np.float32),
    )
    lit = shade(canvas, surface, make_light(canvas, rng))
    return tilt(canvas, rng, lit, surface.rust)


def terracotta(canvas: Canvas, rng: np.random.Generator, _rusts: bool) -> tuple[Field, Field]:
    """A roof of terracotta barrel tiles in overlapping courses."""
    pitch = rng.uniform(0.085, 0.13)
    course = pitch * rng.uniform(1.3, 1.7)
    wobble = fbm(canvas, rng, 9, octaves=2) * np.float32(pitch * 0.03)
    across = (canvas.x + wobble) / np.float32(pitch)
    column = np.floor(across).astype(np.int64)
    jitter, _, _ = _pieces(rng, np.zeros_like(column), column)
    inner = np.abs(across - column - 0.5) * 2
    barrel = np.sqrt(np.clip(1.02 - inner**2, 0.02, None))
    # A barrel's open end is an arc: its crown extends further down than its sides.
    down = canvas.y / np.float32(course) + (jitter - 0.5) * 0.1 - 0.13 * barrel
    row = np.floor(down).astype(np.int64)
    along = down - row
    tone, hue, mood = _pieces(rng, row, column)
    stops = [(138, 82, 64), (176, 106, 78), (190, 122, 92), (166, 112, 90), (200, 146, 116)]
    albedo = _colours(stops, hue) * (0.75 + 0.4 * tone)[..., None]
    grain = fbm(canvas, rng, 40, octaves=4, gain=0.8)
    lichen = smoothstep(1.3, 2.2, fbm(canvas, rng, 12, octaves=5, gain=0.65))
    soot = smoothstep(0.0, 2.2, fbm(canvas, rng, 3, octaves=6, gain=0.6)) * (0.3 + 0.5 * mood)
    albedo = albedo * (1 + 0.1 * grain - 0.45 * soot)[..., None]
    albedo = mix(albedo, linear(168, 164, 140), lichen * np.float32(0.6))
    height = pitch * (0.36 * barrel + 0.22 * along + 0.05 * tone) + grain * np.float32(0.0006)
    surface = replace(
        paint(canvas, linear(128, 128, 128), gloss=0.02),
        albedo=np.clip(albedo, 0, 1).astype(np.float32),
        height=height.astype(np.float32),
    )
    lit = shade(canvas, surface, make_light(canvas, rng))
    if rng.random() < 0.7:
        lit = _ridge(canvas, rng, lit)
    return tilt(canvas, rng, lit, surface.rust, amount=1.4)


def _ridge(canvas: Canvas, rng: np.random.Generator, lit: Field) -> Field:
    """Finish the top of a lit roof: a row of ridge tiles, then sky with some cloud."""
    top = rng.uniform(0.18, 0.38) * canvas.tall
    step = rng.uniform(0.17, 0.24)
    number = np.floor(canvas.x / np.float32(step)).astype(np.int64)
    tone, _, _ = _pieces(rng, np.zeros_like(number), number)
    # Each ridge tile is slightly higher at its lapped end.
    crown = top - 0.008 * (canvas.x / np.float32(step) - number)
    down = (canvas.y - crown) / np.float32(0.055)
    grain = fbm(canvas, rng, 40, octaves=4, gain=0.8)
    round_light = np.sqrt(np.clip(1 - (down - 0.3) ** 2, 0.02, 1))
    lap = 1 - 0.5 * (np.abs(canvas.x / np.float32(step) - number) < 0.03)
    face = (0.65 + 0.4 * tone) * round_light * lap * (1 + 0.1 * grain)
    cap = linear(184, 114, 86) * face[..., None]
    cloud = smoothstep(-0.2, 2.2, fbm(canvas, rng, 2, octaves=6, stretch=(2.0, 1.0)))
    sky = mix(
        linear(138, 174, 214) * (0.8 + 0.5 * canvas.y)[..., None], linear(236, 238, 242), cloud
    )
    under = 1 - 0.5 * smoothstep(1.7, 1.0, down)
    lit = mix(lit * under[..., None], cap, smoothstep(1.03, 0.97, down))
    return mix(lit, sky, smoothstep(0.02, -0.02, down))
