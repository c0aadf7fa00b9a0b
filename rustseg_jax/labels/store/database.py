"""Connections: one short connection per call, to a database of this program and this version.

An acknowledged save survives a killed process and a power cut: WAL with `synchronous=FULL` syncs
the log at each commit, before the call returns. The owner of a file is read from its header before
SQLite opens it, so a database of another program is not touched at all.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from rustseg_jax.labels.errors import (
    NOT_A_DATABASE,
    ForeignError,
    MissingError,
    ReadOnlyError,
    explained,
)
from rustseg_jax.labels.store.migrations import VERSION, check_version, migrate
from rustseg_jax.labels.store.schema import APPLICATION_ID
from rustseg_jax.runtime import sync_folder

__all__ = ["BUSY_SECONDS", "Database"]

BUSY_SECONDS = 10.0
"""How long a call waits for another writer; a save holds the lock for a few milliseconds."""

_MAGIC = b"SQLite format 3\0"
_APPLICATION_ID = slice(68, 72)  # www.sqlite.org/fileformat.html, 1.3
_WAL_TRIES = 0.05  # seconds between attempts: another process may be starting, too


class Database:
    """The database file of a labels folder; keeps no connection open.

    Parameters
    ----------
    path : the file
    create : create the file if it is missing, and migrate an older one; if False, a missing file
        and an older one are refused
    older : open an older database without migrating it, for reading
    busy_seconds : how long a call waits for another writer
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool,
        older: bool = False,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self.path = path
        self._busy = busy_seconds
        self._immutable = False
        self._least = 1 if older else VERSION
        if not create and not path.is_file():
            raise MissingError(f"{path.parent} is not a labels folder ({path.name} not found)")
        with explained(path):
            self._check_header()
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._prepare(create=create)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open a connection that reads the state of one moment."""
        with explained(self.path), closing(self._connect()) as conn:
            self._check(conn)
            conn.execute("BEGIN")
            yield conn

    @contextmanager
    def writing(self, *, forget: bool = False) -> Iterator[sqlite3.Connection]:
        """Open a connection in a transaction: committed at the end, or rolled back entirely.

        Parameters
        ----------
        forget : overwrite deleted data in the file, too
        """
        with explained(self.path), closing(self._connect()) as conn:
            if self._immutable:
                raise ReadOnlyError(
                    f"{self.path} is read-only, nothing was saved; change its permissions or "
                    "choose another labels folder"
                )
            if forget:
                conn.execute("PRAGMA secure_delete = ON")
            with _transaction(conn):
                self._check(conn)
                yield conn
            if forget:  # the log still has the old pages
                conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _check(self, conn: sqlite3.Connection) -> None:
        if check_version(conn, self.path) < self._least:
            raise MissingError(f"{self.path} was replaced by an older one; restart the program")

    def _check_header(self) -> None:
        """Refuse a database of another program, without opening it."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            header = file.read(100)
        if not header:
            return  # another process is creating the database
        if not header.startswith(_MAGIC):
            raise ForeignError(f"{self.path} {NOT_A_DATABASE}; choose another labels folder")
        if int.from_bytes(header[_APPLICATION_ID], "big") != APPLICATION_ID:
            raise ForeignError(
                f"{self.path} belongs to another program; it was not changed: choose "
                "another labels folder"
            )

    def _prepare(self, *, create: bool) -> None:
        new = not self.path.exists()
        with closing(self._connect(create=new)) as conn:
            version = check_version(conn, self.path)
            if version < self._least:
                if not create or self._immutable:
                    raise MissingError(
                        f"{self.path} has an older schema ({version}, this program needs "
                        f"{VERSION}); to update it, open it for writing, in the app or with "
                        "`labels import`"
                    )
                with _transaction(conn):
                    migrate(conn, self.path)
            if create and not self._immutable:
                self._to_wal(conn)
        if new:
            sync_folder(self.path.parent)

    def _to_wal(self, conn: sqlite3.Connection) -> None:
        """Switch to the write-ahead log, once for each database."""
        end = time.monotonic() + self._busy
        while True:
            try:
                if conn.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                    conn.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                code = error.sqlite_errorcode & 0xFF
                if code == sqlite3.SQLITE_READONLY:
                    return
                if code != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(_WAL_TRIES)  # SQLite does not wait here by itself

    def _connect(self, *, create: bool = False) -> sqlite3.Connection:
        address = self.path.resolve().as_uri()
        if not self._immutable:
            try:
                return self._open(f"{address}?mode={'rwc' if create else 'rw'}")
            except sqlite3.OperationalError as error:
                if create or not self._is_closed_to_us(error):
                    raise
        # A read-only folder has no room for the log's index. Without a log nobody is writing
        # either, and the file can be read as it is.
        self._immutable = True
        return self._open(f"{address}?mode=ro&immutable=1")

    def _is_closed_to_us(self, error: sqlite3.OperationalError) -> bool:
        log = self.path.with_name(f"{self.path.name}-wal")
        if log.exists() and log.stat().st_size:
            return False
        denied = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        return denied and not os.access(self.path.parent, os.W_OK)

    def _open(self, address: str) -> sqlite3.Connection:
        conn = sqlite3.connect(address, uri=True, timeout=self._busy, isolation_level=None)
        try:
            _set_up(conn)
        except BaseException:
            conn.close()
            raise
        return conn


def _set_up(conn: sqlite3.Connection) -> None:
    for pragma in (
        "foreign_keys = ON",
        "recursive_triggers = ON",  # so that REPLACE asks the DELETE triggers
        "trusted_schema = ON",  # json_valid in CHECK; some builds have it off
        "synchronous = FULL",
        "fullfsync = ON",  # macOS: through the disk's own cache
    ):
        conn.execute(f"PRAGMA {pragma}")


@contextmanager
def _transaction(conn: sqlite3.Connection) -> Iterator[None]:
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        conn.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has already rolled it back
            conn.execute("ROLLBACK")
        raise
