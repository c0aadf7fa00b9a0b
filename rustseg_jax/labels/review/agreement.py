"""Do the experts of one photo agree, and each with themselves?

Of each expert the latest correction of a photo counts. Pixels that somebody left open ("can't
tell") are not asked of them. An expert agrees with themselves where a photo was shown to
them again: a correction of theirs that did not start from their earlier one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.errors import ConfigError
from rustseg_jax.labels.queries.listing import History
from rustseg_jax.labels.records import Correction
from rustseg_jax.metrics import Confusion, confusion, iou
from rustseg_jax.metrics.kappa import cohens_kappa, fleiss_kappa

__all__ = [
    "Agreement",
    "Layers",
    "compare_experts",
    "kinds_of",
    "layers_of",
    "meet",
    "opinions",
    "repeated",
    "table_of",
    "votes_of",
]

Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far the experts of one photo agree.

    Attributes
    ----------
    experts : names, in the order of the matrices
    verdicts : of each
    iou : (n, n), intersection over union of two masks; 1 where both are empty; NaN where one
        has none
    cohen : (n, n), Cohen's kappa over the pixels of which both can tell; NaN where not defined
    fleiss : Fleiss' kappa of all over the pixels; NaN where not defined
    disagreement : (H, W) float32 in [0, 1]: 0 where all say the same, 1 where they are split in
        half; 0 where fewer than two can tell. None where fewer than two have a mask
    """

    experts: tuple[str, ...]
    verdicts: tuple[str, ...]
    iou: Matrix = field(repr=False)
    cohen: Matrix = field(repr=False)
    fleiss: float
    disagreement: NDArray[np.float32] | None = field(repr=False)


def opinions(told: History) -> tuple[Correction, ...]:
    """Return the latest correction of each expert that counts, by name.

    Parameters
    ----------
    told : of one photo; consensuses are no expert's
    """
    found = {c.who: c for c in told.counted if c.kind != "consensus"}
    return tuple(found[who] for who in sorted(found))


def compare_experts(corrections: Sequence[Correction]) -> Agreement:
    """Compare what experts said of one photo.

    Parameters
    ----------
    corrections : one of each expert, see `opinions`; at least one

    Returns
    -------
    `Agreement`

    Raises
    ------
    ConfigError
        There is none, or they are of several photos.
    """
    if len({c.photo for c in corrections}) != 1:
        raise ConfigError("give the corrections of one photo, at least one")
    layers = [layers_of(c) for c in corrections]
    size = len(corrections)
    ious, cohen = np.full((size, size), np.nan), np.full((size, size), np.nan)
    for a in range(size):
        for b in range(a, size):
            counts = meet(layers[a], layers[b])
            if counts is not None:
                ious[a, b] = ious[b, a] = iou(counts)
                cohen[a, b] = cohen[b, a] = cohens_kappa(table_of(counts))
    votes = votes_of(layers)
    return Agreement(
        experts=tuple(c.who for c in corrections),
        verdicts=tuple(c.verdict for c in corrections),
        iou=ious,
        cohen=cohen,
        fleiss=math.nan if votes is None else fleiss_kappa(*kinds_of(*votes)),
        disagreement=None if votes is None else _split(*votes),
    )


Layers = tuple[Mask, Mask] | None
"""Mask, and where the expert can tell; None without a mask."""


def layers_of(correction: Correction) -> Layers:
    """Decode what a correction says of the pixels."""
    if correction.mask is None:
        return None
    mask = correction.mask.decode()
    return mask, np.ones_like(mask) if correction.ignore is None else ~correction.ignore.decode()


def meet(one: Layers, other: Layers) -> Confusion | None:
    """Count the pixels of which both can tell; None where one has no mask."""
    if one is None or other is None:
        return None
    return confusion(one[0], other[0], ~(one[1] & other[1]))


def table_of(counts: Confusion) -> list[list[int]]:
    """The same as a table for Cohen's kappa."""
    return [[counts.tp, counts.fp], [counts.fn, counts.tn]]


def votes_of(layers: Sequence[Layers]) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """(H, W) how many marked a pixel, and how many could tell."""
    given = [layer for layer in layers if layer is not None]
    if len(given) < 2:
        return None
    marked, told = np.zeros(given[0][0].shape, np.int64), np.zeros(given[0][0].shape, np.int64)
    for mask, knows in given:
        marked += mask & knows
        told += knows
    return marked, told


def kinds_of(
    marked: NDArray[np.int64], told: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Kinds of pixels (marked so often, unmarked so often) and how many there are of each."""
    base = int(told.max()) + 1
    kinds, often = np.unique(told * base + marked, return_counts=True)
    k, n = kinds % base, kinds // base
    return np.stack([k, n - k], axis=1), often


def _split(marked: NDArray[np.int64], told: NDArray[np.int64]) -> NDArray[np.float32]:
    share = marked / np.maximum(told, 1)
    return np.where(told >= 2, 1 - np.abs(2 * share - 1), 0).astype(np.float32)


def repeated(told: History) -> Iterator[tuple[Correction, Correction]]:
    """Yield what experts said of a photo and, shown it again, said anew.

    A correction that started from an earlier one of the same person, directly or through
    others, is an improvement and no second opinion.
    """
    by_id = {c.id: c for c in told.corrections}
    mine: dict[str, list[Correction]] = defaultdict(list)
    for c in told.counted:
        if c.kind != "expert":
            continue
        earlier = mine[c.who]
        if earlier and not any(p.who == c.who for p in _ancestors(c, by_id)):
            yield earlier[-1], c
        earlier.append(c)


def _ancestors(correction: Correction, by_id: Mapping[str, Correction]) -> Iterator[Correction]:
    while correction.parent is not None:
        correction = by_id[correction.parent]
        yield correction
