"""Rust on a surface: where it grows, what it looks like, and its run-off.

Two things are drawn separately. *Rust* is corroded metal: an opaque, matt, rough layer with ragged
edges where paint has flaked. Its opacity over 0.5 is the mask of a scene. *Stain* is colour carried
away by water: a transparent tint on the sound paint below, and a faint halo around the patch.
Stain is not in the mask: the experts' polygons mark spots and mostly leave run-off stain out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .light import Surface, linear
from .noise import Canvas, Field, blur, cells, fbm, mix, smoothstep

__all__ = ["corrode", "run_off", "rust_colour"]

# Rust from its rim to its core, as seen in photos of ships, bolts and gates:
# ochre film, orange lepidocrocite, brown, dark red-brown goethite, near-black scale.
_STOPS = (0.0, 0.22, 0.45, 0.7, 1.0)
_COLOURS = (
    (190, 124, 68),
    (160, 88, 46),
    (124, 68, 43),
    (88, 51, 38),
    (54, 39, 35),
)


def rust_colour(canvas: Canvas, rng: np.random.Generator, depth: Field) -> Field:
    """Linear colour of rust.

    Parameters
    ----------
    canvas : Canvas
        The grid.
    rng : numpy.random.Generator
        Source of the mottling and of the hue of this scene's rust.
    depth : Field
        (H, W), 0 at the rim of a patch to 1 in its core.

    Returns
    -------
    Field
        (H, W, 3).
    """
    mottle = fbm(canvas, rng, 9, octaves=5, gain=0.7)
    speck = fbm(canvas, rng, 70, octaves=3, gain=0.8)
    age = rng.normal(0, 0.07)
    where = 0.2 + age + 0.42 * depth + 0.12 * mottle + 0.10 * speck
    table = np.stack([linear(*c) for c in _COLOURS])
    colour = np.stack([np.interp(where, _STOPS, table[:, c]) for c in range(3)], axis=-1)
    cast = np.array([1.0, rng.uniform(0.88, 1.08), rng.uniform(0.8, 1.2)])
    grit = np.clip(1 + 0.18 * fbm(canvas, rng, 130, octaves=2, gain=0.9), 0.3, 1.8)
    return (colour * cast * grit[..., None]).astype(np.float32)


def _middle(field: Field) -> Field:
    """A subsampled middle of a field: the part that stays visible when the camera tilts."""
    height, width = field.shape
    return field[height // 10 : height - height // 10 : 3, width // 10 : width - width // 10 : 3]


def _extent(
    canvas: Canvas, rng: np.random.Generator, bias: Field, coverage: float
) -> tuple[Field, Field]:
    """Opacity of the rust, and its depth from rim (0) to core (1)."""
    growth = fbm(canvas, rng, 3.5, octaves=7, gain=0.56) + bias
    threshold = np.float32(np.quantile(_middle(growth), 1 - coverage))
    above = growth - threshold
    soft = rng.uniform(0.03, 0.16)
    alpha = smoothstep(-soft, soft, above)
    # Pinholes: the paint is pierced in spots before whole patches lift.
    near, _, owner = cells(canvas, rng, 45)
    size = 0.36 * smoothstep(-1.1, 0.1, above) * np.clip(owner % 97 / 60 - 0.75, 0, 0.8)
    near = near + 0.1 * fbm(canvas, rng, 60, octaves=2)
    spots = smoothstep(0.08, -0.04, near - size) * (size > 0.05)
    depth = np.clip(above / 1.1, 0, 1)
    return np.maximum(alpha, spots * 0.95).astype(np.float32), depth.astype(np.float32)


def run_off(
    canvas: Canvas, rng: np.random.Generator, source: Field, *, length: float = 0.25
) -> Field:
    """Stain that water carries down from rust.

    Parameters
    ----------
    canvas : Canvas
        The grid.
    rng : numpy.random.Generator
        Determines which columns run, and how far.
    source : Field
        (H, W), opacity of the rust.
    length : float
        Mean length of a streak, in short sides.

    Returns
    -------
    Field
        (H, W), strength in [0, 1].
    """
    lanes = fbm(canvas, rng, 16, octaves=5, gain=0.8, stretch=(0.02, 1.0))[canvas.height // 2]
    reach = length * canvas.short * np.exp(0.6 * lanes)
    decay = np.exp(-1 / np.maximum(reach, 1)).astype(np.float32)
    share = 0.22 + 0.78 * smoothstep(-0.4, 1.6, lanes)
    carried = np.zeros(canvas.width, np.float32)
    stain = canvas.full()
    for row in range(canvas.height):
        carried = np.maximum(carried * decay, source[row] * share)
        stain[row] = carried
    ripple = 0.8 + 0.2 * fbm(canvas, rng, 20, octaves=4, stretch=(0.25, 1.0))
    return np.clip(blur(stain, canvas.short * 0.0035) * ripple, 0, 1)


def _tint(albedo: Field, stain: Field) -> Field:
    """Stain as a filter (absorbs blue most, red least) and, where thick, as an opaque film."""
    absorb = np.array([0.3, 1.0, 2.3], np.float32)
    filtered = albedo * np.exp(-stain[..., None] * absorb)
    return mix(filtered, linear(156, 104, 60), 0.45 * stain)


def corrode(
    canvas: Canvas,
    rng: np.random.Generator,
    surface: Surface,
    *,
    bias: Field | float = 0.0,
    coverage: float = 0.12,
    stain: float = 0.7,
    film: float = 0.0045,
) -> Surface:
    """Add rust to a surface.

    Parameters
    ----------
    canvas : Canvas
        The grid.
    rng : numpy.random.Generator
        Source of all randomness in this function.
    surface : Surface
        Sound metal or paint.
    bias : Field or float
        (H, W), added to the growth; 1 is one standard deviation. Increase it at bolts, seams and
        edges.
    coverage : float
        Share of the picture that rusts, without the pinholes.
    stain : float
        Strength of run-off and halo, 0 to 1.
    film : float
        Thickness of the paint that lifts at the rim, in short sides.

    Returns
    -------
    Surface
        With `rust` set to the opacity.
    """
    alpha, depth = _extent(canvas, rng, np.broadcast_to(bias, canvas.full().shape), coverage)
    halo = 0.55 * blur(alpha, canvas.short * 0.012) + 0.25 * blur(alpha, canvas.short * 0.035)
    runs = run_off(canvas, rng, alpha, length=rng.uniform(0.1, 0.3))
    stained = _tint(surface.albedo, (np.maximum(runs, halo * 0.8) * stain).astype(np.float32))
    rim = np.clip(blur(alpha, canvas.short * 0.003) * 2, 0, 1) * (1 - alpha)
    primer = stained * 0.45 + np.float32(0.25)
    stained = mix(stained, primer, rim * np.float32(rng.uniform(0, 0.5)))
    scale = fbm(canvas, rng, 22, octaves=5, gain=0.65) * np.float32(0.0022)
    relief = surface.height - alpha * np.float32(film) + scale * alpha
    return replace(
        surface,
        albedo=mix(stained, rust_colour(canvas, rng, depth), alpha),
        height=relief.astype(np.float32),
        gloss=(surface.gloss * (1 - alpha) * (1 - 0.5 * runs)).astype(np.float32),
        rust=np.maximum(surface.rust, alpha),
    )
