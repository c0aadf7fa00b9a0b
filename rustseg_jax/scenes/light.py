"""Turn a painted height field into a photo: sun, sky, shadows, lens, sensor.

Colours are linear light, (H, W, 3) float32, until `photograph` turns them into
sRGB uint8. Heights are in units of the picture's short side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .noise import Canvas, Field, blur, fbm, sample, smoothstep

__all__ = ["Light", "Surface", "linear", "make_light", "paint", "photograph", "shade", "tilt"]


@dataclass(frozen=True)
class Surface:
    """Material of a scene, before lighting.

    Attributes
    ----------
    albedo : Field
        (H, W, 3), linear, in [0, 1].
    height : Field
        (H, W), towards the camera, in short sides.
    gloss : Field
        (H, W), strength of the highlight, 0 (matt) to about 0.6 (fresh enamel).
    rust : Field
        (H, W), opacity of the rust, in [0, 1]; over 0.5 is the mask.
    slope_y, slope_x : Field or None
        (H, W), slope of a large shape (a pipe) that is not part of `height`.
    """

    albedo: Field
    height: Field
    gloss: Field
    rust: Field
    slope_y: Field | None = None
    slope_x: Field | None = None


@dataclass(frozen=True)
class Light:
    """Light source of a scene.

    Attributes
    ----------
    direction : tuple of float
        Unit vector (y, x, z) towards the sun; y is down, z to the camera.
    sun, sky : tuple of float
        Linear RGB of the direct and the ambient light.
    shadow : Field
        (H, W), 1 in the sun, lower in the cast shadow of an object outside the frame.
    """

    direction: tuple[float, float, float]
    sun: tuple[float, float, float]
    sky: tuple[float, float, float]
    shadow: Field


def linear(red: float, green: float, blue: float) -> Field:
    """Convert an sRGB colour of 0..255 to linear light, (3,)."""
    return np.asarray((np.array([red, green, blue]) / 255) ** 2.2, np.float32)


def paint(canvas: Canvas, colour: Field, *, gloss: float = 0.2) -> Surface:
    """A flat, uniform, unrusted surface of one linear colour (3,)."""
    albedo = np.broadcast_to(colour, (canvas.height, canvas.width, 3)).astype(np.float32)
    return Surface(albedo, canvas.full(), canvas.full(gloss), canvas.full())


def _outside_shadow(canvas: Canvas, rng: np.random.Generator) -> Field:
    """Shadow of an object outside the frame: none, an edge, or foliage."""
    kind = rng.choice(["none", "none", "edge", "foliage"])
    angle, place, depth = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.25), rng.uniform(0.4, 0.8)
    wobble = fbm(canvas, rng, 4, octaves=3)
    leaves = fbm(canvas, rng, 9, octaves=3, gain=0.5)
    along = (canvas.y - canvas.tall / 2) * np.float32(np.sin(angle))
    along = along + (canvas.x - canvas.wide / 2) * np.float32(np.cos(angle))
    if kind == "none":
        return canvas.full(1)
    if kind == "edge":
        dark = smoothstep(-0.012, 0.012, along + wobble * np.float32(0.004) - np.float32(place))
    else:
        dark = smoothstep(-0.9, 1.5, leaves + along * np.float32(3.5))
    return 1 - dark * np.float32(depth)


def make_light(canvas: Canvas, rng: np.random.Generator) -> Light:
    """Draw random daylight: sun from above and to one side, or overcast."""
    overcast = rng.random() < 0.35
    azimuth = rng.uniform(-0.9, 0.9)
    elevation = rng.uniform(0.75, 1.15)
    direction = (
        -np.cos(azimuth) * np.cos(elevation) * 1.0,
        np.sin(azimuth) * np.cos(elevation),
        np.sin(elevation),
    )
    warm = rng.uniform(0, 1)
    sun = np.array([1.0, 0.96 - 0.07 * warm, 0.90 - 0.18 * warm])
    sky = np.array([0.85, 0.93, 1.0 + 0.08 * warm])
    shadow = _outside_shadow(canvas, rng)
    strength = 0.45 if overcast else 1.15
    ambient = 0.75 if overcast else 0.42
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.4)
    along = (canvas.y - canvas.tall / 2) * np.sin(angle) + (canvas.x - canvas.wide / 2) * np.cos(
        angle
    )
    if overcast:
        shadow = 0.6 + 0.4 * shadow
    red, green, blue = (float(v) for v in sun * strength)
    sky_red, sky_green, sky_blue = (float(v) for v in sky * ambient)
    return Light(
        (float(direction[0]), float(direction[1]), float(direction[2])),
        (red, green, blue),
        (sky_red, sky_green, sky_blue),
        (shadow * (1 + slope * along)).astype(np.float32),
    )


def _cast(canvas: Canvas, height: Field, light: Light) -> Field:
    """1 in the sun, 0 in the height field's own shadow."""
    down, right, up = light.direction
    flat = max(float(np.hypot(down, right)), 1e-6)
    stride = max(1.0, canvas.short * 0.005)
    margin = int(stride * 11) + 1
    padded = np.pad(height, margin, mode="edge")
    dark = canvas.full()
    for step in range(1, 11):
        dy = margin + round(down / flat * stride * step)
        dx = margin + round(right / flat * stride * step)
        other = padded[dy : dy + canvas.height, dx : dx + canvas.width]
        ray = height + np.float32(step * stride / canvas.short * up / flat)
        np.maximum(dark, np.clip((other - ray) * np.float32(250), 0, 1), out=dark)
    return 1 - blur(dark, max(0.4, canvas.short * 0.002))


def shade(canvas: Canvas, surface: Surface, light: Light) -> Field:
    """Light a surface: Lambert, Blinn-Phong, sky, occlusion and cast shadows.

    Parameters
    ----------
    canvas : Canvas
        The grid.
    surface : Surface
        The surface to light.
    light : Light
        The light.

    Returns
    -------
    Field
        (H, W, 3), linear light, not clipped.
    """
    height = surface.height
    slope_y, slope_x = (g * np.float32(canvas.short) for g in np.gradient(height))
    if surface.slope_y is not None:
        slope_y = slope_y + surface.slope_y
    if surface.slope_x is not None:
        slope_x = slope_x + surface.slope_x
    inverse = 1 / np.sqrt(slope_y**2 + slope_x**2 + 1)
    ny, nx, nz = -slope_y * inverse, -slope_x * inverse, inverse
    down, right, up = (np.float32(v) for v in light.direction)
    sunlit = light.shadow * _cast(canvas, height, light)
    diffuse = np.clip(ny * down + nx * right + nz * up, 0, None) * sunlit
    half = np.array([down, right, up + 1]) / np.sqrt(down**2 + right**2 + (up + 1) ** 2)
    facing = np.clip(ny * half[0] + nx * half[1] + nz * half[2], 0, 1).astype(np.float32)
    shine = surface.gloss * (facing**24 * np.float32(0.25) + facing**160) * sunlit
    hollow = np.clip(blur(height, canvas.short * 0.012) - height, 0, None)
    open_sky = np.exp(-60 * hollow) * (0.8 - 0.25 * ny)
    sun, sky = np.array(light.sun, np.float32), np.array(light.sky, np.float32)
    lit = surface.albedo * (diffuse[..., None] * sun + open_sky[..., None] * sky)
    mirrored = surface.gloss * np.float32(0.10) * np.clip(0.5 - ny, 0, 1)
    return np.asarray(lit + shine[..., None] * sun + mirrored[..., None] * sky, np.float32)


def tilt(
    canvas: Canvas, rng: np.random.Generator, image: Field, rust: Field, *, amount: float = 1.0
) -> tuple[Field, Field]:
    """View a flat picture slightly from the side, and roll the camera.

    Parameters
    ----------
    canvas : Canvas
        The grid.
    rng : numpy.random.Generator
        Consumes three numbers.
    image, rust : Field
        (H, W, 3) and (H, W); both undergo the same projective map.
    amount : float
        At 1, roll up to about 6 degrees, and the far side up to a quarter smaller.

    Returns
    -------
    tuple of Field
        The same shapes. Nothing outside the frame becomes visible.
    """
    roll = rng.uniform(-0.1, 0.1) * amount
    lean_y, lean_x = rng.uniform(-0.25, 0.25, 2) * amount
    cy, cx = canvas.tall / 2, canvas.wide / 2

    def place(y: Field, x: Field) -> tuple[Field, Field]:
        depth = 1 + np.float32(lean_y) * y + np.float32(lean_x) * x
        cos, sin = np.float32(np.cos(roll)), np.float32(np.sin(roll))
        return (cos * y - sin * x) / depth, (sin * y + cos * x) / depth

    corner_y, corner_x = place(
        np.array([-cy, -cy, cy, cy], np.float32), np.array([-cx, cx, -cx, cx], np.float32)
    )
    zoom = 0.999 / max(float(np.max(np.abs(corner_y))) / cy, float(np.max(np.abs(corner_x))) / cx)
    y, x = place(canvas.y - np.float32(cy), canvas.x - np.float32(cx))
    rows = (y * np.float32(zoom) + np.float32(cy)) * np.float32(canvas.short) - np.float32(0.5)
    columns = (x * np.float32(zoom) + np.float32(cx)) * np.float32(canvas.short) - np.float32(0.5)
    return sample(image, rows, columns), sample(rust, rows, columns)


def photograph(canvas: Canvas, rng: np.random.Generator, image: Field) -> NDArray[np.uint8]:
    """Photograph the scene: exposure, white balance, vignette, softness, noise.

    Parameters
    ----------
    canvas : Canvas
        The grid.
    rng : numpy.random.Generator
        Source of the camera's variations and noise.
    image : Field
        (H, W, 3), linear light.

    Returns
    -------
    NDArray[np.uint8]
        (H, W, 3), sRGB.
    """
    # Metering by the strongest channel keeps a red door from being overexposed.
    middle = float(np.mean(np.sqrt(np.clip(image.max(axis=-1), 0, 1.5)))) ** 2
    exposure = 0.34 * rng.uniform(0.8, 1.25) / max(middle, 0.02)
    exposure = min(max(exposure, 0.5), 1.7)
    balance = 1 + rng.normal(0, 0.025, 3)
    away = (canvas.y - canvas.tall / 2) ** 2 + (canvas.x - canvas.wide / 2) ** 2
    vignette = 1 - np.float32(rng.uniform(0.1, 0.35)) * away
    exposed = np.clip(image * np.float32(exposure * balance) * vignette[..., None], 0, None)
    # A film-like shoulder: linear up to 0.6, then saturating towards 1.
    over = np.clip(exposed - 0.6, 0, None)
    shown = np.minimum(exposed, 0.6) + 0.4 * (1 - np.exp(-over / 0.4))
    srgb = shown ** np.float32(1 / 2.2)
    return _sensor(rng, srgb.astype(np.float32))


def _sensor(rng: np.random.Generator, srgb: Field) -> NDArray[np.uint8]:
    """Lens blur, sensor noise, and half-resolution colour as in JPEG."""
    grain = rng.uniform(0.003, 0.009)
    soft = blur(srgb, rng.uniform(0.35, 0.75))
    noise = blur(rng.standard_normal(srgb.shape[:2], np.float32), 0.5)
    luma = soft[..., 0] * 0.299 + soft[..., 1] * 0.587 + soft[..., 2] * 0.114
    chroma = blur(soft - luma[..., None], 1.0)
    result = luma[..., None] + chroma + noise[..., None] * np.float32(grain * 1.8)
    return np.clip(np.rint(result * 255), 0, 255).astype(np.uint8)
