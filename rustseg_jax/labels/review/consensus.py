"""One mask from several experts: by majority, or weighted by estimated reliability (STAPLE).

A consensus is a correction of its own kind that lists its source corrections; these stay unchanged.
Pixels that an expert left open are not counted for that expert.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.config import CONSENSUS
from rustseg_jax.errors import ConfigError
from rustseg_jax.images import sha256
from rustseg_jax.labels.queries.listing import history
from rustseg_jax.labels.records import Correction, Photo, canonical
from rustseg_jax.labels.review.agreement import opinions
from rustseg_jax.labels.store import Store
from rustseg_jax.labels.store.drafts import CorrectionDraft
from rustseg_jax.metrics.staple import Staple as Staple
from rustseg_jax.metrics.staple import majority, staple

__all__ = ["make_consensus"]

Mask = NDArray[np.bool_]


def make_consensus(
    store: Store,
    photo: Photo | str,
    *,
    who: str,
    method: str = "majority",
    verified: bool = False,
) -> Correction:
    """Make a consensus of the experts' corrections of a photo and save it beside them.

    Parameters
    ----------
    store : a labels folder
    photo : the photo, or its SHA-256
    who, verified : who requests it
    method : one of `CONSENSUS`

    Returns
    -------
    `Correction` of the kind "consensus". The verdict is that of most experts, "can't tell" on a
    tie. Repeating the call for the same corrections and method returns the existing one.

    Raises
    ------
    ConfigError
        The method is not allowed, or fewer than two experts corrected the photo.
    """
    if method not in CONSENSUS:
        raise ConfigError(f"method is {method!r}; it must be one of {', '.join(CONSENSUS)}")
    told = history(store, photo)
    sources = opinions(told)
    if len(sources) < 2:
        raise ConfigError(
            f"{len(sources)} experts corrected this photo; a consensus needs two or more"
        )
    verdict = _verdict([c.verdict for c in sources])
    mask, ignore = _masks(sources, told.photo.shape, method)
    if verdict == "none" and mask is not None:
        # Pixels marked by a few against the verdict of the majority are uncertain.
        ignore = mask if ignore is None else ignore | mask
        mask = np.zeros_like(mask)
    ids = sorted(c.id for c in sources)
    key = sha256(canonical([method, who.strip(), *ids]).encode())
    draft = CorrectionDraft(
        nonce=f"consensus-{key[:40]}", who=who, verified=verified, verdict=verdict, mask=mask,
        ignore=ignore, kind="consensus", method=method, sources=ids,
    )  # fmt: skip
    return store.save_draft(told.photo, draft)


def _verdict(verdicts: Sequence[str]) -> str:
    counts = {v: verdicts.count(v) for v in verdicts}
    best = max(counts.values())
    first = [v for v, n in counts.items() if n == best]
    return first[0] if len(first) == 1 else "can't tell"


def _masks(
    sources: Sequence[Correction], shape: tuple[int, int], method: str
) -> tuple[Mask | None, Mask | None]:
    """Mask and ignore mask; the verdict "none" without a mask means an empty mask."""
    masks: list[Mask] = []
    ignores: list[Mask | None] = []
    for c in sources:
        if c.mask is None and c.verdict != "none":
            continue
        masks.append(np.zeros(shape, np.bool_) if c.mask is None else c.mask.decode())
        ignores.append(None if c.ignore is None else c.ignore.decode())
    if len(masks) < 2:
        return None, None
    if method == "majority":
        return majority(masks, ignores)
    found = staple(masks, ignores).probability
    nobody = np.ones(shape, np.bool_)
    for ignore in ignores:
        nobody &= np.zeros(shape, np.bool_) if ignore is None else ignore
    return (found > 0.5) & ~nobody, nobody
