"""Steel scenes: painted wall, riveted plate, corrugated sheet, bare sheet.

Each function takes the canvas, the random generator and whether it rusts, and returns the lit
picture (H, W, 3) in linear light and the rust opacity (H, W).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .light import Surface, linear, make_light, paint, shade, tilt
from .noise import Canvas, Field, fbm, mix, smoothstep
from .rust import corrode

__all__ = [
    "PAINTS",
    "bolts",
    "corrugated",
    "painted_steel",
    "pick_paint",
    "plate",
    "rusted_sheet",
    "weather",
]

# Paint colours of ships, tanks, bridges and gates in the training photos, sRGB.
PAINTS = (
    (226, 226, 222),
    (222, 222, 216),
    (214, 216, 214),
    (188, 192, 192),
    (205, 203, 190),
    (150, 156, 158),
    (120, 152, 132),
    (94, 128, 160),
    (62, 92, 128),
    (148, 190, 176),
    (212, 188, 112),
    (70, 100, 84),
)


def weather(canvas: Canvas, rng: np.random.Generator, surface: Surface) -> Surface:
    """Uneven, dirty, dented paint: a wall after several winters."""
    tone = 1 + 0.05 * fbm(canvas, rng, 2.5, octaves=6, gain=0.6)
    streaks = fbm(canvas, rng, 14, octaves=4, gain=0.7, stretch=(0.07, 1.0))
    dirt = smoothstep(0.2, 2.6, streaks + fbm(canvas, rng, 3, octaves=5)) * rng.uniform(0.2, 0.75)
    grime = linear(92, 84, 70)
    albedo = mix(surface.albedo * tone[..., None], grime, dirt * np.float32(0.6))
    dents = fbm(canvas, rng, 2.2, octaves=2, gain=0.4) * np.float32(0.0035)
    orange_peel = fbm(canvas, rng, 60, octaves=3, gain=0.7) * np.float32(0.00025)
    chips = smoothstep(2.1, 2.3, fbm(canvas, rng, 24, octaves=4, gain=0.6))
    albedo = mix(albedo, albedo * np.float32(0.6), chips * np.float32(0.6))
    return replace(
        surface,
        albedo=np.clip(albedo, 0, 1).astype(np.float32),
        height=surface.height + dents + orange_peel,
        gloss=surface.gloss * np.clip(1 - dirt, 0, 1),
    )


def bolts(
    canvas: Canvas, centres: list[tuple[float, float]], radius: float, *, hexagon: bool
) -> tuple[Field, Field, Field]:
    """Rivet domes or hexagonal bolt heads with washers.

    Parameters
    ----------
    canvas : Canvas
        The grid.
    centres : list of tuple
        (y, x) in short sides.
    radius : float
        Of the head, in short sides.
    hexagon : bool
        Hexagonal heads on washers; otherwise round rivets.

    Returns
    -------
    tuple of Field
        Height to add, opacity of the heads, and proximity: 1 on a head, falling to 0 at three
        radii.
    """
    height, cover, close = canvas.full(), canvas.full(), canvas.full()
    edge = 0.7 / canvas.short
    for number, (cy, cx) in enumerate(centres):
        rows, columns = canvas.window(cy, cx, 3.2 * radius)
        y, x = canvas.y[rows] - np.float32(cy), canvas.x[:, columns] - np.float32(cx)
        if not y.size or not x.size:
            continue
        distance = np.sqrt(y**2 + x**2)
        if hexagon:
            turn = number * 0.83
            face = np.max(
                [
                    np.abs(
                        y * np.float32(np.cos(turn + k * np.pi / 3))
                        + x * np.float32(np.sin(turn + k * np.pi / 3))
                    )
                    for k in range(3)
                ],
                axis=0,
            )
            head = smoothstep(edge, -edge, face - np.float32(radius * 0.87))
            bevel = np.clip((radius * 0.98 - distance) / (radius * 0.3), 0, 1)
            washer = smoothstep(edge, -edge, distance - np.float32(radius * 1.45))
            shape = head * (0.35 + 0.12 * bevel) * radius + washer * 0.1 * radius
            head = np.maximum(head, washer)
        else:
            head = smoothstep(edge, -edge, distance - np.float32(radius))
            dome = np.sqrt(np.clip(1.08 - (distance / radius) ** 2, 0, None))
            shape = head * (0.08 + 0.5 * dome) * radius
        height[rows, columns] = np.maximum(height[rows, columns], shape)
        cover[rows, columns] = np.maximum(cover[rows, columns], head)
        near = np.clip((3 * radius - distance) / (2 * radius), 0, 1)
        close[rows, columns] = np.maximum(close[rows, columns], near)
    return height, cover, close


def pick_paint(rng: np.random.Generator) -> Field:
    """A paint colour, linear, with a slight random variation."""
    colour = linear(*PAINTS[int(rng.integers(len(PAINTS)))])
    return np.clip(colour * rng.uniform(0.85, 1.1) * (1 + rng.normal(0, 0.03, 3)), 0, 1).astype(
        np.float32
    )


def _seam(canvas: Canvas, rng: np.random.Generator, place: float) -> tuple[Field, Field]:
    """A horizontal weld bead or lap at height `place`: relief and proximity."""
    wobble = fbm(canvas, rng, 20, octaves=3, stretch=(0.02, 1)) * np.float32(0.0015)
    away = canvas.y - np.float32(place) + wobble
    beads = 1 + 0.25 * np.sin(canvas.x * np.float32(2 * np.pi * 55))
    weld = np.exp(-((away / 0.009) ** 2)) * np.float32(0.006) * beads
    lap = smoothstep(0.003, -0.003, away) * np.float32(0.007)
    relief = lap if rng.random() < 0.5 else weld
    return relief.astype(np.float32), np.exp(-((away / 0.05) ** 2)).astype(np.float32)


def painted_steel(canvas: Canvas, rng: np.random.Generator, rusts: bool) -> tuple[Field, Field]:
    """A painted wall of a tank, hull or door; rust breaks through in patches."""
    surface = paint(canvas, pick_paint(rng), gloss=rng.uniform(0.05, 0.35))
    place = rng.uniform(0.2, 0.8) * canvas.tall
    relief, close = _seam(canvas, rng, place)
    surface = replace(surface, height=surface.height + relief)
    surface = weather(canvas, rng, surface)
    if rusts:
        low = canvas.y / np.float32(canvas.tall) * np.float32(rng.uniform(-0.2, 0.8))
        surface = corrode(
            canvas, rng, surface, bias=close * 1.1 + low, coverage=rng.uniform(0.1, 0.32)
        )
    lit = shade(canvas, surface, make_light(canvas, rng))
    return tilt(canvas, rng, lit, surface.rust)


def plate(canvas: Canvas, rng: np.random.Generator, rusts: bool) -> tuple[Field, Field]:
    """Plates joined by rows of rivets or bolts; rust starts at the heads."""
    surface = paint(canvas, pick_paint(rng), gloss=rng.uniform(0.1, 0.35))
    radius = rng.uniform(0.022, 0.038)
    pitch = radius * rng.uniform(4.2, 6.5)
    seam_y = rng.uniform(0.3, 0.65) * canvas.tall
    seam_x = rng.uniform(0.25, 0.75) * canvas.wide
    rows = np.arange(-0.5, canvas.tall / pitch + 1) * pitch
    columns = np.arange(-0.5, canvas.wide / pitch + 1) * pitch
    centres = [(seam_y - 2.2 * radius, float(x)) for x in columns]
    centres += [(float(y), seam_x + 2.2 * radius) for y in rows if abs(y - seam_y) > pitch * 0.8]
    if rng.random() < 0.5:
        centres += [(seam_y - 2.2 * radius - pitch * 0.9, float(x) + pitch / 2) for x in columns]
    away_y = canvas.y - np.float32(seam_y)
    away_x = canvas.x - np.float32(seam_x)
    lap = np.maximum(smoothstep(0.003, -0.003, away_y), smoothstep(-0.003, 0.003, away_x))
    lap = lap * np.float32(0.011)
    heads, cover, close = bolts(canvas, centres, radius, hexagon=bool(rng.random() < 0.5))
    surface = weather(canvas, rng, replace(surface, height=lap + canvas.full()))
    surface = replace(surface, height=surface.height + heads)
    if rusts:
        seam = np.exp(-((away_y / 0.02) ** 2)) + 0.7 * np.exp(-((away_x / 0.02) ** 2))
        surface = corrode(
            canvas,
            rng,
            surface,
            bias=close * 2.2 + seam * 1.3 + cover * 0.3,
            coverage=rng.uniform(0.06, 0.2),
            stain=rng.uniform(0.6, 1.0),
        )
    lit = shade(canvas, surface, make_light(canvas, rng))
    return tilt(canvas, rng, lit, surface.rust)


def corrugated(canvas: Canvas, rng: np.random.Generator, rusts: bool) -> tuple[Field, Field]:
    """Corrugated sheet, galvanised or painted, two sheets lapped and screwed."""
    zinc = rng.random() < 0.6
    base = linear(168, 174, 178) if zinc else pick_paint(rng)
    surface = paint(canvas, base * np.float32(rng.uniform(0.75, 1)), gloss=0.25 if zinc else 0.15)
    waves = rng.uniform(9, 15)
    lap = rng.uniform(0.3, 0.7) * canvas.tall
    phase = canvas.x * np.float32(2 * np.pi * waves) + np.float32(rng.uniform(0, 6))
    ridge = np.cos(phase) * np.float32(0.11 / waves) + canvas.full()
    below = smoothstep(-0.002, 0.002, canvas.y - np.float32(lap))
    ridge = ridge - below * np.float32(0.012)
    surface = weather(canvas, rng, surface)
    patina = fbm(canvas, rng, 8, octaves=5, gain=0.7) * np.float32(0.07 if zinc else 0.02)
    surface = replace(
        surface,
        albedo=np.clip(surface.albedo * (1 + patina[..., None]), 0, 1),
        height=surface.height * np.float32(0.5) + ridge,
    )
    every = 3 / waves
    offset = float((-(phase[0, 0] - canvas.x[0, 0] * 2 * np.pi * waves)) / (2 * np.pi * waves))
    centres = [(lap - 0.035, offset + k * every) for k in range(-3, int(canvas.wide / every) + 4)]
    heads, _, close = bolts(canvas, centres, 0.011, hexagon=True)
    surface = replace(surface, height=surface.height + heads)
    if rusts:
        edge = np.exp(-(((canvas.y - np.float32(lap)) / 0.08) ** 2))
        end = np.exp(-(((canvas.y - np.float32(canvas.tall)) / 0.25) ** 2))
        ribs = 0.35 * np.cos(phase)
        surface = corrode(
            canvas,
            rng,
            surface,
            bias=edge * 1.5 + end * 1.2 + close * 1.0 + ribs,
            coverage=rng.uniform(0.15, 0.4),
            film=0.001,
        )
    lit = shade(canvas, surface, make_light(canvas, rng))
    return tilt(canvas, rng, lit, surface.rust, amount=1.3)


def rusted_sheet(canvas: Canvas, rng: np.random.Generator, rusts: bool) -> tuple[Field, Field]:
    """Old plate that is almost entirely rust, with some islands of paint left."""
    surface = weather(canvas, rng, paint(canvas, pick_paint(rng), gloss=0.15))
    if rusts:
        surface = corrode(canvas, rng, surface, coverage=rng.uniform(0.7, 0.92), film=0.004)
    pits = smoothstep(0.9, 2.0, fbm(canvas, rng, 35, octaves=4, gain=0.7)) * surface.rust
    surface = replace(
        surface,
        albedo=mix(surface.albedo, surface.albedo * np.float32(0.4), pits),
        height=surface.height - pits * np.float32(0.002),
    )
    lit = shade(canvas, surface, make_light(canvas, rng))
    return tilt(canvas, rng, lit, surface.rust)
