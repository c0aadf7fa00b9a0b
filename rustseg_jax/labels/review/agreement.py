"""Agreement between the experts of a photo, and of each expert with themselves.

Each expert is represented by their latest correction of the photo. Pixels that an expert marked as
"can't tell" are not compared for that expert. Agreement with oneself is measured if a photo was
shown again: on a second correction that did not start from the expert's earlier one.
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
    """Agreement between the experts of one photo.

    Attributes
    ----------
    experts : names, in the order of the matrices
    verdicts : verdict of each expert
    iou : (n, n), intersection over union of two masks; 1 if both are empty; NaN if an expert has
        no mask
    cohen : (n, n), Cohen's kappa over the pixels that both rated; NaN if undefined
    fleiss : Fleiss' kappa of all experts over the pixels; NaN if undefined
    disagreement : (H, W) float32 in [0, 1]: 0 where all agree, 1 where votes are split evenly; 0
        where fewer than two rated the pixel. None if fewer than two experts have a mask
    """

    experts: tuple[str, ...]
    verdicts: tuple[str, ...]
    iou: Matrix = field(repr=False)
    cohen: Matrix = field(repr=False)
    fleiss: float
    disagreement: NDArray[np.float32] | None = field(repr=False)


def opinions(told: History) -> tuple[Correction, ...]:
    """Return the latest counted correction of each expert, by name.

    Parameters
    ----------
    told : history of one photo; consensus corrections are skipped
    """
    found = {c.who: c for c in told.counted if c.kind != "consensus"}
    return tuple(found[who] for who in sorted(found))


def compare_experts(corrections: Sequence[Correction]) -> Agreement:
    """Compare the corrections of one photo.

    Parameters
    ----------
    corrections : one per expert, see `opinions`; at least one

    Returns
    -------
    `Agreement`

    Raises
    ------
    ConfigError
        The list is empty, or the corrections are of several photos.
    """
    if len({c.photo for c in corrections}) != 1:
        raise ConfigError("corrections is empty or of several photos; give those of one photo")
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
"""Mask, and the pixels that were rated; None without a mask."""


def layers_of(correction: Correction) -> Layers:
    """Decode the mask and the rated pixels of a correction."""
    if correction.mask is None:
        return None
    mask = correction.mask.decode()
    return mask, np.ones_like(mask) if correction.ignore is None else ~correction.ignore.decode()


def meet(one: Layers, other: Layers) -> Confusion | None:
    """Count the pixels that both rated; None if one has no mask."""
    if one is None or other is None:
        return None
    return confusion(one[0], other[0], ~(one[1] & other[1]))


def table_of(counts: Confusion) -> list[list[int]]:
    """The same counts as a table for Cohen's kappa."""
    return [[counts.tp, counts.fp], [counts.fn, counts.tn]]


def votes_of(layers: Sequence[Layers]) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """(H, W) counts of experts who marked a pixel, and of experts who rated it."""
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
    """Distinct pairs (times marked, times unmarked) and the number of pixels of each."""
    base = int(told.max()) + 1
    kinds, often = np.unique(told * base + marked, return_counts=True)
    k, n = kinds % base, kinds // base
    return np.stack([k, n - k], axis=1), often


def _split(marked: NDArray[np.int64], told: NDArray[np.int64]) -> NDArray[np.float32]:
    share = marked / np.maximum(told, 1)
    return np.where(told >= 2, 1 - np.abs(2 * share - 1), 0).astype(np.float32)


def repeated(told: History) -> Iterator[tuple[Correction, Correction]]:
    """Yield pairs of an expert's earlier and later independent correction of the same photo.

    A correction that started from an earlier one by the same person, directly or through others, is
    a revision, not a second opinion.
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
