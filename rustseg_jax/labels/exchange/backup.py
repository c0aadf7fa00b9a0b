"""Back up a labels folder while others keep writing to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rustseg_jax.errors import ConfigError
from rustseg_jax.labels.errors import DamagedError, explained
from rustseg_jax.labels.store import Store, files
from rustseg_jax.labels.store.database import Database
from rustseg_jax.labels.store.store import DATABASE
from rustseg_jax.runtime import replacing

__all__ = ["Backup", "back_up", "snapshot"]

Progress = Callable[[int, int], None]

_TRIES = 3


@dataclass(frozen=True)
class Backup:
    """Result of a backup: the folder, the number of photos, and how many of them are hard links."""

    folder: Path
    photos: int
    linked: int


def back_up(
    store: Store, folder: Path | str, *, copy: bool = False, progress: Progress | None = None
) -> Backup:
    """Copy a labels folder in the state of one moment.

    The copy is itself a labels folder: to restore it, use it as one. Photos become hard links if
    both folders are on one disk. Links take no space and protect against deletion, not against a
    failing disk. A photo that is erased later stays in the backup until the backup is deleted.

    Parameters
    ----------
    store : the labels folder; it may be in use
    folder : a new or empty folder
    copy : copy photos (and check their bytes) even where they could be linked
    progress : called with (photos done, total)

    Returns
    -------
    `Backup`

    Raises
    ------
    ConfigError
        The folder is not empty.
    DamagedError
        A photo is missing or was changed; `labels verify` lists all of them.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} is not empty; choose a new folder for the backup")
    with explained(target):
        target.mkdir(parents=True, exist_ok=True)
        linked: dict[str, bool] = {}
        for _ in range(_TRIES):
            # Rows first: a photo is written before its row, so every row has its photo. A photo
            # erased in between is missing; the next snapshot no longer has its row.
            snapshot(store.database, target / DATABASE)
            photos = _photos(target / DATABASE)
            missing = _copy_photos(store, target, photos, linked, copy, progress)
            if not missing:
                break
        else:
            raise DamagedError(f"photo {missing[0]} is missing; run `labels verify`")
    for digest in linked.keys() - set(photos):
        files.remove(target, digest)
    return Backup(target, len(photos), sum(linked[digest] for digest in photos))


def snapshot(database: Database, path: Path) -> None:
    """Copy the database in the state of one moment, durably and without blocking other users."""
    with (
        replacing(path, durable=True) as partial,
        database.reading() as source,
        closing(sqlite3.connect(partial)) as copy,
    ):
        source.backup(copy)
        # A single file works anywhere, also on read-only media; opening it for writing restores
        # WAL.
        copy.execute("PRAGMA journal_mode = DELETE")


def _photos(path: Path) -> list[str]:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as conn:
        return [row[0] for row in conn.execute("SELECT sha256 FROM photos ORDER BY sha256")]


def _copy_photos(
    store: Store,
    target: Path,
    photos: list[str],
    linked: dict[str, bool],
    copy: bool,
    progress: Progress | None,
) -> list[str]:
    missing = []
    for done, digest in enumerate(photos, 1):
        if digest not in linked:
            try:
                linked[digest] = files.put_file(
                    target, digest, store.photo_path(digest), link=not copy
                )
            except FileNotFoundError:
                missing.append(digest)
        if progress:
            progress(done, len(photos))
    return missing
