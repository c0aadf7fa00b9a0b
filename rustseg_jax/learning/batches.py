"""Which pictures make up which batch, and the processes that prepare them.

A batch is a pure function of (recipe, step): an interrupted run that goes on
from a step sees exactly the batches it would have seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from rustseg_jax.learning.augment import AugmentConfig, augment
from rustseg_jax.learning.dataset import ignore_interrupt

__all__ = ["BatchMaker", "draw"]

_ORDER, _AUGMENT = 1, 2  # streams of chance, so that one does not disturb the other


def draw(labels: np.ndarray, *, batch: int, step: int, seed: int) -> np.ndarray:
    """Class-balanced picture numbers of one batch.

    Each class is walked through in a new random order on every pass, so that no
    picture comes a second time before all of its class came once.

    Parameters
    ----------
    labels : (N,) 0 or 1
    batch : even; half of each class
    step : number of the batch, from 0
    seed : of the run

    Returns
    -------
    (batch,) int64, alternating clean and corrosion
    """
    half = batch // 2
    out = np.empty(batch, np.int64)
    for label in (0, 1):
        members = np.flatnonzero(labels == label)
        places = np.arange(step * half, (step + 1) * half)
        for turn in np.unique(places // len(members)):
            order = np.random.default_rng((seed, _ORDER, label, int(turn))).permutation(members)
            here = places // len(members) == turn
            out[label::2][here] = order[places[here] % len(members)]
    return out


def _prepare(
    path: Path, chosen: np.ndarray, side: int, seed: int, step: int, config: AugmentConfig
) -> np.ndarray:
    packed = np.load(path, mmap_mode="r")
    out = np.empty((len(chosen), side, side, 3), np.uint8)
    for k, index in enumerate(chosen):
        rng = np.random.default_rng((seed, _AUGMENT, step, k))
        out[k] = augment(np.asarray(packed[index]), side, rng, config)
    return out


class BatchMaker:
    """Prepares batches ahead of time in worker processes."""

    def __init__(self, workers: int, *, ahead: int = 6) -> None:
        self._pool = ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=ignore_interrupt
        )
        self._ahead = ahead

    def __enter__(self) -> BatchMaker:
        """Enter; leaving stops the workers."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop the workers; what is queued is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def batches(
        self,
        path: Path,
        labels: np.ndarray,
        steps: Sequence[int],
        *,
        batch: int,
        crop: int,
        share: tuple[float, float],
        seed: int,
        config: AugmentConfig,
    ) -> Generator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield (step, pictures (batch, crop, crop, 3) uint8, labels (batch,) int32) in order."""
        config = replace(config, min_crop=share[0], max_crop=share[1])
        waiting: deque[tuple[int, np.ndarray, Future[np.ndarray]]] = deque()
        todo = iter(steps)
        try:
            while True:
                while len(waiting) < self._ahead and (step := next(todo, None)) is not None:
                    chosen = draw(labels, batch=batch, step=step, seed=seed)
                    job = self._pool.submit(_prepare, path, chosen, crop, seed, step, config)
                    waiting.append((step, chosen, job))
                if not waiting:
                    return
                step, chosen, job = waiting.popleft()
                yield step, job.result(), labels[chosen].astype(np.int32)
        finally:
            for *_, job in waiting:
                job.cancel()
