"""A packed copy of the pictures for training.

Training decodes each picture once, in worker processes, resizes it to a square (as inference does)
and stores it in one memory-mapped file, so that an epoch reads bytes instead of decoding JPEGs.
"""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from rustseg_jax import images
from rustseg_jax.manifest import Record
from rustseg_jax.runtime import replacing

__all__ = ["ignore_interrupt", "pack"]


def pack(
    records: Sequence[Record],
    side: int,
    folder: Path,
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Decode pictures once and store them as squares.

    Parameters
    ----------
    records : N pictures
    side : side of the squares in pixels; the aspect ratio is ignored, as in inference
    folder : folder of the packed file; a complete one is reused
    workers : number of decoding processes
    progress : called with (done, N)

    Returns
    -------
    (N, side, side, 3) uint8, memory-mapped and read-only
    """
    path = folder / f"pack-{side}-{_fingerprint(records)}.npy"
    if not path.is_file():
        with replacing(path) as partial:
            _write(partial, records, side, workers, progress)
    return np.load(path, mmap_mode="r")


def _write(
    path: Path,
    records: Sequence[Record],
    side: int,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    store = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.uint8, shape=(len(records), side, side, 3)
    )
    jobs = [(r.image, side) for r in records]
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=ignore_interrupt
    ) as pool:
        for k, picture in enumerate(pool.map(_square, jobs, chunksize=32)):
            store[k] = picture
            if progress:
                progress(k + 1, len(records))
    store.flush()


def ignore_interrupt() -> None:
    """In a worker: Ctrl-C reaches the whole process group, but only the parent handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _square(job: tuple[Path, int]) -> np.ndarray:
    path, side = job
    return images.resize(images.read(path), (side, side))


def _fingerprint(records: Sequence[Record]) -> str:
    """Short hash of names, sizes and times: a changed picture is packed again."""
    h = hashlib.sha256()
    for r in records:
        stat = r.image.stat()
        h.update(f"{r.image}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return h.hexdigest()[:12]
