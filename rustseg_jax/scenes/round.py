"""Round steel in front of a background: a flanged pipe and a railing.

Each function takes the canvas, the random generator and whether it rusts, and returns the lit
picture (H, W, 3) in linear light and the rust opacity (H, W). Paint, dirt and rust are drawn on the
unrolled surface and then wrapped around the cylinder.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .light import Surface, linear, make_light, paint, shade, tilt
from .noise import Canvas, Field, blur, fbm, mix, sample, smoothstep
from .rust import corrode
from .steel import pick_paint, weather

__all__ = ["pipe", "railing"]


def _wrap(surface: Surface, y: Field, x: Field) -> Surface:
    """The surface sampled at other positions, (h, w) in pixels."""
    return Surface(
        sample(surface.albedo, y, x),
        sample(surface.height, y, x),
        sample(surface.gloss, y, x),
        sample(surface.rust, y, x),
    )


def _cylinder(offset: Field) -> tuple[Field, Field]:
    """Angle and slope across a cylinder, for offsets in radii (clipped to the rim)."""
    inside = np.clip(offset, -0.985, 0.985)
    return np.arcsin(inside).astype(np.float32), -inside / np.sqrt(1 - inside**2)


def _flange_bolts(
    canvas: Canvas, centre: float, radius: float, faces: tuple[float, float]
) -> tuple[Field, Field]:
    """Bolt heads that protrude sideways from a flange: opacity and lean."""
    cover, lean = canvas.full(), canvas.full()
    for angle in np.linspace(-1.2, 1.2, 6):
        cy = centre + radius * 0.9 * np.sin(angle)
        half = 0.022 * (0.35 + 0.65 * np.cos(angle))
        offset = (canvas.y - np.float32(cy)) / np.float32(half)
        edge = 1.0 / (canvas.short * half)
        rows = smoothstep(1 + edge, 1 - edge, np.abs(offset))
        left = smoothstep(faces[0] - 0.028, faces[0] - 0.026, canvas.x)
        right = smoothstep(faces[1] + 0.028, faces[1] + 0.026, canvas.x)
        head = rows * left * right
        lean = np.where(head > 0.5, -np.round(offset * 1.4) * 0.6 + 0 * cover, lean)
        cover = np.maximum(cover, head)
    return cover.astype(np.float32), lean.astype(np.float32)


def pipe(canvas: Canvas, rng: np.random.Generator, rusts: bool) -> tuple[Field, Field]:
    """A painted pipe with a bolted flange in front of a blurred background."""
    radius = rng.uniform(0.19, 0.3)
    centre = canvas.tall * rng.uniform(0.42, 0.58)
    middle = canvas.wide * rng.uniform(0.25, 0.75)
    thick = rng.uniform(0.05, 0.075)
    flange = smoothstep(thick + 0.002, thick - 0.002, np.abs(canvas.x - np.float32(middle)))
    groove = smoothstep(0.005, 0.003, np.abs(canvas.x - np.float32(middle)))
    local = np.float32(radius) * (1 + 0.28 * flange - 0.05 * groove)
    offset = (canvas.y - np.float32(centre)) / local
    angle, slope = _cylinder(offset)

    surface = weather(canvas, rng, paint(canvas, pick_paint(rng), gloss=rng.uniform(0.15, 0.4)))
    heads, lean = _flange_bolts(canvas, centre, radius * 1.28, (middle - thick, middle + thick))
    if rusts:
        near = np.exp(-((np.clip(np.abs(canvas.x - middle) - thick, 0, None) / 0.05) ** 2))
        belly = 0.9 * canvas.y / np.float32(canvas.tall)
        surface = corrode(
            canvas, rng, surface, bias=near * 1.3 + belly, coverage=rng.uniform(0.15, 0.4)
        )
    rows = (np.float32(canvas.tall / 2) + angle * np.float32(radius * 0.85)) * canvas.short - 0.5
    columns = np.broadcast_to(canvas.x * canvas.short - np.float32(0.5), rows.shape)
    wrapped = _wrap(surface, rows.astype(np.float32), columns)
    edge = 1.0 / (canvas.short * radius)
    cover = np.maximum(smoothstep(1 + edge, 1 - edge, np.abs(offset)), heads)
    body = smoothstep(1.01, 0.99, np.abs(offset))
    step = (flange * 0.03 - groove * 0.02) * body + heads * (1 - flange) * 0.03
    shaped = replace(
        wrapped,
        height=(wrapped.height + step).astype(np.float32),
        slope_y=np.where(heads * (1 - flange) > 0.5, lean, slope).astype(np.float32),
    )
    light = make_light(canvas, rng)
    lit = shade(canvas, shaped, light)
    behind = _behind(canvas, rng, cover)
    image = mix(behind, lit, cover)
    return tilt(canvas, rng, image, wrapped.rust * cover, amount=1.2)


def _backdrop(canvas: Canvas, rng: np.random.Generator) -> Field:
    """A blurred background behind a pipe or a railing, (H, W, 3), linear light."""
    horizon = canvas.tall * rng.uniform(0.25, 0.65)
    kinds = [
        ((96, 122, 62), (168, 190, 214)),
        ((120, 116, 108), (184, 196, 206)),
        ((86, 104, 116), (186, 204, 224)),
        ((132, 128, 120), (150, 148, 142)),
    ]
    low, high = kinds[int(rng.integers(len(kinds)))]
    ground = linear(*low) * (1 + 0.25 * fbm(canvas, rng, 5, octaves=6, gain=0.7))[..., None]
    sky = linear(*high) * (1 + 0.05 * fbm(canvas, rng, 2, octaves=3))[..., None]
    ragged = fbm(canvas, rng, 4, octaves=5) * np.float32(0.03)
    bush = smoothstep(0.3, 0.9, fbm(canvas, rng, 3, octaves=5) - np.abs(canvas.y - horizon) * 5)
    image = mix(sky, ground, smoothstep(-0.02, 0.02, canvas.y + ragged - np.float32(horizon)))
    image = mix(image, linear(58, 74, 42) * (1 + 0.3 * ragged[..., None] * 30), bush)
    return np.clip(blur(image, canvas.short * rng.uniform(0.008, 0.02)), 0, 1.2) * np.float32(0.8)


def _behind(canvas: Canvas, rng: np.random.Generator, cover: Field) -> Field:
    """The background, darkened where the steel blocks the sky."""
    shadow = blur(np.roll(cover, int(0.05 * canvas.short), axis=0), canvas.short * 0.03)
    return _backdrop(canvas, rng) * (1 - np.float32(0.35) * shadow[..., None])


def _bar(
    canvas: Canvas, layers: list[Field], place: float, radius: float, *, upright: bool
) -> None:
    """Add one bar to `layers` = [cover, slope_y, slope_x, relief], in place."""
    position = canvas.x if upright else canvas.y
    offset = (position - np.float32(place)) / np.float32(radius) + canvas.full()
    edge = 0.7 / (canvas.short * radius)
    cover = smoothstep(1 + edge, 1 - edge, np.abs(offset))
    _, slope = _cylinder(offset)
    inside = cover > 0.5
    slope_y, slope_x = (np.float32(0), slope) if upright else (slope, np.float32(0))
    layers[0][:] = np.maximum(layers[0], cover)
    layers[1][:] = np.where(inside, slope_y, layers[1])
    layers[2][:] = np.where(inside, slope_x, layers[2])
    layers[3][:] = np.where(inside, np.float32(radius), layers[3])


def railing(canvas: Canvas, rng: np.random.Generator, rusts: bool) -> tuple[Field, Field]:
    """A painted railing: rails, a post and bars; rust starts at the joints."""
    layers = [canvas.full() for _ in range(4)]
    rails = [canvas.tall * rng.uniform(0.12, 0.24), canvas.tall * rng.uniform(0.72, 0.86)]
    pitch, radius = rng.uniform(0.13, 0.2), rng.uniform(0.016, 0.024)
    first = rng.uniform(0, pitch)
    places = np.arange(first - pitch, canvas.wide + pitch, pitch)
    for place in places:
        _bar(canvas, layers, float(place), radius, upright=True)
    for rail in rails:
        _bar(canvas, layers, rail, radius * 1.9, upright=False)
    post = float(places[int(rng.integers(1, len(places) - 1))])
    _bar(canvas, layers, post, radius * 2.4, upright=True)
    cover, slope_y, slope_x, relief = layers
    surface = weather(canvas, rng, paint(canvas, pick_paint(rng), gloss=rng.uniform(0.2, 0.4)))
    if rusts:
        joint = np.zeros_like(cover)
        for rail in rails:
            joint = np.maximum(joint, np.exp(-(((canvas.y - np.float32(rail)) / 0.05) ** 2)))
        foot = 0.8 * canvas.y / np.float32(canvas.tall)
        surface = corrode(
            canvas,
            rng,
            surface,
            bias=joint * 1.4 + foot,
            coverage=rng.uniform(0.25, 0.5),
            film=0.002,
        )
    surface = replace(
        surface,
        height=(surface.height + 0.2 * relief).astype(np.float32),
        slope_y=slope_y,
        slope_x=slope_x,
    )
    light = make_light(canvas, rng)
    lit = shade(canvas, surface, light)
    image = mix(_behind(canvas, rng, cover), lit, cover)
    return tilt(canvas, rng, image, surface.rust * cover, amount=1.2)
