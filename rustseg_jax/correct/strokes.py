"""Strokes of a correction: their format, and the pixels they cover.

The canvas in the browser records every stroke; `replay` draws the strokes again, with the same
pixels. Both follow these rules, with integer arithmetic only, so that the results are identical:

Labels. Each pixel is clean (0), rust (1) or "can't tell" (2). Strokes are applied in order; each
sets the pixels it covers to its value.

Coordinates. (x, y) are counted from the left and the top. Points of a brush are pixels and refer to
their centres. Points of an outline are corners: (0, 0) is the photo's own corner, (1, 1) the
corner between the first four pixels. Points can be outside the photo; pixels cannot.

``paint``
    A round brush, `d` pixels wide, along the segments between `points`. It covers the pixels
    whose centre is at most d / 2 away from a segment. With v = B - A, w = P - A, L = v.v:
    4 |P - A|^2 <= d^2, or the same for B, or 0 <= w.v <= L and
    2 |v x w| <= floor(sqrt(d^2 L)), which is the distance to the line in integer arithmetic.
``outline``
    The closed polygon through `points`. It covers the pixels whose centre it winds around
    (the winding number is not 0). If an edge crosses the middle of a row exactly at a pixel's
    centre, the pixel is on the right of the edge.
``patch``
    The connected region of pixels with the label of (x, y): connected through corners if that
    label is rust, else through edges only, so that a hole in rust does not leak through a corner.
``pixels``
    Pixels covered by a tool that depends on the photo (`tool`: smart brush, superpixels), as
    `runs`: [skip, length, skip, length, ...] in row-major order.
``change``
    Pixels changed by an automatic completion, as `runs` [skip, length, change, ...]: the labels of
    the run are combined with `change` by exclusive or.
``lost``
    Strokes whose runs were too large to store. They cannot be replayed, but the mask itself is
    stored and exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isqrt
from typing import Any

import numpy as np
from scipy import ndimage

from rustseg_jax.errors import DataError

__all__ = ["CLEAN", "RUST", "UNSURE", "CorrectionError", "check_strokes", "replay", "replayable"]

CLEAN, RUST, UNSURE = 0, 1, 2
LARGEST_BRUSH = 1000  # pixels; the maximum of the canvas
MOST_POINTS = 1_000_000  # numbers in one stroke; a day of painting has fewer
_FAR = 1 << 15  # how far points can be outside: keeps squares exact in JavaScript numbers

Labels = np.ndarray[Any, np.dtype[np.uint8]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Stroke = Mapping[str, Any]


class CorrectionError(DataError):
    """Data sent by the canvas cannot be used: wrong size, damaged, or in another format."""


def replay(
    mask: Mask, strokes: Iterable[Stroke], *, ignore: Mask | None = None
) -> tuple[Mask, Mask]:
    """Draw recorded strokes again.

    Parameters
    ----------
    mask : (H, W) bool, mask before the strokes: True is rust
    strokes : in the order in which they were drawn, in the format described in this module
    ignore : (H, W) bool, pixels that were "can't tell" before the strokes, or None

    Returns
    -------
    mask, ignore : (H, W) bool; no pixel is True in both

    Raises
    ------
    CorrectionError
        A stroke is invalid or cannot be replayed (`replayable`).
    """
    labels = mask.astype(np.uint8)
    if ignore is not None:
        labels[ignore] = UNSURE
    for stroke in check_strokes(strokes, shape=labels.shape):
        if stroke["op"] == "lost":
            raise CorrectionError("strokes were too large to be stored; use the stored mask")
        _DRAW[stroke["op"]](labels, stroke)
    return labels == RUST, labels == UNSURE


def replayable(strokes: Iterable[Stroke]) -> bool:
    """Return whether all strokes were stored.

    Parameters
    ----------
    strokes : as for `replay`

    Returns
    -------
    False if some were too large; the stored mask is exact nevertheless.
    """
    return all(stroke.get("op") != "lost" for stroke in strokes)


def check_strokes(strokes: object, *, shape: tuple[int, ...]) -> tuple[Stroke, ...]:
    """Validate strokes from a browser or a file.

    Parameters
    ----------
    strokes : untrusted data
    shape : (H, W) of the photo

    Returns
    -------
    The strokes; all numbers in them are whole and within their range.

    Raises
    ------
    CorrectionError
        A stroke is invalid; the message names the stroke and the reason.
    """
    if isinstance(strokes, str | bytes | Mapping) or not isinstance(strokes, Iterable):
        raise CorrectionError(f"strokes is {type(strokes).__name__}; must be a list")
    checked = tuple(strokes)
    for number, stroke in enumerate(checked):
        _check(stroke, f"stroke {number}", shape)
    return checked


def _check(stroke: object, name: str, shape: tuple[int, ...]) -> None:
    known = {"paint", "outline", "patch", "pixels", "change", "lost"}
    if not isinstance(stroke, Mapping) or stroke.get("op") not in known:
        raise CorrectionError(
            f"{name} has an unknown type; must be one of {', '.join(sorted(known))}"
        )
    op = stroke["op"]
    if op in ("paint", "outline", "patch", "pixels"):
        _whole(stroke.get("value"), f"value of {name}", CLEAN, UNSURE)
    if op == "paint":
        _whole(stroke.get("d"), f"d of {name}", 1, LARGEST_BRUSH)
    if op == "patch":
        _whole(stroke.get("x"), f"x of {name}", 0, shape[1] - 1)
        _whole(stroke.get("y"), f"y of {name}", 0, shape[0] - 1)
    if op in ("paint", "outline"):
        _check_points(stroke.get("points"), f"points of {name}", shape)
    if op in ("pixels", "change"):
        _check_runs(stroke, f"runs of {name}", shape)


def _whole(value: object, name: str, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CorrectionError(
            f"{name} is {value!r:.40}; must be a whole number from {low} to {high}"
        )


def _numbers(value: object, name: str, step: int) -> np.ndarray:
    if not isinstance(value, list) or len(value) % step or len(value) > MOST_POINTS:
        raise CorrectionError(f"{name}: must be a list of groups of {step} numbers")
    if not all(type(v) is int and abs(v) < 1 << 31 for v in value):
        raise CorrectionError(f"{name}: all numbers must be whole")
    return np.array(value, np.int64)


def _check_points(points: object, name: str, shape: tuple[int, ...]) -> None:
    numbers = _numbers(points, name, 2)
    if not numbers.size:
        raise CorrectionError(f"{name}: the list is empty")
    if numbers.min() < -_FAR or numbers.max() > max(shape) + _FAR:
        raise CorrectionError(f"{name}: some are too far outside the photo")


def _check_runs(stroke: Stroke, name: str, shape: tuple[int, ...]) -> None:
    step = 3 if stroke["op"] == "change" else 2
    runs = _numbers(stroke.get("runs"), name, step).reshape(-1, step)
    if runs.size and (runs.min() < 0 or (runs[:, 1:] < 1).any() or (runs[:, 2:] > 3).any()):
        raise CorrectionError(f"{name}: a skip, length or change is out of range")
    if runs[:, :2].sum() > shape[0] * shape[1]:
        raise CorrectionError(f"{name}: the runs end outside the photo")


def _paint(labels: Labels, stroke: Stroke) -> None:
    points = np.array(stroke["points"], np.int64).reshape(-1, 2)
    starts = points if len(points) == 1 else points[:-1]
    ends = points if len(points) == 1 else points[1:]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        for y, first, last in zip(*_capsule(start, end, stroke["d"], labels.shape), strict=True):
            labels[y, first : last + 1] = stroke["value"]


def _capsule(
    start: list[int], end: list[int], d: int, shape: tuple[int, ...]
) -> tuple[list[int], list[int], list[int]]:
    """Return rows, first and last pixels of one segment: the union of the rule's three parts."""
    (ax, ay), (bx, by) = start, end
    top, bottom = max(0, min(ay, by) - d // 2), min(shape[0] - 1, max(ay, by) + d // 2)
    rows = np.arange(top, bottom + 1)
    first = np.full(rows.shape, np.iinfo(np.int64).max)
    last = np.full(rows.shape, -1 - np.iinfo(np.int64).max + 1)
    for x, y in (start, end):
        rest = d * d - 4 * (rows - y) ** 2
        half = np.array([isqrt(n) // 2 if n >= 0 else -1 for n in rest.tolist()], np.int64)
        first = np.where(half >= 0, np.minimum(first, x - half), first)
        last = np.where(half >= 0, np.maximum(last, x + half), last)
    vx, vy = bx - ax, by - ay
    square = vx * vx + vy * vy
    if square:
        wy, across = rows - ay, isqrt(d * d * square)
        low1, high1 = _solve(vx, -vy * wy, square - vy * wy)
        low2, high2 = _solve(2 * vy, 2 * vx * wy - across, 2 * vx * wy + across)
        low, high = np.maximum(low1, low2), np.minimum(high1, high2)
        first = np.where(low <= high, np.minimum(first, ax + low), first)
        last = np.where(low <= high, np.maximum(last, ax + high), last)
    first, last = np.maximum(first, 0), np.minimum(last, shape[1] - 1)
    some = first <= last
    return rows[some].tolist(), first[some].tolist(), last[some].tolist()


def _solve(a: int, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last whole x with low <= a x <= high; none if first > last."""
    if a == 0:
        fits = (low <= 0) & (high >= 0)
        far = np.int64(1 << 40)
        return np.where(fits, -far, far), np.where(fits, far, -far)
    if a < 0:
        a, low, high = -a, -high, -low
    return -(-low // a), high // a


def _outline(labels: Labels, stroke: Stroke) -> None:
    points = np.array(stroke["points"], np.int64).reshape(-1, 2)
    height, width = labels.shape
    top, bottom = max(0, points[:, 1].min()), min(height, points[:, 1].max())
    if bottom <= top:
        return
    turns = np.zeros((bottom - top, width + 1), np.int32)
    for (x0, y0), (x1, y1) in zip(
        points.tolist(), np.roll(points, -1, axis=0).tolist(), strict=True
    ):
        turn = 1 if y0 < y1 else -1
        if turn < 0:
            x0, y0, x1, y1 = x1, y1, x0, y0
        rows = np.arange(max(top, y0), min(bottom, y1))
        dx, dy = x1 - x0, y1 - y0
        if rows.size:
            right = -(-((2 * x0 - 1) * dy + (2 * (rows - y0) + 1) * dx) // (2 * dy))
            np.add.at(turns, (rows - top, np.clip(right, 0, width)), turn)
    inside = np.cumsum(turns[:, :-1], axis=1, dtype=np.int32) != 0
    labels[top:bottom][inside] = stroke["value"]


def _patch(labels: Labels, stroke: Stroke) -> None:
    own = labels[stroke["y"], stroke["x"]]
    corners = np.ones((3, 3), bool) if own == RUST else None
    numbers, _ = ndimage.label(labels == own, structure=corners)
    labels[numbers == numbers[stroke["y"], stroke["x"]]] = stroke["value"]


def _pixels(labels: Labels, stroke: Stroke) -> None:
    flat, end = labels.reshape(-1), 0
    runs = iter(stroke["runs"])
    for skip, length in zip(runs, runs, strict=True):
        flat[end + skip : end + skip + length] = stroke["value"]
        end += skip + length


def _change(labels: Labels, stroke: Stroke) -> None:
    flat, end = labels.reshape(-1), 0
    runs = iter(stroke["runs"])
    for skip, length, change in zip(runs, runs, runs, strict=True):
        flat[end + skip : end + skip + length] ^= change
        end += skip + length
    if (flat == 3).any():
        raise CorrectionError("a change results in an unknown label")


_DRAW: Mapping[str, Callable[[Labels, Stroke], None]] = {
    "paint": _paint,
    "outline": _outline,
    "patch": _patch,
    "pixels": _pixels,
    "change": _change,
}
