"""Agreement over all photos corrected by several experts, or by one expert twice."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.labels.queries.listing import History, history
from rustseg_jax.labels.records import VERDICTS
from rustseg_jax.labels.review.agreement import (
    kinds_of,
    layers_of,
    meet,
    opinions,
    repeated,
    table_of,
    votes_of,
)
from rustseg_jax.labels.store import Store
from rustseg_jax.metrics import Confusion, iou
from rustseg_jax.metrics.kappa import cohens_kappa, fleiss_kappa

__all__ = ["PhotoAgreement", "agree_over_all", "shared_photos"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PhotoAgreement:
    """Contribution of one photo to the overall agreement.

    Attributes
    ----------
    pairs : for each pair of experts: names, indices of their verdicts in `VERDICTS`, and the pixel
        counts of their masks, None if an expert has no mask
    votes : number of votes for each of `VERDICTS`; empty if fewer than two experts corrected it
    pixels : rows of (times marked, times unmarked, number of such pixels)
    repeats : expert, whether both verdicts are the same, and the pixel counts of the two masks
    """

    pairs: tuple[tuple[tuple[str, str], tuple[int, int], Confusion | None], ...]
    votes: tuple[int, ...]
    pixels: tuple[tuple[int, int, int], ...]
    repeats: tuple[tuple[str, bool, Confusion | None], ...]


Key = tuple[tuple[str, str], ...]
"""Ids and statuses of a photo's corrections: everything its agreement depends on."""


def agree_over_all(
    store: Store,
    *,
    progress: Progress | None = None,
    known: MutableMapping[Key, PhotoAgreement] | None = None,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> dict[str, Any]:
    """Measure agreement over all photos corrected by several experts, or by one expert twice.

    Parameters
    ----------
    store : a labels folder
    progress : called with (photos done, total)
    known : cache of earlier results, valid for photos that have not changed; new results are added.
        A caller that keeps it can stop at any time and continue later
    turn : context manager entered for each photo, to share the processor with other computations

    Returns
    -------
    dict, valid JSON (None where a number is undefined):

    - ``photos``: number of photos corrected by two or more experts
    - ``pairs``, for each two experts: experts, photos (with masks by both), mean_iou, pooled_iou,
      cohen (over all pixels of these photos), verdicts (photos) and verdict_cohen
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
    """Return the SHA-256 of every photo that was corrected more than once."""
    sql = "SELECT photo FROM counted WHERE kind <> 'consensus'"
    with store.database.reading() as conn:
        return [row[0] for row in conn.execute(f"{sql} GROUP BY photo HAVING count(*) > 1")]


def _measure(told: History) -> PhotoAgreement:
    """Agreement of one photo; its masks are released before the next."""
    repeats = tuple(
        (first.who, first.verdict == second.verdict, meet(layers_of(first), layers_of(second)))
        for first, second in repeated(told)
    )
    corrections = opinions(told)
    if len(corrections) < 2:
        return PhotoAgreement((), (), (), repeats)
    layers = {c.who: layers_of(c) for c in corrections}
    pairs = tuple(
        (
            (a.who, b.who),
            (VERDICTS.index(a.verdict), VERDICTS.index(b.verdict)),
            meet(layers[a.who], layers[b.who]),
        )
        for a, b in combinations(corrections, 2)
    )
    given = tuple(sum(c.verdict == v for c in corrections) for v in VERDICTS)
    votes, pixels = votes_of(list(layers.values())), []
    if votes is not None:
        for (marked, unmarked), often in zip(*kinds_of(*votes), strict=True):
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
        "cohen": _number(cohens_kappa(table_of(whole))),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
