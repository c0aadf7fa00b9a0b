"""Check the automatic completion of an expert's strokes and warn of doubtful changes.

The CRF keeps every stroke (`rustseg_jax.resegment`). This module reports where the CRF disagrees
with a stroke that it kept, and how much it changed far from any stroke.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import ndimage

from rustseg_jax.errors import ConfigError
from rustseg_jax.wording import percent

__all__ = ["Judgement", "judge_completion"]

_SIDE = 700  # pixels of the longer side at which distances are measured
_RIM = 3  # pixels at that size: width of the rim of a stroke that should have its label too
_PIECE = 4 * _RIM + 1  # pixels at that size: strokes are checked in pieces of this size
_LEAST = 0.1  # minimum share of the rim in a piece, so that there is enough to compare
_ALONE = 0.25  # share of the rim that agrees, below which a piece of a stroke is reported
_NEAR = 0.12  # of the longer side: changes farther than this from all strokes are "elsewhere"
_MUCH = 0.01  # share of the photo changed elsewhere, above which it is reported
_MOST_BOXES = 20

Box: TypeAlias = tuple[int, int, int, int]
Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Judgement:
    """Result of the check: what the expert should review.

    Attributes
    ----------
    boxes : (left, top, right, bottom) in pixels, around those parts of strokes whose
        surroundings have the opposite label after the completion
    elsewhere : share of the photo in [0, 1] that changed far from every stroke
    words : both as text, or how much changed if there is nothing to warn of
    """

    boxes: tuple[Box, ...]
    elsewhere: float
    words: str


def judge_completion(before: Mask, after: Mask, *, rust: Mask, clean: Mask) -> Judgement:
    """Compare masks before and after a completion.

    Parameters
    ----------
    before, after : (H, W) bool masks
    rust, clean : (H, W) bool strokes

    Returns
    -------
    `Judgement`

    Raises
    ------
    ConfigError
        An array is not bool, or the shapes differ.
    """
    for name, array in (("before", before), ("after", after), ("rust", rust), ("clean", clean)):
        if array.dtype != np.bool_ or array.shape != before.shape or array.ndim != 2:
            raise ConfigError(
                f"{name} is {array.dtype}{array.shape}; all must be bool with the same (H, W)"
            )
    step = max(1, -(-max(before.shape) // _SIDE))
    small = after[::step, ::step]
    shape = small.shape
    marks = {True: _any(rust, step, shape), False: _any(clean, step, shape)}
    marked = marks[True] | marks[False]
    boxes = [b for wanted, own in marks.items() for b in _alone(small, own, marked, wanted)]
    scaled = [tuple(step * edge for edge in box) for box in boxes[:_MOST_BOXES]]
    far = _far(marked)
    elsewhere = float(((before[::step, ::step] != small) & far).mean())
    changed = float((before != after).mean())
    return Judgement(tuple(scaled), elsewhere, _words(len(boxes), elsewhere, changed))


def _any(mask: Mask, step: int, shape: tuple[int, ...]) -> Mask:
    """Downscale a mask so that thin strokes remain."""
    rows, columns = shape[0] * step, shape[1] * step
    full = np.pad(mask, ((0, rows - mask.shape[0]), (0, columns - mask.shape[1])))
    return np.asarray(full.reshape(shape[0], step, shape[1], step).any(axis=(1, 3)))


def _alone(after: Mask, strokes: Mask, marked: Mask, wanted: bool) -> list[Box]:
    """Return boxes around the parts of strokes whose surroundings mostly have the other label.

    Strokes are checked piece by piece, because the result may agree with one end of a long stroke
    only. Along the edge of a region one side agrees, which is enough.
    """
    rim = ndimage.binary_dilation(strokes, iterations=_RIM) & ~marked
    around = ndimage.uniform_filter(rim.astype(np.float32), _PIECE)
    agreed = ndimage.uniform_filter((rim & (after == wanted)).astype(np.float32), _PIECE)
    # A piece surrounded by other strokes is not reported.
    alone = strokes & (around > _LEAST) & (agreed < _ALONE * around)
    numbers, _ = ndimage.label(alone, structure=np.ones((3, 3), bool))
    return [(c.start, r.start, c.stop, r.stop) for r, c in ndimage.find_objects(numbers)]


def _far(strokes: Mask) -> Mask:
    if not strokes.any():
        return np.ones(strokes.shape, bool)
    return ndimage.distance_transform_edt(~strokes) > _NEAR * max(strokes.shape)


def _words(alone: int, elsewhere: float, changed: float) -> str:
    said = []
    if alone:
        where = "in 1 place" if alone == 1 else f"in {alone} places"
        said.append(f"Your strokes are kept, but the CRF disagrees {where} (framed).")
    if elsewhere > _MUCH:
        said.append(f"{percent(elsewhere, digits=0)} of the photo changed far from your strokes.")
    return " ".join(said) or f"Completed: {percent(changed)} of the photo changed."
