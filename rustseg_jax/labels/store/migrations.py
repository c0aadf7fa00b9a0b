"""Numbered steps from an empty file to the schema of today.

A database's version is how many of them it has seen, in its header (`PRAGMA user_version`), and
nowhere else. All steps that are missing run in one transaction: a database is of the old version
or of the new one, whatever happens in between. A step that was released is never edited; a new
one is added, and `tests/` keeps a database of each version before it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rustseg_jax.labels.errors import NewerError
from rustseg_jax.labels.store import read_model, schema

__all__ = ["STEPS", "VERSION", "check_version", "migrate"]

STEPS = (schema.RECORDS, read_model.READ_MODEL, read_model.COUNTED)
"""Statements of each step: 1 the records, 2 what is derived from them, 3 which of them count."""

VERSION = len(STEPS)


def check_version(conn: sqlite3.Connection, place: Path) -> int:
    """Return the database's version, 0 for an empty one; NewerError for a newer one."""
    version = int(conn.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise NewerError(
            f"{place} was written by a newer version of this program (schema {version}, this one "
            f"knows {VERSION}); it was left as it is: install the newer version to use it"
        )
    return version


def migrate(conn: sqlite3.Connection, place: Path, *, to: int = VERSION) -> None:
    """Bring a database to this version; the caller holds the write lock.

    Parameters
    ----------
    conn : within a transaction that the caller commits or rolls back
    place : of the database, for messages
    to : the version wanted; an older one is for tests

    Raises
    ------
    NewerError
        It has steps that this program does not know.
    """
    for step in STEPS[check_version(conn, place) : to]:
        for statement in step:
            conn.execute(statement)
    conn.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    conn.execute(f"PRAGMA user_version = {to}")
