"""Errors of the labels store: one class for each cause; each message says what to do.

`explained` converts the errors of SQLite and the operating system. If any of them is raised during
a save, nothing of that save was written and earlier data is untouched.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rustseg_jax.errors import LabelsError

__all__ = [
    "ConflictError",
    "DamagedError",
    "ErasedError",
    "ForeignError",
    "FullError",
    "LockedError",
    "MissingError",
    "NewerError",
    "ReadOnlyError",
    "explained",
]


class MissingError(LabelsError):
    """The labels folder, photo or record does not exist."""


class ForeignError(LabelsError):
    """The database belongs to another program; it was not changed."""


class NewerError(LabelsError):
    """The database was written by a newer version of this program; it was not changed."""


class LockedError(LabelsError):
    """Another program kept the database locked for too long."""


class FullError(LabelsError):
    """The disk is full."""


class ReadOnlyError(LabelsError):
    """The labels folder, or a file in it, is read-only."""


class DamagedError(LabelsError):
    """Stored data cannot be read back."""


class ConflictError(LabelsError):
    """A save was repeated with different content."""


class ErasedError(LabelsError):
    """The photo was erased on request and is not accepted again."""


NOT_A_DATABASE = "is not an SQLite database"
_NOTHING = "nothing was saved"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Convert errors of SQLite and the system about `place` into the errors of this module."""
    try:
        yield
    except sqlite3.Error as error:
        known = _of_sqlite(error, place)
        if known is None:  # a bug in this program
            raise
        raise known from error
    except OSError as error:
        raise _of_system(error, place) from error


def _of_sqlite(error: sqlite3.Error, place: Path) -> LabelsError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return LockedError(
            f"{place} is locked by another program, {_NOTHING}; wait a moment and save again, "
            "or close the other program"
        )
    if code == sqlite3.SQLITE_FULL:
        return _full(place)
    if code == sqlite3.SQLITE_READONLY:
        return _read_only(place)
    if code == sqlite3.SQLITE_CANTOPEN:
        return MissingError(f"{place} cannot be opened; choose a labels folder that is writable")
    if code == sqlite3.SQLITE_NOTADB:
        return ForeignError(f"{place} {NOT_A_DATABASE}; choose another labels folder")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR):
        return DamagedError(
            f"{place} cannot be read or written ({error}); check the disk, run `labels verify`, "
            "and restore a backup if it finds damage"
        )
    text = str(error)
    if code == sqlite3.SQLITE_CONSTRAINT and text.startswith("erased:"):
        return ErasedError("this photo was erased on request and cannot be added again")
    return None


def _of_system(error: OSError, place: Path) -> LabelsError:
    if error.errno in _FULL:
        return _full(place)
    if error.errno in _DENIED:
        return _read_only(place)
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST):
        return MissingError(f"{error.filename or place} does not exist or is not a folder")
    return DamagedError(
        f"{error.filename or place} cannot be read or written ({error.strerror or error}); check "
        "the disk"
    )


def _full(place: Path) -> FullError:
    return FullError(f"the disk of {place} is full, {_NOTHING}; free some space and save again")


def _read_only(place: Path) -> ReadOnlyError:
    return ReadOnlyError(
        f"{place} is read-only, {_NOTHING}; change its permissions or choose another labels folder"
    )
