"""Small photos, predictions and stores for the tests of the labels."""

from __future__ import annotations

import io
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rustseg_jax.config import Config
from rustseg_jax.labels import latest
from rustseg_jax.labels.records import Correction, Photo
from rustseg_jax.labels.rle import Rle
from rustseg_jax.labels.store import Store
from rustseg_jax.labels.store.drafts import PredictionDraft

SHAPE = (20, 30)
# What a newer version of this program would have left in a database.
LATER_STEP = """INSERT INTO _sqlite_migrations (migration_set, name)
VALUES ('rustseg_labels', '0099_later')"""


def photo_bytes(seed: int = 0, shape: tuple[int, int] = SHAPE, **options: Any) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, options.pop("format", "PNG"), **options)
    return file.getvalue()


def nonce() -> str:
    return str(uuid.uuid4())


def box(top: int, left: int, bottom: int, right: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def some_mask(seed: int = 0, shape: tuple[int, int] = SHAPE, share: float = 0.4) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def result(
    *,
    probability: float = 0.9,
    heat: np.ndarray | None = None,
    threshold: float = 0.5,
    rough: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    shape: tuple[int, int] = SHAPE,
    digest: str = "a" * 64,
) -> PredictionDraft:
    """What a model might have said; nothing is computed."""
    config = Config()
    corroded = probability >= config.decision_threshold
    nothing = np.zeros(shape, bool)
    return PredictionDraft(
        model=digest,
        config=config,
        probability=probability,
        corroded=corroded,
        threshold=threshold,
        reason="",
        heat=np.zeros((28, 28), np.float32) if heat is None else np.asarray(heat, np.float32),
        rough=Rle.of(nothing if rough is None else rough),
        mask=Rle.of(nothing if mask is None or not corroded else mask),
    )


def new_store(folder: Path) -> Store:
    return Store(folder / "labels")


def save(store: Store, photo: Photo, who: str = "ada", **given: Any) -> Correction:
    """Save a correction; what matters to a test is given."""
    said = {"verdict": "corrosion", "nonce": nonce(), "who": who, **given}
    return store.save_correction(photo, **said)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def said(store: Store) -> dict[str, tuple]:
    """By the photo's SHA-256 what is said of it."""
    with store.database.reading() as conn:
        digests = [row[0] for row in conn.execute("SELECT sha256 FROM photos")]
    found = {d: latest(store, d) for d in digests}
    return {
        d: (c.verdict, c.mask and c.mask.decode(), c.ignore and c.ignore.decode())
        for d, c in found.items()
        if c is not None
    }


OLD = sorted((Path(__file__).parent / "labels" / "store").glob("labels_v*.sql"))


def restore(dump: Path, folder: Path) -> Path:
    folder.mkdir()
    path = folder / "labels.sqlite"
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(dump.read_text(encoding="utf-8"))
    return path
