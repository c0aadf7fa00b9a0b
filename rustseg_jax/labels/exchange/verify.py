"""Verify that everything saved is intact: database, photos, masks, and their references."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from rustseg_jax.images import sha256
from rustseg_jax.labels.errors import DamagedError
from rustseg_jax.labels.rle import Rle, check_lengths
from rustseg_jax.labels.store import Store, files
from rustseg_jax.labels.store.migrations import create_tables
from rustseg_jax.labels.store.read_model import backfill
from rustseg_jax.labels.store.rows import unpack_heat
from rustseg_jax.labels.store.schema import RECORD_TABLES

__all__ = ["Problem", "Verification", "verify_labels"]

Progress = Callable[[int, int], None]

_SCHEMA = """SELECT name, sql FROM sqlite_master
WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND tbl_name <> '_sqlite_migrations'"""
_DERIVED = {"standing": "", "tagged": "", "queue": " WHERE name = 'doubt'"}


@dataclass(frozen=True)
class Problem:
    """Something that is not as it was saved.

    Attributes
    ----------
    kind : "database", "schema", "photo", "mask", "heat map", "reference", "read model" or "erasure"
    what : the row or file
    message : the problem and, where possible, what to do
    """

    kind: str
    what: str
    message: str


@dataclass(frozen=True)
class Verification:
    """Result of a verification.

    Attributes
    ----------
    counts : number of rows by table
    problems : everything that is wrong; empty if all is well
    orphans : files below `photos/` without a row, relative to the labels folder: left behind by a
        program that stopped between writing the file and the row. They are harmless, and no
        acknowledged save is among them.
    """

    counts: dict[str, int]
    problems: tuple[Problem, ...] = ()
    orphans: tuple[str, ...] = field(default=(), repr=False)

    @property
    def good(self) -> bool:
        """Whether there are no problems."""
        return not self.problems


def verify_labels(
    store: Store, *, quick: bool = False, progress: Progress | None = None
) -> Verification:
    """Verify a labels folder without changing it.

    Parameters
    ----------
    store : a labels folder
    quick : compare only the sizes of the photos, not their bytes
    progress : called with (photos done, total)

    Returns
    -------
    `Verification`
    """
    with store.database.reading() as conn:
        problems = [*_database(conn)]
        if problems:  # nothing in it can be trusted
            return Verification({}, tuple(problems))
        counts = {t: conn.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in RECORD_TABLES}
        problems += [*_schema(conn), *_masks(conn), *_heat_maps(conn), *_references(conn)]
        problems += _read_model(conn)
        photos = dict(conn.execute("SELECT sha256, bytes FROM photos ORDER BY sha256").fetchall())
        erased = {row[0] for row in conn.execute("SELECT photo FROM erasures")}
    problems += _photos(store, photos, quick, progress)
    orphans = []
    for path in files.stored(store.folder):
        if path != files.place_of(store.folder, path.name) or path.name not in photos:
            known = path.name[:64] in erased
            problems += [_still_there(path)] if known else []
            orphans += [] if known or _arrived(store, path) else [path]
    names = tuple(path.relative_to(store.folder).as_posix() for path in orphans)
    return Verification(counts, tuple(problems), names)


def _database(conn: sqlite3.Connection) -> Iterator[Problem]:
    try:
        for (message,) in conn.execute("PRAGMA integrity_check"):
            if message != "ok":
                yield Problem("database", "labels.sqlite", f"{message}; restore a backup")
        for table, row, parent, _ in conn.execute("PRAGMA foreign_key_check"):
            yield Problem("database", f"{table} row {row}", f"refers to missing {parent}")
    except sqlite3.DatabaseError as error:
        yield Problem("database", "labels.sqlite", f"{error}; restore a backup")


def _schema(conn: sqlite3.Connection) -> Iterator[Problem]:
    """Tables, views, indexes and triggers must be those of this version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        create_tables(fresh)
        wanted = dict(fresh.execute(_SCHEMA).fetchall())
    found = dict(conn.execute(_SCHEMA).fetchall())
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            how = "was added" if name not in wanted else "differs from this version's definition"
            yield Problem("schema", name, f"{how}: the database was changed by hand")


def _masks(conn: sqlite3.Connection) -> Iterator[Problem]:
    shape = "p.height, p.width FROM {} r JOIN photos p ON p.sha256 = r.photo"
    layers = {"corrections": ("mask", "ignore"), "predictions": ("rough", "mask")}
    for table, names in layers.items():
        for name in names:
            area = {"corrections mask": "r.area", "corrections ignore": "r.ignored"}.get(
                f"{table} {name}", "NULL"
            )
            sql = f"SELECT r.id, r.{name}, {area}, {shape.format(table)} WHERE r.{name} IS NOT NULL"
            for id, counts, stated, *size in conn.execute(sql):
                rle = Rle(counts, *size)
                try:
                    check_lengths(rle)
                    if stated is not None and rle.area != stated:
                        raise DamagedError(f"marks {rle.area} pixels, but its row says {stated}")
                except DamagedError as error:
                    yield Problem("mask", f"{name} of {table} {id}", str(error))
    sql = f"SELECT r.id, r.mask, r.ignore, {shape.format('corrections')} WHERE r.mask IS NOT NULL"
    for id, mask, ignore, *size in conn.execute(f"{sql} AND r.ignore IS NOT NULL"):
        try:
            if (Rle(mask, *size).decode() & Rle(ignore, *size).decode()).any():
                yield Problem("mask", f"corrections {id}", "mask and ignore overlap")
        except DamagedError:  # reported above
            continue


def _heat_maps(conn: sqlite3.Connection) -> Iterator[Problem]:
    for id, *packed in conn.execute("SELECT id, heat, heat_rows, heat_columns FROM predictions"):
        try:
            heat = unpack_heat(*packed)
            if not ((heat >= 0) & (heat <= 1)).all():
                raise DamagedError("a heat map is damaged (values outside [0, 1])")
        except DamagedError as error:
            yield Problem("heat map", f"predictions {id}", str(error))


def _references(conn: sqlite3.Connection) -> Iterator[Problem]:
    """Check what foreign keys cannot: sources of a consensus, photos with a tombstone."""
    sql = """SELECT c.id, s.value FROM corrections c, json_each(c.sources) s
WHERE NOT EXISTS (SELECT 1 FROM corrections o WHERE o.id = s.value AND o.photo = c.photo)"""
    for id, source in conn.execute(sql):
        yield Problem("reference", f"corrections {id}", f"refers to the missing source {source}")
    for table in RECORD_TABLES[:-1]:
        key = "sha256" if table == "photos" else "photo"
        sql = f"SELECT DISTINCT {key} FROM {table} WHERE {key} IN (SELECT photo FROM erasures)"
        for (photo,) in conn.execute(sql):
            yield Problem("erasure", f"photo {photo}", f"was erased, but is still in {table}")


def _read_model(conn: sqlite3.Connection) -> Iterator[Problem]:
    for table, where in _DERIVED.items():
        held = f"SELECT * FROM {table}{where}"
        wanted = backfill(table)
        for a, b, how in ((held, wanted, "has extra rows"), (wanted, held, "lacks rows")):
            row = conn.execute(f"SELECT * FROM ({a}) EXCEPT SELECT * FROM ({b}) LIMIT 1").fetchone()
            if row is not None:
                yield Problem("read model", table, f"{how}: {row}; the records are not affected")


def _photos(
    store: Store, photos: dict[str, int], quick: bool, progress: Progress | None
) -> Iterator[Problem]:
    for done, (digest, size) in enumerate(photos.items(), 1):
        message = _wrong_with(files.place_of(store.folder, digest), digest, size, quick)
        if message and store.find_photo(digest) is not None:  # not erased in the meantime
            yield Problem("photo", f"photo {digest}", message)
        if progress:
            progress(done, len(photos))


def _wrong_with(path: Path, digest: str, size: int, quick: bool) -> str:
    mend = "add the photo again, or restore the file from a backup"
    try:
        if not path.is_file():
            return f"is missing; {mend}"
        if path.stat().st_size != size:
            return f"has {path.stat().st_size} bytes instead of {size}; {mend}"
        if not quick and sha256(path.read_bytes()) != digest:
            return f"was changed after it was stored; {mend}"
    except OSError as error:
        return f"cannot be read ({error.strerror or error}); {mend}"
    return ""


def _still_there(path: Path) -> Problem:
    message = "belongs to an erased photo; erase it again, or delete the file"
    return Problem("erasure", path.name, message)


def _arrived(store: Store, path: Path) -> bool:
    """Whether this photo was saved after the rows were read, or its file is gone."""
    if not path.exists():
        return True
    placed = path == files.place_of(store.folder, path.name)
    return placed and store.find_photo(path.name) is not None
