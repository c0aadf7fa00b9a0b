"""A whole lesson as one figure: the images of the pages with their captions, as PNG or PDF.

Images are (h, w, 3) uint8. Drawn with Pillow, which is already a dependency.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rustseg_jax.errors import ConfigError
from rustseg_jax.images import resize
from rustseg_jax.teaching.lesson import Lesson
from rustseg_jax.teaching.mask import Histogram
from rustseg_jax.teaching.network import Block
from rustseg_jax.teaching.views import View, step_views

__all__ = ["figure", "figure_bytes", "histogram_picture", "pictures"]

SIDE = 448
"""Longer side of an image in pixels before it is fitted into a row of height `_ROW`."""

FORMATS = ("png", "pdf")

_PAPER, _INK, _SOFT, _LINE = (255, 255, 255), (30, 30, 30), (90, 90, 90), (200, 60, 0)
_BAR = (68, 110, 142)
_ROW, _GAP = 260, 24  # height of the images, space between them
_RULE = 4  # white line between the channels of a block
_WIDTH = 2200
_DPI = 200  # of the PDF: 11 inches wide, as a landscape sheet

_Picture = NDArray[np.uint8]


def pictures(lesson: Lesson, step: str) -> tuple[tuple[str, _Picture], ...]:
    """Draw one step for print: the images of the page, see `step_views`.

    The channels of a block are combined into one image. The histogram, which the page draws as SVG,
    is added.

    Parameters
    ----------
    lesson : what `teach` returned
    step : one of `STEPS`

    Returns
    -------
    (caption, (h, w, 3) uint8); empty for a step that was not run or that has only text

    Raises
    ------
    ConfigError
        `step` is not one of `STEPS`.
    """
    views = step_views(lesson, step, side=SIDE)
    if step == "blocks":
        groups = [list(members) for _, members in groupby(views, key=lambda view: view.group)]
        return tuple(map(_block, lesson.inside.blocks, groups))
    drawn = tuple((view.caption, _pixels(view)) for view in views)
    if step == "threshold":
        return (
            ("Histogram of the heat, with the threshold", histogram_picture(lesson.histogram)),
            *drawn,
        )
    return drawn


def _pixels(view: View) -> _Picture:
    return np.asarray(Image.open(io.BytesIO(view.data)).convert("RGB"))


def _block(block: Block, views: Sequence[View]) -> tuple[str, _Picture]:
    """Combine the channels of a block two by two, with a line between, and list their weights."""
    columns = min(2, len(views))
    height, width = views[0].height + _RULE, views[0].width + _RULE
    rows = math.ceil(len(views) / columns)
    sheet = np.full((rows * height - _RULE, columns * width - _RULE, 3), 255, np.uint8)
    for k, view in enumerate(views):
        top, left = k // columns * height, k % columns * width
        sheet[top : top + view.height, left : left + view.width] = _pixels(view)
    weights = ", ".join(f"{channel.weight:+.2f}" for channel in block.shown)
    return f"Block {block.number}, {block.shape[0]} x {block.shape[1]}: {weights}", sheet


def histogram_picture(heat: Histogram, *, size: tuple[int, int] = (320, 448)) -> _Picture:
    """Draw a histogram with its threshold, on a square-root scale.

    Parameters
    ----------
    heat : histogram and threshold
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
    heights = np.sqrt(heat.counts) / (np.sqrt(heat.counts.max()) or 1) * (floor - 2 * text)
    for low, high, tall in zip(heat.edges, heat.edges[1:], heights, strict=False):
        if tall:
            box = (left + low * across, floor - max(1, tall), left + high * across - 1, floor)
            draw.rectangle(box, fill=_BAR)
    at = left + heat.threshold * across
    draw.line((at, text, at, floor), fill=_LINE, width=3)
    draw.text((at, text - 2), f"{heat.threshold:.2f}", fill=_LINE, font=font, anchor="mb")
    draw.line((left, floor, left + across, floor), fill=_INK)
    for place in (0, 0.5, 1):
        where = (left + place * across, floor + text // 3)
        draw.text(where, f"{place:g}", fill=_INK, font=font, anchor="mt")
    return np.asarray(card)


def figure(lesson: Lesson, *, title: str = "") -> _Picture:
    """Lay out all steps as one image, each with its explanation beside its images.

    Parameters
    ----------
    lesson : what `teach` returned
    title : heading, one line

    Returns
    -------
    (H, 2200, 3) uint8
    """
    rows = [_text_row([(title, 44, _INK)], _WIDTH)] if title else []
    for number, step in enumerate(lesson.steps, 1):
        words = [(f"{number}. {step.title}", 30, _INK), (step.what, 21, _INK)]
        words += [(f"Why: {step.why}", 21, _SOFT), (f"Limits: {step.wrong}", 21, _SOFT)]
        rows.append(_step_row(words, pictures(lesson, step.name)))
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
        `form` is neither.
    """
    if form not in FORMATS:
        raise ConfigError(f"form is {form!r}; it must be one of {', '.join(FORMATS)}")
    file = io.BytesIO()
    sheet = Image.fromarray(figure(lesson, title=title))
    if form == "pdf":
        sheet.save(file, "PDF", resolution=_DPI, quality=92, title=title or "Rust, step by step")
    else:
        sheet.save(file, "PNG")
    return file.getvalue()


_Words = Sequence[tuple[str, int, tuple[int, int, int]]]


def _step_row(words: _Words, parts: Sequence[tuple[str, _Picture]]) -> _Picture:
    """Text on the left, images on the right, reduced together if they are too wide."""
    column = 620
    text = _text_row(words, column)
    room = _WIDTH - column - _GAP
    shapes = [_fitted(picture, _ROW) for _, picture in parts]
    wide = sum(w + _GAP for _, w in shapes)
    if wide > room:
        tall = max(60, int(_ROW * (room - _GAP * len(parts)) / (wide - _GAP * len(parts))))
        shapes = [_fitted(picture, tall) for _, picture in parts]
    height = max([text.shape[0], *(h + 3 * _GAP for h, _ in shapes)])
    row = np.full((height, _WIDTH, 3), 255, np.uint8)
    row[: text.shape[0], :column] = text
    left = column + _GAP
    for (words_below, picture), (h, w) in zip(parts, shapes, strict=True):
        row[_GAP : _GAP + h, left : left + w] = resize(picture, (h, w))
        caption = _text_row([(words_below, 15, _SOFT)], w, edge=0)
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
    """Wrap text to a width: start from an estimated line length and reduce it until all fit."""
    measure: Callable[[str], float] = font.getlength
    letters = max(8, int(len(text) * width / max(1.0, measure(text))) + 6)
    while True:
        lines = textwrap.wrap(text, letters)
        if letters <= 8 or all(measure(line) <= width for line in lines):
            return lines
        letters -= 1
