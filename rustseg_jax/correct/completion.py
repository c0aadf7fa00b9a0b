"""What an automatic completion made of an expert's strokes, judged before it is believed.

The CRF keeps every stroke (`rustseg_jax.resegment`); this says where it kept one against its
own opinion, and how much it changed far from any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy import ndimage

from rustseg_jax.errors import ConfigError
from rustseg_jax.wording import percent

__all__ = ["Judgement", "judge_completion"]

_SIDE = 700  # pixels of the longer side at which nearness is measured
_RIM = 3  # pixels there around a stroke that should have its label, too
_PIECE = 4 * _RIM + 1  # pixels there: a stroke is looked at in pieces of this size
_LEAST = 0.1  # of a piece must be rim, so that there is something to compare with
_ALONE = 0.25  # of the rim: below that a piece of a stroke stands alone
_NEAR = 0.12  # of the longer side: changes farther than that from all strokes are "elsewhere"
_MUCH = 0.01  # of the photo, changed elsewhere
_MOST_BOXES = 20

Box: TypeAlias = tuple[int, int, int, int]
Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Judgement:
    """What to look at again.

    Attributes
    ----------
    boxes : (left, top, right, bottom) in pixels around what the completion kept of the strokes,
        but left the opposite label around
    elsewhere : share of the photo in [0, 1] that it changed far from every stroke
    words : both in a sentence or two, or what changed if there is nothing to warn of
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
        They are not of one shape, or not bool.
    """
    for name, array in (("before", before), ("after", after), ("rust", rust), ("clean", clean)):
        if array.dtype != np.bool_ or array.shape != before.shape or array.ndim != 2:
            raise ConfigError(f"{name} is {array.dtype}{array.shape}; allowed is one (H, W) bool")
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
    """Shrink so that thin strokes stay."""
    rows, columns = shape[0] * step, shape[1] * step
    full = np.pad(mask, ((0, rows - mask.shape[0]), (0, columns - mask.shape[1])))
    return np.asarray(full.reshape(shape[0], step, shape[1], step).any(axis=(1, 3)))


def _alone(after: Mask, strokes: Mask, marked: Mask, wanted: bool) -> list[Box]:
    """Boxes around the parts of strokes whose surroundings mostly have the other label.

    Looked at piece by piece: a long stroke may be agreed with at one end only. Along the edge of
    a region one side agrees, which is enough.
    """
    rim = ndimage.binary_dilation(strokes, iterations=_RIM) & ~marked
    around = ndimage.uniform_filter(rim.astype(np.float32), _PIECE)
    agreed = ndimage.uniform_filter((rim & (after == wanted)).astype(np.float32), _PIECE)
    # Where other strokes lie all around, they decide.
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
        said.append(
            f"Far from your strokes {percent(elsewhere, digits=0)} of the photo changed, too."
        )
    return " ".join(said) or f"Completed: {percent(changed)} of the photo changed."
