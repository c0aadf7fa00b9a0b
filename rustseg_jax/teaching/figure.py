"""The pictures of a lesson, and all of them as one figure with captions, PNG or PDF.

Pictures are (h, w, 3) uint8. Drawn with Pillow, which is needed anyway.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rustseg_jax.drawing.difference import difference_picture, enlarge
from rustseg_jax.drawing.overlay import heat_colours, heat_overlay, mask_overlay
from rustseg_jax.errors import ConfigError
from rustseg_jax.images import resize
from rustseg_jax.images.resample import shrink_mask
from rustseg_jax.refine import working_shape
from rustseg_jax.teaching.lesson import Lesson
from rustseg_jax.teaching.mask import Histogram
from rustseg_jax.teaching.network import Block
from rustseg_jax.teaching.texts import STAGES

__all__ = [
    "Picture",
    "figure",
    "figure_bytes",
    "histogram_picture",
    "pictures",
]


SIDE = 448
"""Longer side of a picture in pixels, unless told otherwise."""

FORMATS = ("png", "pdf")

_PAPER, _INK, _SOFT, _LINE = (255, 255, 255), (30, 30, 30), (90, 90, 90), (200, 60, 0)
_BAR = (68, 110, 142)
_ROW, _GAP = 260, 24  # height of the pictures, space between
_WIDTH = 2200
_DPI = 200  # of the PDF: 11 inches wide, as a sheet laid across

_Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a step.

    Attributes
    ----------
    name : short and stable
    caption : a few words
    image : (h, w, 3) uint8
    """

    name: str
    caption: str
    image: _Picture = field(repr=False)


def pictures(lesson: Lesson, *, side: int = SIDE) -> Mapping[str, tuple[Picture, ...]]:
    """Draw every step.

    Parameters
    ----------
    lesson : what `teach` returned
    side : longer side of the pictures in pixels, about; the photo is not enlarged

    Returns
    -------
    Name of the step -> its pictures. Steps that were not run have none.

    Raises
    ------
    ConfigError
        `side` is below 64.
    """
    if side < 64:
        raise ConfigError(f"side is {side}; allowed is 64 or more")
    seg = lesson.seg
    shape = working_shape((seg.image.shape[0], seg.image.shape[1]), side)
    photo = resize(seg.image, shape)

    def over(mask: NDArray[np.bool_]) -> _Picture:
        return mask_overlay(photo, shrink_mask(mask, shape))

    drawn = {
        "seen": (Picture("seen", "Squashed to a square", lesson.inside.seen),),
        "blocks": tuple(_block_picture(block, side) for block in lesson.inside.blocks),
        "scores": (),
        "heatmap": (
            Picture("true", "As it is", enlarge(heat_colours(seg.heat), side)),
            Picture("overlay", "Enlarged, over the photo", heat_overlay(photo, seg.heat)),
        ),
        "threshold": (
            Picture("histogram", "Heat, and the cut", histogram_picture(lesson.histogram)),
            Picture("rough", "Rough mask", over(seg.rough)),
        ),
        "unary": (),
        "crf": (),
        "mask": (
            Picture("mask", "Mask", _grey_mask(shrink_mask(seg.mask, shape))),
            Picture("overlay", "Over the photo", over(seg.mask)),
        ),
    }
    if crf := lesson.crf:
        drawn["unary"] = (Picture("unary", "Evidence", heat_colours(crf.unary)),)
        drawn["crf"] = tuple(
            Picture(f"step{k}", _step_caption(k, area), mask_overlay(crf.small, p >= 0.5))
            for k, (p, area) in enumerate(zip(crf.posteriors, crf.areas, strict=True))
        )
    if truth := lesson.truth:
        drawn["truth"] = tuple(
            Picture(
                name, f"{STAGES[name]}: {d.iou:.2f}", difference_picture(seg.image, d, side=side)
            )
            for name, d in truth.stages.items()
        )
    return MappingProxyType(drawn)


def _step_caption(step: int, area: float) -> str:
    when = "Before" if step == 0 else f"Update {step}"
    return f"{when}: {100 * area:.1f} %"


def _block_picture(block: Block, side: int) -> Picture:
    """The channels two by two, each at a whole multiple of its own size, a line between."""
    rows = []
    tiles = [enlarge(heat_colours(channel.picture), side // 2) for channel in block.shown]
    for k in range(0, len(tiles), 2):
        pair = tiles[k : k + 2]
        pair += [np.full_like(pair[0], 255)] * (min(2, len(tiles)) - len(pair))
        gap = np.full((pair[0].shape[0], 4, 3), 255, np.uint8)
        rows += [np.hstack([pair[0], *(part for p in pair[1:] for part in (gap, p))])]
        rows += [np.full((4, rows[-1].shape[1], 3), 255, np.uint8)]
    weights = ", ".join(f"{channel.weight:+.2f}" for channel in block.shown)
    caption = f"Block {block.number}, {block.shape[0]} x {block.shape[1]}: {weights}"
    return Picture(f"block{block.number}", caption, np.vstack(rows[:-1]))


def histogram_picture(found: Histogram, *, size: tuple[int, int] = (320, 448)) -> _Picture:
    """Draw a histogram with its threshold; heights are square roots, so that few show beside many.

    Parameters
    ----------
    found : of a heat map
    size : (height, width) in pixels, at least 64 each

    Returns
    -------
    (height, width, 3) uint8
    """
    height, width = size
    text = max(10, height // 18)
    floor, left = height - 2 * text, text
    card = Image.new("RGB", (width, height), _PAPER)
    draw, font = ImageDraw.Draw(card), ImageFont.load_default(text)
    across = width - 2 * text
    heights = np.sqrt(found.counts) / (np.sqrt(found.counts.max()) or 1) * (floor - 2 * text)
    for low, high, tall in zip(found.edges, found.edges[1:], heights, strict=False):
        if tall:
            box = (left + low * across, floor - max(1, tall), left + high * across - 1, floor)
            draw.rectangle(box, fill=_BAR)
    at = left + found.threshold * across
    draw.line((at, text, at, floor), fill=_LINE, width=3)
    draw.text((at, text - 2), f"{found.threshold:.2f}", fill=_LINE, font=font, anchor="mb")
    draw.line((left, floor, left + across, floor), fill=_INK)
    for place in (0, 0.5, 1):
        where = (left + place * across, floor + text // 3)
        draw.text(where, f"{place:g}", fill=_INK, font=font, anchor="mt")
    return np.asarray(card)


def figure(lesson: Lesson, *, title: str = "") -> _Picture:
    """Lay all steps out as one picture: their pictures in a row, their words beside.

    Parameters
    ----------
    lesson : what `teach` returned
    title : above all, one line

    Returns
    -------
    (H, 2200, 3) uint8
    """
    drawn = pictures(lesson)
    rows = [_text_row([(title, 44, _INK)], _WIDTH)] if title else []
    for number, step in enumerate(lesson.steps, 1):
        words = [(f"{number}. {step.title}", 30, _INK), (step.what, 21, _INK)]
        words += [(f"Why: {step.why}", 21, _SOFT), (f"Beware: {step.wrong}", 21, _SOFT)]
        rows.append(_step_row(words, drawn[step.name]))
    line = np.full((2, _WIDTH, 3), 225, np.uint8)
    return np.vstack([part for row in rows for part in (row, line)])


def figure_bytes(lesson: Lesson, *, title: str = "", form: str = "png") -> bytes:
    """Return `figure` as a file.

    Parameters
    ----------
    lesson, title : as for `figure`
    form : "png", or "pdf": one page, 11 inches wide

    Returns
    -------
    The file's bytes

    Raises
    ------
    ConfigError
        The form is another.
    """
    if form not in FORMATS:
        raise ConfigError(f"form is {form!r}; allowed are {', '.join(FORMATS)}")
    file = io.BytesIO()
    sheet = Image.fromarray(figure(lesson, title=title))
    if form == "pdf":
        sheet.save(file, "PDF", resolution=_DPI, quality=92, title=title or "Rust, step by step")
    else:
        sheet.save(file, "PNG")
    return file.getvalue()


_Words = Sequence[tuple[str, int, tuple[int, int, int]]]


def _step_row(words: _Words, parts: Sequence[Picture]) -> _Picture:
    """Words on the left, pictures on the right, shrunk together where they are too wide."""
    column = 620
    text = _text_row(words, column)
    room = _WIDTH - column - _GAP
    shapes = [_fitted(part.image, _ROW) for part in parts]
    wide = sum(w + _GAP for _, w in shapes)
    if wide > room:
        tall = max(60, int(_ROW * (room - _GAP * len(parts)) / (wide - _GAP * len(parts))))
        shapes = [_fitted(part.image, tall) for part in parts]
    height = max([text.shape[0], *(h + 3 * _GAP for h, _ in shapes)])
    row = np.full((height, _WIDTH, 3), 255, np.uint8)
    row[: text.shape[0], :column] = text
    left = column + _GAP
    for part, (h, w) in zip(parts, shapes, strict=True):
        row[_GAP : _GAP + h, left : left + w] = resize(part.image, (h, w))
        caption = _text_row([(part.caption, 15, _SOFT)], w, edge=0)
        below = row[_GAP + h : _GAP + h + caption.shape[0], left : left + w]
        below[:] = caption[: below.shape[0]]
        left += w + _GAP
    return row


def _fitted(picture: _Picture, tall: int) -> tuple[int, int]:
    return tall, max(1, round(picture.shape[1] * tall / picture.shape[0]))


def _text_row(words: _Words, width: int, *, edge: int = _GAP) -> _Picture:
    """Paragraphs, wrapped to the width; (h, width, 3)."""
    lines = []
    for text, size, colour in words:
        font = ImageFont.load_default(size)
        lines += [(line, font, size, colour) for line in _wrapped(text, width - 2 * edge, font)]
    height = sum(round(1.35 * size) for _, _, size, _ in lines) + max(2 * edge, 12)
    card = Image.new("RGB", (width, height), _PAPER)
    draw, top = ImageDraw.Draw(card), edge or 6
    for line, font, size, colour in lines:
        draw.text((edge, top), line, fill=colour, font=font)
        top += round(1.35 * size)
    return np.asarray(card)


def _wrapped(
    text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> list[str]:
    """Lines that fit: by letters first, then fewer until the longest fits."""
    measure: Callable[[str], float] = font.getlength
    letters = max(8, int(len(text) * width / max(1.0, measure(text))) + 6)
    while True:
        lines = textwrap.wrap(text, letters)
        if letters <= 8 or all(measure(line) <= width for line in lines):
            return lines
        letters -= 1


def _grey_mask(mask: NDArray[np.bool_]) -> _Picture:
    return np.repeat((mask * np.uint8(255))[..., None], 3, axis=2)
