"""Batches: which pictures they contain, and the worker processes that prepare them.

A batch is a pure function of (recipe, step): an interrupted run that continues from a step gets
exactly the same batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rustseg_jax.config import CLEAN, STRIDE
from rustseg_jax.learning.augment import AugmentConfig, cells
from rustseg_jax.learning.packs import ignore_interrupt
from rustseg_jax.learning.paste import sample

__all__ = ["Batch", "BatchMaker", "draw", "draw_partners"]

_ORDER, _AUGMENT, _PARTNER = 1, 2, 3  # independent random streams


class Batch(NamedTuple):
    """Input of one optimiser step.

    Attributes
    ----------
    step : number of the step, from 0
    pictures : (B, crop, crop, 3) uint8
    labels : (B,) int32, alternating clean and corrosion
    seeds : (B, crop/16, crop/16) int8: -127 certainly clean, 0 unknown, 127 certainly rust
    """

    step: int
    pictures: np.ndarray
    labels: np.ndarray
    seeds: np.ndarray


def draw(labels: np.ndarray, *, batch: int, step: int, seed: int) -> np.ndarray:
    """Draw the picture numbers of one class-balanced batch.

    Each class is passed through in a new random order each time, so that no picture repeats before
    all pictures of its class were used.

    Parameters
    ----------
    labels : (N,) 0 or 1
    batch : batch size, even; half of each class
    step : number of the batch, from 0
    seed : seed of the run

    Returns
    -------
    (batch,) int64, alternating clean and corrosion
    """
    half = batch // 2
    out = np.empty(batch, np.int64)
    for label in (0, 1):
        members = np.flatnonzero(labels == label)
        out[label::2] = _walk(members, step * half, half, (seed, _ORDER, label))
    return out


def draw_partners(labels: np.ndarray, *, batch: int, step: int, seed: int) -> np.ndarray:
    """Draw the clean partners of a batch: the pictures to paste on, or from.

    Like `draw`, in an order of their own. Returns (batch,) int64.
    """
    members = np.flatnonzero(labels == CLEAN)
    return _walk(members, step * batch, batch, (seed, _PARTNER))


def _walk(members: np.ndarray, first: int, count: int, stream: tuple[int, ...]) -> np.ndarray:
    """`count` members from position `first` of an endless sequence, reshuffled on every pass."""
    places = np.arange(first, first + count)
    out = np.empty(count, np.int64)
    for turn in np.unique(places // len(members)):
        order = np.random.default_rng((*stream, int(turn))).permutation(members)
        here = places // len(members) == turn
        out[here] = order[places[here] % len(members)]
    return out


@dataclass(frozen=True)
class _Job:
    """Everything a worker needs to prepare a batch."""

    pictures: Path
    seeds: Path
    labels: np.ndarray
    chosen: np.ndarray
    partners: np.ndarray
    side: int
    seed: int
    step: int
    config: AugmentConfig


def _prepare(job: _Job) -> Batch:
    packed, known = np.load(job.pictures, mmap_mode="r"), np.load(job.seeds, mmap_mode="r")
    count, n = len(job.chosen), job.side // STRIDE
    pictures = np.empty((count, job.side, job.side, 3), np.uint8)
    seeds = np.empty((count, n, n), np.int8)
    for k, (index, partner, label) in enumerate(
        zip(job.chosen, job.partners, job.labels, strict=True)
    ):
        rng = np.random.default_rng((job.seed, _AUGMENT, job.step, k))
        crop = sample(
            np.asarray(packed[index]),
            np.asarray(known[index]),
            int(label),
            np.asarray(packed[partner]),
            job.side,
            rng,
            job.config,
        )
        pictures[k], seeds[k] = crop.pixels, cells(crop.seeds)
    return Batch(job.step, pictures, job.labels, seeds)


class BatchMaker:
    """Prepare batches ahead of time in worker processes."""

    def __init__(self, workers: int, *, ahead: int = 6) -> None:
        self._pool = ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=ignore_interrupt
        )
        self._ahead = ahead

    def __enter__(self) -> BatchMaker:
        """Enter the context; leaving it stops the workers."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop the workers; queued batches are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def batches(
        self,
        pictures: Path,
        seeds: Path,
        labels: np.ndarray,
        steps: Sequence[int],
        *,
        batch: int,
        crop: int,
        share: tuple[float, float],
        seed: int,
        config: AugmentConfig,
    ) -> Generator[Batch]:
        """Yield the batches of these steps in order.

        `pictures` and `seeds` are the packed files; the other arguments come from the recipe and
        phase.
        """
        config = replace(config, min_crop=share[0], max_crop=share[1])
        waiting: deque[Future[Batch]] = deque()
        todo = iter(steps)
        try:
            while True:
                while len(waiting) < self._ahead and (step := next(todo, None)) is not None:
                    chosen = draw(labels, batch=batch, step=step, seed=seed)
                    partners = draw_partners(labels, batch=batch, step=step, seed=seed)
                    of = labels[chosen].astype(np.int32)
                    job = _Job(pictures, seeds, of, chosen, partners, crop, seed, step, config)
                    waiting.append(self._pool.submit(_prepare, job))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            for job_done in waiting:
                job_done.cancel()
