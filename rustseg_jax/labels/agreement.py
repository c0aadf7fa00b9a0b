"""Do experts agree: on one photo, over all photos, and with themselves?

Of each expert the latest correction of a photo counts. Pixels that somebody left open ("can't
tell") are not asked of them. An expert agrees with themselves where a photo was shown to
them again: a correction of theirs that did not start from their earlier one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.errors import ConfigError
from rustseg_jax.labels.kappa import cohens_kappa, fleiss_kappa
from rustseg_jax.labels.listing import History, history
from rustseg_jax.labels.records import VERDICTS, Correction
from rustseg_jax.labels.store import Store
from rustseg_jax.metrics import Confusion, confusion, iou

__all__ = [
    "Agreement",
    "PhotoAgreement",
    "agree_over_all",
    "compare_experts",
    "opinions",
    "repeated",
    "shared_photos",
]

Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]
Progress = Callable[[int, int], None]

_COUNTED = ("open", "approved", "flagged")


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
    told : of one photo; withdrawn and rejected corrections and consensuses do not count
    """
    found = {
        c.who: c
        for c in told.corrections
        if c.kind != "consensus" and told.status[c.id] in _COUNTED
    }
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
    layers = [_layers(c) for c in corrections]
    size = len(corrections)
    ious, cohen = np.full((size, size), np.nan), np.full((size, size), np.nan)
    for a in range(size):
        for b in range(a, size):
            counts = _pair(layers[a], layers[b])
            if counts is not None:
                ious[a, b] = ious[b, a] = iou(counts)
                cohen[a, b] = cohen[b, a] = cohens_kappa(_table(counts))
    votes = _votes(layers)
    return Agreement(
        experts=tuple(c.who for c in corrections),
        verdicts=tuple(c.verdict for c in corrections),
        iou=ious,
        cohen=cohen,
        fleiss=math.nan if votes is None else fleiss_kappa(*_histogram(*votes)),
        disagreement=None if votes is None else _split(*votes),
    )


Layers = tuple[Mask, Mask] | None
"""Mask, and where the expert can tell; None without a mask."""


def _layers(correction: Correction) -> Layers:
    if correction.mask is None:
        return None
    mask = correction.mask.decode()
    return mask, np.ones_like(mask) if correction.ignore is None else ~correction.ignore.decode()


def _pair(one: Layers, other: Layers) -> Confusion | None:
    if one is None or other is None:
        return None
    return confusion(one[0], other[0], ~(one[1] & other[1]))


def _table(counts: Confusion) -> list[list[int]]:
    return [[counts.tp, counts.fp], [counts.fn, counts.tn]]


def _votes(layers: Sequence[Layers]) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """(H, W) how many marked a pixel, and how many could tell."""
    given = [layer for layer in layers if layer is not None]
    if len(given) < 2:
        return None
    marked, told = np.zeros(given[0][0].shape, np.int64), np.zeros(given[0][0].shape, np.int64)
    for mask, knows in given:
        marked += mask & knows
        told += knows
    return marked, told


def _histogram(
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
    for c in told.corrections:
        if c.kind != "expert" or told.status[c.id] not in _COUNTED:
            continue
        earlier = mine[c.who]
        if earlier and not any(p.who == c.who for p in _ancestors(c, by_id)):
            yield earlier[-1], c
        earlier.append(c)


def _ancestors(correction: Correction, by_id: Mapping[str, Correction]) -> Iterator[Correction]:
    while correction.parent is not None:
        correction = by_id[correction.parent]
        yield correction


@dataclass(frozen=True)
class PhotoAgreement:
    """What one photo adds to the agreement over all.

    Attributes
    ----------
    pairs : of two experts each: names, places of their verdicts in `VERDICTS`, and how their
        masks meet, None where one has none
    votes : how many gave each of `VERDICTS`; empty where fewer than two experts corrected it
    pixels : how often a pixel was (marked so often, unmarked so often): those two, and how many
    repeats : who looked twice, whether they gave the same verdict, and how their masks meet
    """

    pairs: tuple[tuple[tuple[str, str], tuple[int, int], Confusion | None], ...]
    votes: tuple[int, ...]
    pixels: tuple[tuple[int, int, int], ...]
    repeats: tuple[tuple[str, bool, Confusion | None], ...]


Key = tuple[tuple[str, str], ...]
"""Ids and statuses of a photo's corrections: all that its agreement depends on."""


def agree_over_all(
    store: Store,
    *,
    progress: Progress | None = None,
    known: MutableMapping[Key, PhotoAgreement] | None = None,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> dict[str, Any]:
    """Measure agreement over all photos that several experts, or one expert twice, looked at.

    Parameters
    ----------
    store : a labels folder
    progress : called with (photos done, photos in all)
    known : what was found before of photos of which nothing changed since; what is found now is
        added. Whoever keeps it can stop at any time and go on later
    turn : entered for each photo that is looked at, to wait for others who compute

    Returns
    -------
    dict, valid JSON (None where a number is not defined):

    - ``photos``: that two or more experts corrected
    - ``pairs``, of two experts each: experts, photos (both have a mask of), mean_iou,
      pooled_iou, cohen (over all pixels of these photos), verdicts (photos) and verdict_cohen
    - ``fleiss``: over all pixels, and ``verdict_fleiss`` over all photos
    - ``selves``, by expert: repeats, same_verdict (share), masks (repeats with two masks),
      mean_iou, cohen (over their pixels)
    """
    totals = _Totals()
    known = {} if known is None else known
    photos = shared_photos(store)
    for done, digest in enumerate(photos, 1):
        told = history(store, digest)
        key = tuple((c.id, told.status[c.id]) for c in told.corrections)
        if (found := known.get(key)) is None:
            with turn():
                found = known[key] = _measure(told)
        totals.add(found)
        if progress:
            progress(done, len(photos))
    return totals.report()


def shared_photos(store: Store) -> list[str]:
    """Return the photos that were corrected more than once, SHA-256s: all that can be compared."""
    sql = "SELECT photo FROM standing WHERE kind <> 'consensus' AND status <> 'withdrawn' "
    with store.database.reading() as conn:
        return [row[0] for row in conn.execute(f"{sql} GROUP BY photo HAVING count(*) > 1")]


def _measure(told: History) -> PhotoAgreement:
    """What one photo says; its masks are let go of before the next."""
    repeats = tuple(
        (first.who, first.verdict == second.verdict, _pair(_layers(first), _layers(second)))
        for first, second in repeated(told)
    )
    corrections = opinions(told)
    if len(corrections) < 2:
        return PhotoAgreement((), (), (), repeats)
    layers = {c.who: _layers(c) for c in corrections}
    pairs = tuple(
        (
            (a.who, b.who),
            (VERDICTS.index(a.verdict), VERDICTS.index(b.verdict)),
            _pair(layers[a.who], layers[b.who]),
        )
        for a, b in combinations(corrections, 2)
    )
    given = tuple(sum(c.verdict == v for c in corrections) for v in VERDICTS)
    votes, pixels = _votes(list(layers.values())), []
    if votes is not None:
        for (marked, unmarked), often in zip(*_histogram(*votes), strict=True):
            pixels.append((int(marked), int(unmarked), int(often)))
    return PhotoAgreement(pairs, given, tuple(pixels), repeats)


class _Totals:
    """Sums over photos."""

    def __init__(self) -> None:
        self.photos = 0
        self.pairs: dict[tuple[str, str], list[Confusion]] = defaultdict(list)
        self.verdicts: dict[tuple[str, str], NDArray[np.int64]] = defaultdict(_no_verdicts)
        self.pixels: dict[tuple[int, int], int] = defaultdict(int)
        self.votes: list[tuple[int, ...]] = []
        self.selves: dict[str, list[Confusion]] = defaultdict(list)
        self.same: dict[str, list[bool]] = defaultdict(list)

    def add(self, found: PhotoAgreement) -> None:
        for pair, place, counts in found.pairs:
            self.verdicts[pair][place] += 1
            self.pairs[pair] += [] if counts is None else [counts]
        if found.votes:
            self.photos += 1
            self.votes.append(found.votes)
        for marked, unmarked, often in found.pixels:
            self.pixels[marked, unmarked] += often
        for who, same, counts in found.repeats:
            self.same[who].append(same)
            self.selves[who] += [] if counts is None else [counts]

    def report(self) -> dict[str, Any]:
        kinds, often = list(self.pixels), list(self.pixels.values())
        return {
            "photos": self.photos,
            "pairs": [self._pair(pair) for pair in sorted(self.verdicts)],
            "fleiss": _number(fleiss_kappa(kinds, often)) if kinds else None,
            "verdict_fleiss": _number(fleiss_kappa(self.votes)) if self.votes else None,
            "selves": {who: self._self(who) for who in sorted(self.same)},
        }

    def _pair(self, pair: tuple[str, str]) -> dict[str, Any]:
        verdicts = self.verdicts[pair]
        return {
            "experts": list(pair),
            **_pooled(self.pairs[pair]),
            "verdicts": int(verdicts.sum()),
            "verdict_cohen": _number(cohens_kappa(verdicts)),
        }

    def _self(self, who: str) -> dict[str, Any]:
        same = self.same[who]
        pooled = _pooled(self.selves[who])
        return {
            "repeats": len(same),
            "same_verdict": sum(same) / len(same),
            "masks": pooled.pop("photos"),
            **pooled,
        }


def _no_verdicts() -> NDArray[np.int64]:
    return np.zeros((len(VERDICTS), len(VERDICTS)), np.int64)


def _pooled(counts: Sequence[Confusion]) -> dict[str, Any]:
    if not counts:
        return {"photos": 0, "mean_iou": None, "pooled_iou": None, "cohen": None}
    whole = Confusion(
        *(sum(c) for c in zip(*((c.tp, c.fp, c.fn, c.tn) for c in counts), strict=True))
    )
    return {
        "photos": len(counts),
        "mean_iou": sum(map(iou, counts)) / len(counts),
        "pooled_iou": iou(whole),
        "cohen": _number(cohens_kappa(_table(whole))),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
