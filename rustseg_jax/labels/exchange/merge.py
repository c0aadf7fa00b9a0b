"""Merge the labels folders of several sites into one.

Ids are UUIDs and photos are addressed by their bytes, so rows of two sites cannot collide; what
both have (a photo, or an import made twice) is stored once. The other folder is only read. An
interrupted or repeated merge continues where it stopped: each photo is added with all its records
in one transaction. An erasure applies to both.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from rustseg_jax.errors import ConfigError
from rustseg_jax.labels.errors import explained
from rustseg_jax.labels.exchange.backup import snapshot
from rustseg_jax.labels.store import Store, files
from rustseg_jax.labels.store.database import Database
from rustseg_jax.labels.store.lookups import erase_rows
from rustseg_jax.labels.store.rows import Row, fetch, fetch_all, insert
from rustseg_jax.labels.store.schema import RECORD_TABLES
from rustseg_jax.labels.store.store import DATABASE

__all__ = ["Merge", "merge_labels"]

Progress = Callable[[int, int], None]

_PER_PHOTO = ("predictions", "corrections", "reviews", "withdrawals")
_BY_HOW = ("made", "app", "seconds", "prediction", "parent", "verified")
# Columns in which two saves under one nonce may differ: the same file imported at two sites.


@dataclass(frozen=True)
class Merge:
    """What was added, by table, and what was skipped.

    Attributes
    ----------
    added : number of rows by table
    conflicts : rows that exist here with different content; ours was kept
    failed : photos whose file cannot be copied, and why; none of their records were added
    """

    added: dict[str, int]
    conflicts: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


def merge_labels(store: Store, other: Path | str, *, progress: Progress | None = None) -> Merge:
    """Merge another labels folder into this one.

    Parameters
    ----------
    store : receives the records
    other : the other folder, of this version or an older one; only read
    progress : called with (photos done, total)

    Returns
    -------
    `Merge`

    Raises
    ------
    NewerError, ForeignError, MissingError
        The other folder is of a newer version, belongs to another program, or is missing.
    ConfigError
        Both are the same folder.
    """
    other = Path(other)
    if other.resolve() == store.folder.resolve():
        raise ConfigError(f"{other} is the folder to merge into; choose a different one")
    with tempfile.TemporaryDirectory(prefix="rustseg-merge-") as place:
        copy = Path(place) / DATABASE
        snapshot(Database(other / DATABASE, create=False, older=True), copy)
        Database(copy, create=True)  # the copy of an older database is migrated
        with closing(sqlite3.connect(copy)) as source:
            return _merge(store, other, source, progress)


def _merge(
    store: Store, other: Path, source: sqlite3.Connection, progress: Progress | None
) -> Merge:
    added: Counter[str] = Counter(dict.fromkeys(RECORD_TABLES, 0))
    conflicts: list[str] = []
    failed: dict[str, str] = {}
    for row in fetch_all(source, "SELECT * FROM erasures ORDER BY made, id"):
        added["erasures"] += _erase(store, row)
    photos = fetch_all(source, "SELECT * FROM photos ORDER BY sha256")
    for done, photo in enumerate(photos, 1):
        why = _take_over(store, other, source, photo, added, conflicts)
        if why:
            failed[photo["sha256"]] = why
        if progress:
            progress(done, len(photos))
    return Merge(dict(added), tuple(conflicts), failed)


def _erase(store: Store, row: Row) -> int:
    with store.database.writing(forget=True) as conn:
        if fetch(conn, "SELECT id FROM erasures WHERE id = ?", (row["id"],)):
            return 0
        erase_rows(conn, row)
    with explained(store.folder):
        files.remove(store.folder, row["photo"])
    return 1


def _take_over(
    store: Store,
    other: Path,
    source: sqlite3.Connection,
    photo: Row,
    added: Counter[str],
    conflicts: list[str],
) -> str:
    """Merge one photo with all its records: the file first, then the rows, in one transaction.

    Returns why the photo cannot be added; "" if it can.
    """
    digest = photo["sha256"]
    rows = {
        table: fetch_all(source, f"SELECT * FROM {table} WHERE photo = ? ORDER BY made", (digest,))
        for table in _PER_PHOTO
    }
    with store.database.reading() as conn:
        if _is_erased(conn, photo):
            return ""
        if not any(_new(conn, table, row) for table, row in _all(photo, rows)):
            conflicts += [
                c for table, row in _all(photo, rows) if (c := _conflict(conn, table, row))
            ]
            return ""
    if not files.place_of(store.folder, digest).is_file():
        try:
            data = files.read_checked(files.place_of(other, digest), digest)
        except OSError as error:
            return error.strerror or str(error)
        with explained(store.folder):
            files.put(store.folder, digest, data)
    with store.database.writing() as conn:
        if _is_erased(conn, photo):
            files.remove(store.folder, digest)
            return ""
        conn.execute("PRAGMA defer_foreign_keys = ON")  # a parent may follow its child
        for table, row in _all(photo, rows):
            if _new(conn, table, row):
                insert(conn, table, row)
                added[table] += 1
            elif conflict := _conflict(conn, table, row):
                conflicts.append(conflict)
    return ""


def _all(photo: Row, rows: dict[str, list[Row]]) -> list[tuple[str, Row]]:
    return [("photos", photo), *((table, row) for table in _PER_PHOTO for row in rows[table])]


def _is_erased(conn: sqlite3.Connection, photo: Row) -> bool:
    sql = "SELECT 1 FROM erasures WHERE photo IN (:sha256, :original)"
    sql += " OR original IN (:sha256, :original)"
    return fetch(conn, sql, photo) is not None


def _key(table: str) -> str:
    return "sha256" if table == "photos" else "id"


def _new(conn: sqlite3.Connection, table: str, row: Row) -> bool:
    key = _key(table)
    return fetch(conn, f"SELECT 1 FROM {table} WHERE {key} = :{key}", row) is None


def _conflict(conn: sqlite3.Connection, table: str, row: Row) -> str:
    """Name a row that has different content here; "" if it is the same.

    A photo is its bytes: the sites may have noted different origins.
    """
    if table == "photos":
        return ""
    ours = fetch(conn, f"SELECT * FROM {table} WHERE id = :id", row) or row
    differs = [name for name in row if name not in _BY_HOW and row[name] != ours[name]]
    return f"{table} {row['id']}: {', '.join(differs)}" if differs else ""
