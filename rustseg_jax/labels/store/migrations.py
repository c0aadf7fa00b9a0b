"""Named steps from an empty file to the current schema, recorded in the database by sqlite-utils.

The steps that a database has seen are listed in its table `_sqlite_migrations`; nothing else
says which version it is. All missing steps run in one transaction, so a database is of the old
version or of the new one, whatever happens in between. A released step is never edited: a new
one is added, and `tests/` keeps a database of each earlier version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rustseg_jax.labels.errors import NewerError
from rustseg_jax.labels.store import read_model, schema

__all__ = ["SET", "STEPS", "VERSION", "check_version", "create_tables", "migrate"]

SET = "rustseg_labels"
"""Name of the migration set; a table of sqlite-utils may list those of other programs too."""

STEPS: dict[str, Sequence[str]] = {
    "0001_records": schema.RECORDS,
    "0002_read_model": read_model.READ_MODEL,
    "0003_counted": read_model.COUNTED,
}
"""Name of each step -> its statements."""

VERSION = len(STEPS)


def check_version(conn: sqlite3.Connection, place: Path) -> int:
    """Return how many steps a database has seen; NewerError if it has seen an unknown one."""
    seen = _seen(conn)
    if unknown := [name for name in seen if name not in STEPS]:
        raise NewerError(
            f"{place} was written by a newer version of this program (schema step {unknown[0]!r}; "
            f"this one supports {VERSION}); it was not changed: install the newer version "
            "to use it"
        )
    return len(seen)


def _seen(conn: sqlite3.Connection) -> list[str]:
    """Names of the steps; read without sqlite-utils, which brings pandas along."""
    table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlite_migrations'"
    if conn.execute(table).fetchone() is None:
        return []
    rows = conn.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (SET,))
    return [str(name) for (name,) in rows]


def create_tables(conn: sqlite3.Connection) -> None:
    """Make the tables of this version in an empty database, without a record of the steps.

    For comparison with a real one, without loading sqlite-utils.
    """
    for statements in STEPS.values():
        for statement in statements:
            conn.execute(statement)


def migrate(conn: sqlite3.Connection, place: Path, *, to: int = VERSION) -> None:
    """Bring a database to this version; the caller holds the write lock.

    Parameters
    ----------
    conn : within a transaction that the caller commits or rolls back
    place : of the database, for messages
    to : number of steps wanted; fewer than all is for tests

    Raises
    ------
    NewerError
        It has seen steps that this program does not know.
    """
    from sqlite_utils import Database, Migrations  # only where there is something to migrate

    check_version(conn, place)
    migrations = Migrations(SET)
    for name, statements in list(STEPS.items())[:to]:
        migrations(name=name)(_run(statements))
    migrations.apply(Database(conn, execute_plugins=False))
    conn.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")


def _run(statements: Sequence[str]) -> Callable[[Any], None]:
    def step(db: Any) -> None:
        for statement in statements:
            db.conn.execute(statement)

    return step
