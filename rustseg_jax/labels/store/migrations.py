"""Numbered steps from an empty file to the schema of today, recorded in the database.

All steps that are missing run in one transaction: a database is of the old version or
of the new one, whatever happens in between. A step that was released is never edited; a
new one is added, and `tests/` keeps a database of each version before it.

Imported only where there is something to migrate: sqlite-utils brings pandas along.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlite_utils import Database, Migrations

from rustseg_jax.labels.store import schema

__all__ = ["MIGRATIONS", "migrate"]

MIGRATIONS = Migrations("rustseg_labels")


@MIGRATIONS(name="0001_records")
def records(db: Database) -> None:
    """Photos, predictions, corrections, reviews, withdrawals, erasures: append-only."""
    _run(db, *schema.RECORDS)


@MIGRATIONS(name="0002_read_model")
def read_model(db: Database) -> None:
    """Derived tables for the queue, the list and the history; filled from the records."""
    _run(db, *schema.READ_MODEL)
    _run(
        db,
        *(f"INSERT INTO {table} {schema.backfill(table)}" for table in
          ("standing", "tagged", "queue")),
    )  # fmt: skip


def migrate(conn: sqlite3.Connection, place: Path, *, stop_before: str | None = None) -> None:
    """Bring a database to this version; the caller holds the write lock.

    Parameters
    ----------
    conn : within a transaction that the caller commits or rolls back
    place : of the database, for messages
    stop_before : name of a step; for tests of older versions

    Raises
    ------
    NewerError
        It has steps that this program does not know.
    """
    schema.check_version(conn, place)
    db = Database(conn, execute_plugins=False)
    MIGRATIONS.apply(db, stop_before=stop_before)
    conn.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    conn.execute(f"PRAGMA user_version = {len(MIGRATIONS.applied(db))}")


def _run(db: Database, *statements: str) -> None:
    for statement in statements:
        db.conn.execute(statement)
