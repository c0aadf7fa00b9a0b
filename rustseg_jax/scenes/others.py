"""Look-alikes without rust: autumn leaves, a red painted door, graffiti.

Each function returns the lit picture (H, W, 3) in linear light and an empty rust field.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from .light import linear, make_light, paint, shade, tilt
from .noise import Canvas, Field, fbm, mix, smoothstep

__all__ = ["graffiti", "leaves", "red_paint"]

_LEAF_COLOURS = (
    (214, 160, 50),
    (196, 108, 40),
    (168, 62, 36),
    (134, 78, 44),
    (182, 140, 74),
    (142, 148, 62),
    (110, 68, 44),
    (222, 186, 84),
)


def _leaf(
    canvas: Canvas, rng: np.random.Generator, albedo: Field, height: Field, level: float
) -> None:
    """Draw one leaf, in place, over the earlier ones."""
    cy, cx = rng.uniform(-0.03, canvas.tall + 0.03), rng.uniform(-0.03, canvas.wide + 0.03)
    size, turn = rng.uniform(0.035, 0.075), rng.uniform(0, 2 * np.pi)
    colour = linear(*_LEAF_COLOURS[int(rng.integers(len(_LEAF_COLOURS)))])
    colour = (0.8 * colour + 0.2 * colour.mean()) * rng.uniform(0.5, 1.1)
    width, curl, lobes = rng.uniform(0.38, 0.62), rng.normal(0, 0.4), int(rng.integers(5, 12))
    depth, cross = rng.uniform(0, 0.16), rng.normal(0, 0.5)
    phase = rng.uniform(0, 6)
    rows, columns = canvas.window(cy, cx, size * 1.25)
    y, x = canvas.y[rows] - np.float32(cy), canvas.x[:, columns] - np.float32(cx)
    if not y.size or not x.size:
        return
    along = (y * np.sin(turn) + x * np.cos(turn)) / size
    aside = (y * np.cos(turn) - x * np.sin(turn)) / size + curl * 0.25 * (along**2 - 0.4)
    outline = width * np.clip(1 - np.abs(along) ** 1.7, 0, None) * (1 + 0.25 * along)
    outline = outline * (1 - depth * np.abs(np.sin(along * lobes)))
    edge = 0.8 / (canvas.short * size)
    cover = smoothstep(-edge, edge, (outline - np.abs(aside)).astype(np.float32))
    veins = np.exp(-((aside / 0.03) ** 2))
    ribs = 0.5 + 0.5 * np.cos((along - np.abs(aside) * 0.9) * 26 + phase)
    veins = np.maximum(veins, 0.45 * ribs**8)
    brown = smoothstep(0.25, 0.02, (outline - np.abs(aside)).astype(np.float32))
    face = colour * (1 - 0.35 * brown - 0.15 * veins + 0.12 * np.sin(along * 5 + phase))[..., None]
    relief = level + size * (0.12 * aside * curl + 0.1 * along * cross + 0.16 * curl * along**2)
    relief = relief - veins * size * 0.012
    albedo[rows, columns] = mix(albedo[rows, columns], face.astype(np.float32), cover)
    height[rows, columns] = mix(height[rows, columns], relief.astype(np.float32), cover)


def leaves(canvas: Canvas, rng: np.random.Generator, _rusts: bool) -> tuple[Field, Field]:
    """Autumn leaves on dark ground or grass."""
    grass = rng.random() < 0.4
    ground = linear(64, 82, 36) if grass else linear(72, 60, 46)
    crumb = fbm(canvas, rng, 40, octaves=4, gain=0.8, stretch=(0.5, 1.0) if grass else (1, 1))
    albedo = ground * np.clip(1 + 0.35 * crumb, 0.2, 2)[..., None]
    albedo = albedo.astype(np.float32)
    height = crumb * np.float32(0.003)
    number = int(rng.integers(260, 480) * canvas.tall * canvas.wide)
    for k in range(number):
        _leaf(canvas, rng, albedo, height, 0.008 + 0.022 * k / number)
    mottle = fbm(canvas, rng, 60, octaves=3, gain=0.7)
    surface = replace(
        paint(canvas, ground, gloss=0.04),
        albedo=np.clip(albedo * (1 + 0.1 * mottle)[..., None], 0, 1).astype(np.float32),
        height=height + mottle * np.float32(0.0003),
    )
    lit = shade(canvas, surface, make_light(canvas, rng))
    return tilt(canvas, rng, lit, surface.rust)


def _panel(canvas: Canvas, top: float, bottom: float, left: float, right: float) -> Field:
    """Relief of a door panel: a moulded groove around a raised field."""
    away = np.minimum(
        np.minimum(canvas.y - np.float32(top), np.float32(bottom) - canvas.y),
        np.minimum(canvas.x - np.float32(left), np.float32(right) - canvas.x),
    )
    groove = smoothstep(0.0, 0.006, away) * smoothstep(0.034, 0.016, away)
    step = smoothstep(0.008, 0.012, away) * smoothstep(0.022, 0.018, away)
    return (-0.012 * groove + 0.004 * step).astype(np.float32)


def red_paint(canvas: Canvas, rng: np.random.Generator, _rusts: bool) -> tuple[Field, Field]:
    """A panelled door in fresh red gloss paint, with a brass knob."""
    reds = [(170, 28, 32), (150, 34, 30), (190, 44, 36), (128, 24, 30)]
    colour = linear(*reds[int(rng.integers(len(reds)))])
    surface = paint(canvas, colour * np.float32(rng.uniform(0.85, 1.15)), gloss=0.4)
    inset, rail = rng.uniform(0.12, 0.17), rng.uniform(0.09, 0.13)
    middle, split = canvas.wide / 2, canvas.tall * rng.uniform(0.4, 0.62)
    relief = canvas.full()
    for top, bottom in ((inset, split - rail / 2), (split + rail / 2, canvas.tall - inset)):
        for left, right in ((inset, middle - rail / 2), (middle + rail / 2, canvas.wide - inset)):
            relief = relief + _panel(canvas, top, bottom, left, right)
    brush = fbm(canvas, rng, 60, octaves=3, gain=0.6, stretch=(0.04, 1.0))
    waves = fbm(canvas, rng, 3, octaves=3)
    tone = 1 + 0.03 * brush + 0.06 * fbm(canvas, rng, 2, octaves=5)
    surface = replace(
        surface,
        albedo=np.clip(surface.albedo * tone[..., None], 0, 1).astype(np.float32),
        height=relief + brush * np.float32(0.00012) + waves * np.float32(0.0015),
    )
    knob_y, knob_x = canvas.y - np.float32(split), canvas.x - np.float32(canvas.wide - inset * 0.75)
    distance = np.hypot(knob_y, knob_x)
    knob = smoothstep(0.031, 0.029, distance)
    dome = np.sqrt(np.clip(0.0009 - distance**2, 0, None)) * 0.9
    surface = replace(
        surface,
        albedo=mix(surface.albedo, linear(196, 164, 96), knob),
        height=surface.height + dome.astype(np.float32),
        gloss=(surface.gloss + 0.4 * knob).astype(np.float32),
    )
    light = make_light(canvas, rng)
    lit = shade(canvas, surface, light)
    window = smoothstep(
        -0.5, 2.5, fbm(canvas, rng, 1.2, octaves=2, stretch=(0.5, 1.0)) + waves * 0.3
    )
    lit = lit + window[..., None] * np.float32(0.07) * np.array(light.sky, np.float32)
    return tilt(canvas, rng, lit, surface.rust)


def _trace(
    canvas: Canvas, distance: Field, points: list[tuple[float, float]], radius: float
) -> None:
    """Lower `distance`, in radii and in place, along a line of points."""
    for (y0, x0), (y1, x1) in pairwise(points):
        reach = max(abs(y1 - y0), abs(x1 - x0)) / 2 + 4 * radius
        rows, columns = canvas.window((y0 + y1) / 2, (x0 + x1) / 2, reach)
        y, x = canvas.y[rows] - np.float32(y0), canvas.x[:, columns] - np.float32(x0)
        dy, dx = y1 - y0, x1 - x0
        t = np.clip((y * dy + x * dx) / max(dy * dy + dx * dx, 1e-9), 0, 1)
        away = np.hypot(y - t * dy, x - t * dx) / np.float32(radius)
        distance[rows, columns] = np.minimum(distance[rows, columns], away)


def _letter(
    rng: np.random.Generator, cy: float, cx: float, size: float
) -> list[tuple[float, float]]:
    """A smooth line through a letter's box, like a graffiti tag."""
    steps = np.linspace(0, 1, 40)
    turns, lean = rng.uniform(0.7, 1.6), rng.normal(0, 0.15)
    phase, phase2 = rng.uniform(0, 2 * np.pi, 2)
    y = np.sin(2 * np.pi * turns * steps + phase) * size * 0.55
    x = (steps - 0.5) * size * 0.7 + np.sin(2 * np.pi * turns * 1.3 * steps + phase2) * size * 0.3
    return [(float(cy + b), float(cx + a - lean * b)) for a, b in zip(x, y, strict=True)]


def graffiti(canvas: Canvas, rng: np.random.Generator, _rusts: bool) -> tuple[Field, Field]:
    """Sprayed tags with drips on a plaster or concrete wall."""
    base = linear(*[(190, 186, 176), (158, 156, 150), (206, 198, 176)][int(rng.integers(3))])
    stone = fbm(canvas, rng, 3, octaves=7, gain=0.62)
    fine = fbm(canvas, rng, 60, octaves=3, gain=0.8)
    albedo = base * (1 + 0.08 * stone + 0.05 * fine)[..., None]
    dirt = smoothstep(0.3, 2.5, fbm(canvas, rng, 12, octaves=4, stretch=(0.1, 1)) + stone * 0.5)
    albedo = mix(albedo.astype(np.float32), linear(96, 90, 80), dirt * np.float32(0.35))
    joint_y, joint_x = canvas.tall * rng.uniform(0.1, 0.9), canvas.wide * rng.uniform(0.1, 0.9)
    joint = np.minimum(np.abs(canvas.y - joint_y), np.abs(canvas.x - joint_x)).astype(np.float32)
    groove = smoothstep(0.006, 0.003, joint)
    albedo = albedo * (1 - 0.5 * groove)[..., None]
    inks = [
        (184, 36, 34),
        (216, 98, 30),
        (30, 30, 34),
        (36, 74, 150),
        (150, 40, 110),
        (40, 120, 70),
    ]
    order = rng.permutation(len(inks))
    lines = int(rng.integers(2, 4))
    for line in range(lines):
        ink = linear(*inks[int(order[line])])
        size = rng.uniform(0.18, 0.34)
        row = canvas.tall * (line + 0.5 + rng.normal(0, 0.1)) / lines
        x = rng.uniform(0.05, 0.25) * canvas.wide
        pen = rng.uniform(0.009, 0.02)
        distance = canvas.full(9)
        while x < canvas.wide * 0.92:
            points = _letter(rng, row + rng.normal(0, 0.02), x, size)
            _trace(canvas, distance, points, pen)
            if rng.random() < 0.5:
                y0, x0 = points[int(rng.integers(len(points)))]
                _trace(canvas, distance, [(y0, x0), (y0 + rng.uniform(0.04, 0.2), x0)], pen * 0.2)
            x += size * rng.uniform(0.55, 0.85)
        core = smoothstep(1.12, 0.8, distance)
        dust = np.exp(-((distance / 1.7) ** 2)) * 0.3 * np.clip(1 + 0.8 * fine, 0, 2)
        albedo = mix(albedo, ink, np.maximum(core * np.float32(0.94), dust))
    surface = replace(
        paint(canvas, base, gloss=0.02),
        albedo=np.clip(albedo, 0, 1).astype(np.float32),
        height=stone * np.float32(0.0018) - groove * np.float32(0.008) + fine * np.float32(0.0006),
    )
    lit = shade(canvas, surface, make_light(canvas, rng))
    return tilt(canvas, rng, lit, surface.rust, amount=1.4)
