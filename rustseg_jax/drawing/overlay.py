"""Drawing on photos: masks, heat maps, uncertainty, and images side by side.

All functions take and return (H, W, 3) uint8 and do not change their arguments. They work
strip by strip, so that a 50-megapixel photo needs little more memory than its copy.

Colours: the mask is azure, the hue opposite to rust, which is distinct from rust for
all common types of colour vision; its outline is nearly white. Heat maps are drawn in
viridis, whose lightness increases uniformly and which suits colour blindness and grey print.
Uncertainty is yellow; where it is 0, the photo is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rustseg_jax.errors import ConfigError, ImageError
from rustseg_jax.images import resize

__all__ = [
    "DOUBT_COLOUR",
    "MASK_COLOUR",
    "heat_colours",
    "heat_overlay",
    "mask_outline",
    "mask_overlay",
    "side_by_side",
    "uncertainty_overlay",
]

MASK_COLOUR = (0, 140, 255)
"""Azure: hue 207 degrees, opposite to the 15 to 30 degrees of rust."""

DOUBT_COLOUR = (255, 235, 0)
"""Yellow: lighter than rust and opposite to azure, so that uncertainty is visible on both."""

_OUTLINE_COLOUR = (235, 248, 255)  # nearly white: bright on rust, steel and shadow alike
_OUTLINE_SHARE = 1 / 300  # outline width over the longer side: 2 pixels at 448, 27 at 8000
_STRIP_PIXELS = 1 << 20  # processed at a time
_BAR = (255, 255, 255)  # between and below the images of side_by_side
_INK = (30, 30, 30)

# viridis of matplotlib (N. Smith, S. van der Walt, 2015, CC0): 256 RGB triples.
_VIRIDIS_HEX = (
    "44015444025645045745055946075a46085c460a5d460b5e470d60470e614710634711644713654814674816"
    "6848176948186a481a6c481b6d481c6e481d6f481f7048207148217348237448247548257648267748287848"
    "2979472a7a472c7a472d7b472e7c472f7d46307e46327e46337f463480453581453781453882443983443a83"
    "443b84433d84433e85423f854240864241864142874144874045884046883f47883f48893e49893e4a893e4c"
    "8a3d4d8a3d4e8a3c4f8a3c508b3b518b3b528b3a538b3a548c39558c39568c38588c38598c375a8c375b8d36"
    "5c8d365d8d355e8d355f8d34608d34618d33628d33638d32648e32658e31668e31678e31688e30698e306a8e"
    "2f6b8e2f6c8e2e6d8e2e6e8e2e6f8e2d708e2d718e2c718e2c728e2c738e2b748e2b758e2a768e2a778e2a78"
    "8e29798e297a8e297b8e287c8e287d8e277e8e277f8e27808e26818e26828e26828e25838e25848e25858e24"
    "868e24878e23888e23898e238a8d228b8d228c8d228d8d218e8d218f8d21908d21918c20928c20928c20938c"
    "1f948c1f958b1f968b1f978b1f988b1f998a1f9a8a1e9b8a1e9c891e9d891f9e891f9f881fa0881fa1881fa1"
    "871fa28720a38620a48621a58521a68522a78522a88423a98324aa8325ab8225ac8226ad8127ad8128ae8029"
    "af7f2ab07f2cb17e2db27d2eb37c2fb47c31b57b32b67a34b67935b77937b87838b9773aba763bbb753dbc74"
    "3fbc7340bd7242be7144bf7046c06f48c16e4ac16d4cc26c4ec36b50c46a52c56954c56856c66758c7655ac8"
    "645cc8635ec96260ca6063cb5f65cb5e67cc5c69cd5b6ccd5a6ece5870cf5773d05675d05477d1537ad1517c"
    "d2507fd34e81d34d84d44b86d54989d5488bd6468ed64590d74393d74195d84098d83e9bd93c9dd93ba0da39"
    "a2da37a5db36a8db34aadc32addc30b0dd2fb2dd2db5de2bb8de29bade28bddf26c0df25c2df23c5e021c8e0"
    "20cae11fcde11dd0e11cd2e21bd5e21ad8e219dae319dde318dfe318e2e418e5e419e7e419eae51aece51bef"
    "e51cf1e51df4e61ef6e620f8e621fbe723fde725"
)
_VIRIDIS = np.frombuffer(bytes.fromhex(_VIRIDIS_HEX), np.uint8).reshape(256, 3)

_Array = np.ndarray[Any, np.dtype[Any]]
_Colour = tuple[int, int, int]


def mask_overlay(
    image: _Array,
    mask: _Array,
    *,
    opacity: float = 0.5,
    colour: _Colour = MASK_COLOUR,
    outline: bool = True,
) -> _Array:
    """Tint the masked part of a photo and draw an outline along its inside.

    Parameters
    ----------
    image
        (H, W, 3) uint8.
    mask
        (H, W) bool.
    opacity
        Opacity of the tint, 0 (the photo) to 1 (the colour). The outline is always opaque.
    colour
        RGB of the tint, each 0 to 255.
    outline
        Whether to draw the outline; its width is 1/300 of the photo's longer side. There is no
        outline along the image border.

    Returns
    -------
    (H, W, 3) uint8, a new array; pixels outside the mask are those of the photo.

    Raises
    ------
    ImageError
        image or mask has the wrong shape or dtype.
    ConfigError
        opacity or colour is out of range.
    """
    _check_image(image, "image")
    if mask.shape != image.shape[:2] or mask.dtype != np.bool_:
        raise ImageError(
            f"mask is {mask.shape} {mask.dtype}; must be {image.shape[:2]} bool, like the image"
        )
    _check_opacity(opacity)
    _check_colour(colour)
    tints = [_tint(part, opacity) for part in colour]
    width = max(1, round(max(mask.shape) * _OUTLINE_SHARE)) if outline else 0
    drawn = image.copy()
    for rows in _strips(image.shape):
        inside, strip = mask[rows], drawn[rows]
        if not inside.any():
            continue
        for channel, tint in enumerate(tints):
            part = strip[..., channel]
            np.copyto(part, tint[part], where=inside)
        if width:
            strip[_line(mask, rows, width)] = _OUTLINE_COLOUR
    return drawn


def mask_outline(image: _Array, mask: _Array, *, colour: _Colour = MASK_COLOUR) -> _Array:
    """Draw only the border of a mask: a line in the colour with a nearly white rim.

    Parameters
    ----------
    image
        (H, W, 3) uint8.
    mask
        (H, W) bool.
    colour
        RGB of the line, each 0 to 255.

    Returns
    -------
    (H, W, 3) uint8, a new array; pixels outside the mask are those of the photo.

    Raises
    ------
    ImageError, ConfigError
        As for `mask_overlay`.
    """
    width = max(1, round(max(mask.shape) * _OUTLINE_SHARE))
    drawn = mask_overlay(image, mask, opacity=0.0, colour=colour, outline=False)
    for rows in _strips(image.shape):
        if not mask[rows].any():
            continue
        strip = drawn[rows]
        strip[_line(mask, rows, 2 * width)] = colour
        strip[_line(mask, rows, max(1, width // 2))] = _OUTLINE_COLOUR
    return drawn


def heat_colours(heatmap: _Array) -> _Array:
    """Colour a heat map in viridis: dark violet is 0, yellow is 1.

    Parameters
    ----------
    heatmap
        (H, W) floating, in [0, 1].

    Returns
    -------
    (H, W, 3) uint8.

    Raises
    ------
    ImageError
        The heat map is not a two-dimensional floating-point array in [0, 1].
    """
    _check_heatmap(heatmap)
    colours = np.empty((*heatmap.shape, 3), np.uint8)
    for rows in _strips(heatmap.shape):
        colours[rows] = _paint(heatmap[rows])
    return colours


def heat_overlay(image: _Array, heatmap: _Array, *, opacity: float = 0.5) -> _Array:
    """Overlay a heat map on its photo, enlarged bilinearly to the photo's size.

    Parameters
    ----------
    image
        (H, W, 3) uint8.
    heatmap
        (h, w) floating, in [0, 1], of any size; it covers the whole photo.
    opacity
        Opacity of the heat map, 0 (the photo) to 1 (the colours of `heat_colours`).

    Returns
    -------
    (H, W, 3) uint8, a new array.

    Raises
    ------
    ImageError
        image or heat map has the wrong shape, dtype or range.
    ConfigError
        opacity is out of range.
    """
    _check_image(image, "image")
    _check_heatmap(heatmap)
    _check_opacity(opacity)
    heat = Image.fromarray(np.ascontiguousarray(heatmap, np.float32))
    share = np.uint16(round(255 * opacity))
    drawn = np.empty_like(image, order="C")
    for rows in _strips(image.shape):
        colours = _paint(_enlarged(heat, image.shape, rows))
        mixed = image[rows] * (np.uint16(255) - share) + colours * share
        drawn[rows] = (mixed + np.uint16(127)) // np.uint16(255)  # 255 * 255 + 127 < 2**16
    return drawn


def uncertainty_overlay(
    image: _Array, doubt: _Array, *, opacity: float = 0.8, colour: _Colour = DOUBT_COLOUR
) -> _Array:
    """Tint a photo where its mask is uncertain, in proportion to the uncertainty.

    Parameters
    ----------
    image
        (H, W, 3) uint8: the photo, or preferably the result of `mask_overlay`.
    doubt
        (h, w) floating, in [0, 1], `Uncertainty.map`, of any size; it covers the whole photo.
    opacity
        Opacity of the tint where the uncertainty is 1; proportional elsewhere.
    colour
        RGB of the tint, each 0 to 255.

    Returns
    -------
    (H, W, 3) uint8, a new array; equal to the image where the uncertainty is 0.

    Raises
    ------
    ImageError, ConfigError
        As for `heat_overlay`.
    """
    _check_image(image, "image")
    _check_heatmap(doubt, "doubt")
    _check_opacity(opacity)
    _check_colour(colour)
    small = Image.fromarray(np.ascontiguousarray(doubt, np.float32))
    drawn = np.empty_like(image, order="C")
    for rows in _strips(image.shape):
        share = _enlarged(small, image.shape, rows)[..., None] * np.float32(opacity)
        drawn[rows] = np.rint(image[rows] * (1 - share) + np.array(colour) * share)
    return drawn


def side_by_side(
    images: Sequence[_Array], captions: Sequence[str] | None = None, *, height: int | None = None
) -> _Array:
    """Place images side by side, at the same height, with captions below.

    Parameters
    ----------
    images
        At least one (H, W, 3) uint8; sizes may differ.
    captions
        One text per image, or None for no captions; long captions end with an ellipsis.
    height
        Height of the images in pixels; by default that of the smallest one.

    Returns
    -------
    (H, W, 3) uint8, on white.

    Raises
    ------
    ImageError
        An image has the wrong shape or dtype.
    ConfigError
        There is no image, the number of captions differs, or height is below 1.
    """
    if not images:
        raise ConfigError("images is empty; give at least one image")
    if captions is not None and len(captions) != len(images):
        raise ConfigError(
            f"captions has length {len(captions)} for {len(images)} images; give one per image"
        )
    for number, image in enumerate(images):
        _check_image(image, f"images[{number}]")
    tall = min(image.shape[0] for image in images) if height is None else height
    if tall < 1:
        raise ConfigError(f"height is {height}; must be at least 1 pixel")
    widths = [max(1, round(image.shape[1] * tall / image.shape[0])) for image in images]
    gap, size = max(2, tall // 60), max(10, tall // 20)
    bar = 0 if captions is None else 2 * size
    sheet = np.full((tall + bar, sum(widths) + gap * (len(images) - 1), 3), _BAR, np.uint8)
    left = 0
    for number, (image, width) in enumerate(zip(images, widths, strict=True)):
        sheet[:tall, left : left + width] = resize(image, (tall, width))
        if captions is not None:
            sheet[tall:, left : left + width] = _caption(captions[number], (bar, width), size)
        left += width + gap
    return sheet


def _check_image(image: _Array, name: str) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError(f"{name} is {image.shape} {image.dtype}; must be (H, W, 3) uint8")


def _check_heatmap(heatmap: _Array, name: str = "heatmap") -> None:
    if heatmap.ndim != 2 or 0 in heatmap.shape or heatmap.dtype.kind != "f":
        raise ImageError(f"{name} is {heatmap.shape} {heatmap.dtype}; must be (h, w) floating")
    low, high = float(heatmap.min()), float(heatmap.max())
    if not (low >= 0 and high <= 1):  # a NaN fails too
        raise ImageError(f"{name} has values from {low:g} to {high:g}; must be between 0 and 1")


def _check_opacity(opacity: float) -> None:
    if not 0 <= opacity <= 1:
        raise ConfigError(f"opacity is {opacity}; must be between 0 (the photo) and 1")


def _check_colour(colour: _Colour) -> None:
    if len(colour) != 3 or not all(0 <= part <= 255 for part in colour):
        raise ConfigError(f"colour is {colour}; must be three values from 0 to 255")


def _strips(shape: tuple[int, ...]) -> Iterator[slice]:
    rows = max(1, _STRIP_PIXELS // shape[1])
    for top in range(0, shape[0], rows):
        yield slice(top, min(top + rows, shape[0]))


def _tint(part: int, opacity: float) -> _Array:
    """Return all values of a channel mixed with that of the colour: (256,) uint8."""
    mixed = (1 - opacity) * np.arange(256) + opacity * part
    return np.rint(mixed).astype(np.uint8)


def _paint(heat: _Array) -> _Array:
    return _VIRIDIS[np.rint(heat * heat.dtype.type(255)).astype(np.uint8)]


def _enlarged(heat: Image.Image, shape: tuple[int, ...], rows: slice) -> _Array:
    """Return these rows of the heat map at the photo's size; strips join seamlessly."""
    scale = heat.height / shape[0]
    box = (0, rows.start * scale, heat.width, min(rows.stop * scale, heat.height))
    size = (shape[1], rows.stop - rows.start)
    resized = np.asarray(heat.resize(size, Image.Resampling.BILINEAR, box=box))
    return np.clip(resized, np.float32(0), np.float32(1))


def _line(mask: _Array, rows: slice, width: int) -> _Array:
    """Return the mask's inner border in these rows: pixels whose square extends outside."""
    top, bottom = max(0, rows.start - width), min(mask.shape[0], rows.stop + width)
    missing = (width - (rows.start - top), width - (bottom - rows.stop))
    # Areas beyond the image count as mask, so that no line is drawn along the image border.
    near = np.pad(mask[top:bottom], (missing, (width, width)), constant_values=True)
    core = _all_within(_all_within(near, 2 * width + 1).T, 2 * width + 1).T
    return mask[rows] & ~core


def _all_within(mask: _Array, length: int) -> _Array:
    """Return the AND over `length` rows in log2(length) steps: (n, m) to (n - length + 1, m)."""
    reach = 1
    while reach < length:
        step = min(reach, length - reach)
        mask = mask[:-step] & mask[step:]
        reach += step
    return mask


def _caption(text: str, shape: tuple[int, int], size: int) -> _Array:
    height, width = shape
    card = Image.new("RGB", (width, height), _BAR)
    draw, font = ImageDraw.Draw(card), ImageFont.load_default(size)
    text = shown = " ".join(text.encode("utf-8", "replace").decode().split())  # one line
    while shown and draw.textlength(shown, font=font) > width:
        text = text[:-1]
        shown = f"{text.rstrip()}…" if text else ""
    draw.text((width / 2, height / 2), shown, fill=_INK, font=font, anchor="mm")
    return np.asarray(card)
