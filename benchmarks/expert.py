"""A simulated expert for `benchmarks.scribbles`: finds the largest error and scribbles within it.

Masks are (H, W) bool at the photo's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from skimage.morphology import skeletonize

import rustseg_jax as rs

WIDTH = 0.015  # of the photo's longer side: the brush width
LEAST = 0.0005  # of the photo's area: smaller errors are ignored
EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True)
class ExpertCase:
    """A photo analysed by the model, and its true mask."""

    split: str
    name: str
    seg: rs.Segmentation
    truth: np.ndarray
    ignore: np.ndarray


@dataclass(frozen=True)
class Marks:
    """All strokes so far."""

    rust: np.ndarray
    clean: np.ndarray

    def and_also(self, stroke: np.ndarray, *, is_rust: bool) -> Marks:
        """Add a stroke; it replaces earlier strokes below it."""
        rust, clean = self.rust & ~stroke, self.clean & ~stroke
        return Marks(rust | stroke, clean) if is_rust else Marks(rust, clean | stroke)


Method = Callable[[ExpertCase, Marks], np.ndarray]


def correct(
    case: ExpertCase, method: Method, strokes: int, share: float
) -> Iterator[tuple[Marks, np.ndarray]]:
    """Yield strokes and mask, first without strokes, then after each stroke."""
    mask = case.seg.mask
    marks = Marks(np.zeros_like(mask), np.zeros_like(mask))
    yield marks, mask
    for _ in range(strokes):
        patch, is_rust = _worst(mask, case)
        if patch is not None:
            marks = marks.and_also(scribble(patch, share), is_rust=is_rust)
            # Whatever a method returns, the expert's own pixels are kept.
            mask = (method(case, marks) | marks.rust) & ~marks.clean
        yield marks, mask


def _worst(mask: np.ndarray, case: ExpertCase) -> tuple[np.ndarray | None, bool]:
    """The largest connected error, and whether it is rust."""
    missed = _largest(case.truth & ~mask & ~case.ignore)
    wrong = _largest(~case.truth & mask & ~case.ignore)
    worst, is_rust = (missed, True) if missed.sum() >= wrong.sum() else (wrong, False)
    return (worst if worst.sum() >= LEAST * mask.size else None), is_rust


def _largest(mask: np.ndarray) -> np.ndarray:
    numbers, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    return numbers == sizes.argmax()


def scribble(patch: np.ndarray, share: float) -> np.ndarray:
    """Paint along the middle of a patch: a share of its skeleton's longest path."""
    path = _longest_path(skeletonize(patch))
    cut = int(len(path) * (1 - share) / 2)
    path = path[cut : len(path) - cut]
    line = np.ones(patch.shape, bool)
    line[tuple(path.T)] = False
    return (ndimage.distance_transform_edt(line) <= WIDTH * max(patch.shape) / 2) & patch


def _longest_path(skeleton: np.ndarray) -> np.ndarray:
    """Row and column of the pixels from one end to the end farthest from it."""
    places = np.argwhere(skeleton)
    numbers = np.full(np.add(skeleton.shape, 2), -1)
    rows, columns = places.T
    numbers[rows + 1, columns + 1] = np.arange(len(places))
    ends, lengths = [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        other = numbers[rows + 1 + down, columns + 1 + right]
        near = np.flatnonzero(other >= 0)
        ends.append(np.stack([near, other[near]]))
        lengths.append(np.full(len(near), np.hypot(down, right)))
    graph = coo_array(
        (np.concatenate(lengths), tuple(np.concatenate(ends, axis=1))), shape=(len(places),) * 2
    ).tocsr()

    def farthest(start: int) -> tuple[int, np.ndarray]:
        far, before = dijkstra(graph, directed=False, indices=start, return_predecessors=True)
        return int(np.where(np.isinf(far), -1, far).argmax()), before

    first, _ = farthest(0)
    last, before = farthest(first)
    path = [last]
    while path[-1] != first:
        path.append(int(before[path[-1]]))
    return places[path]
