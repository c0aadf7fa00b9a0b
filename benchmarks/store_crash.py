"""Crash test of the labels store: processes write concurrently and are killed at random moments.

    .venv/bin/python -m benchmarks.store_crash                # 8 processes, 60 seconds

Each process adds photos, predictions, corrections and reviews, and logs each save in a file of its
own once the call has returned. `kill -9` hits one at random, again and again, and all of them at
the end. Afterwards every logged save must be in the store with the content that was sent, and
`verify_labels` must find no problems.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rustseg_jax.config import Config
from rustseg_jax.images import sha256
from rustseg_jax.labels import PredictionDraft, Rle, Store, verify_labels

ROOT = Path(__file__).resolve().parents[1]
SHAPE = (24, 32)


def photo_of(rng: np.random.Generator) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (*SHAPE, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def prediction_of(rng: np.random.Generator) -> PredictionDraft:
    return PredictionDraft(
        model=sha256(rng.bytes(8)),
        config=Config(),
        probability=float(rng.random()),
        corroded=True,
        threshold=0.5,
        reason="",
        heat=rng.random((28, 28), np.float32),
        rough=Rle.of(rng.random(SHAPE) < 0.5),
        mask=Rle.of(rng.random(SHAPE) < 0.5),
    )


def work(folder: Path, notes: Path, seed: int) -> None:
    """Save until killed; log each acknowledged save, one line each."""
    rng = np.random.default_rng(seed)
    store = Store(folder, busy_seconds=60)
    file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(*words: str) -> None:
        os.write(file, (" ".join(words) + "\n").encode())

    for k in range(10**9):
        photo = store.add_photo(photo_of(rng), origin=f"{seed}-{k}.png")
        note("photo", photo.sha256)
        prediction = store.add_prediction(photo, prediction_of(rng))
        note("prediction", prediction.id)
        for _ in range(int(rng.integers(1, 4))):
            nonce, mask = rng.bytes(16).hex(), rng.random(SHAPE) < 0.5
            saved = store.save_correction(
                photo, nonce=nonce, who=f"expert {seed % 8}", verdict="corrosion", mask=mask,
                prediction=prediction.id, reasons=["brick"],
            )  # fmt: skip
            note("correction", nonce, photo.sha256, sha256(mask.tobytes()))
            key = rng.bytes(16).hex()
            store.review(saved.id, "approve", nonce=key, who="reviewer")
            note("review", key)


class Workers:
    """Processes that save; each can be killed and replaced."""

    def __init__(self, folder: Path, notes: Path, count: int, seed: int) -> None:
        self.folder, self.notes, self.next = folder, notes, seed * 10_000
        self.alive = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        self.next += 1
        words = [str(self.folder), str(self.notes / f"{self.next}.txt"), str(self.next)]
        command = [sys.executable, "-m", "benchmarks.store_crash", "--worker", *words]
        errors = (self.notes / f"{self.next}.err").open("wb")
        with errors:
            return subprocess.Popen(command, cwd=ROOT, stderr=errors)

    def kill(self, place: int, *, again: bool) -> None:
        """Kill a process with -9; start a new one in its place if requested."""
        process = self.alive[place]
        process.send_signal(signal.SIGKILL)
        process.wait()
        if again:
            self.alive[place] = self._start()

    def noted(self) -> list[list[str]]:
        """All logged saves so far; an incomplete line does not count."""
        text = [p.read_text() for p in sorted(self.notes.glob("*.txt"))]
        lines = [line for part in text for line in part.splitlines(keepends=True)]
        return [line.split() for line in lines if line.endswith("\n")]

    def errors(self) -> list[str]:
        """Errors reported by any process."""
        return [t for p in sorted(self.notes.glob("*.err")) if (t := p.read_text())]


@contextmanager
def running(folder: Path, notes: Path, count: int, seed: int) -> Iterator[Workers]:
    notes.mkdir(parents=True, exist_ok=True)
    workers = Workers(folder, notes, count, seed)
    try:
        yield workers
    finally:
        for place in range(count):
            workers.kill(place, again=False)


def lost(folder: Path, noted: list[list[str]]) -> list[str]:
    """Logged saves that are missing from the store or differ."""
    store = Store(folder)
    with store.database.reading() as conn:
        reviews = {row[0] for row in conn.execute("SELECT nonce FROM reviews")}
        predictions = {row[0] for row in conn.execute("SELECT id FROM predictions")}
        photos = {row[0] for row in conn.execute("SELECT sha256 FROM photos")}
        corrections = dict(conn.execute("SELECT nonce, id FROM corrections").fetchall())
    missing = []
    for kind, key, *more in noted:
        known = {"review": reviews, "prediction": predictions, "photo": photos}
        if kind == "correction":
            row = store.correction(corrections[key]) if key in corrections else None
            good = row is not None and row.mask is not None
            good = good and [row.photo, sha256(row.mask.decode().tobytes())] == more
        else:
            good = key in known[kind]
        missing += [] if good else [" ".join((kind, key))]
    return missing


def measure(
    workers: int, seconds: float, pause: tuple[float, float], *, seed: int = 0,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:  # fmt: skip
    """Run for this long, with these pauses between kills; return the findings."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        folder, notes, kills = Path(place, "labels"), Path(place, "notes"), 0
        with running(folder, notes, workers, seed) as crowd:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(chance.uniform(*pause))
                crowd.kill(chance.randrange(workers), again=True)
                kills += 1
        noted = crowd.noted()
        tell(f"{kills + workers} kills, {len(noted)} acknowledged saves; checking them")
        verified = verify_labels(Store(folder))
        saved = sum(verified.counts.values())
        return {
            "workers": workers,
            "seconds": seconds,
            "kills": kills + workers,
            "acknowledged": len(noted),
            "saved": saved,
            "saved_without_answer": saved - len(noted),
            "lost": lost(folder, noted),
            "problems": [vars(p) for p in verified.problems],
            "orphans": len(verified.orphans),
            "errors": crowd.errors(),
            "counts": verified.counts,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--workers", type=int, default=8, help="number of processes")
    parser.add_argument("--seconds", type=float, default=60, help="duration")
    parser.add_argument(
        "--pause",
        type=float,
        nargs=2,
        default=(0.05, 0.5),
        help="shortest and longest pause between kills, in seconds",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed of the kills")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        folder, notes, seed = args.worker
        work(Path(folder), Path(notes), int(seed))
    report = measure(args.workers, args.seconds, tuple(args.pause), seed=args.seed)
    print(json.dumps(report, indent=1))
    return int(bool(report["lost"] or report["problems"] or report["errors"]))


if __name__ == "__main__":
    sys.exit(main())
