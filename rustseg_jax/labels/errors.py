"""What can go wrong with the labels store, each with its own name and what to do about it.

`explained` turns what SQLite and the system raise into these. Whatever is raised while
something is saved: nothing of it was saved, and what was saved before is untouched.
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
    """There is no such labels folder, photo or record."""


class ForeignError(LabelsError):
    """The database belongs to another program; it is left as it is."""


class NewerError(LabelsError):
    """The database was written by a newer version of this program; it is left as it is."""


class LockedError(LabelsError):
    """Another program held the database for too long."""


class FullError(LabelsError):
    """The disk is full."""


class ReadOnlyError(LabelsError):
    """The labels folder, or a file in it, may not be written."""


class DamagedError(LabelsError):
    """What is stored cannot be read back."""


class ConflictError(LabelsError):
    """The same save was sent again with something else in it."""


class ErasedError(LabelsError):
    """The photo was erased on request and is not taken in again."""


NOT_A_DATABASE = "is no SQLite database"
_NOTHING = "nothing of it was saved"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise about `place` into the errors of this module."""
    try:
        yield
    except sqlite3.Error as error:
        known = _of_sqlite(error, place)
        if known is None:  # a bug of ours
            raise
        raise known from error
    except OSError as error:
        raise _of_system(error, place) from error


def _of_sqlite(error: sqlite3.Error, place: Path) -> LabelsError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return LockedError(
            f"{place} is held by another program, {_NOTHING}; wait a moment and save again, "
            "or close the program that holds it"
        )
    if code == sqlite3.SQLITE_FULL:
        return _full(place)
    if code == sqlite3.SQLITE_READONLY:
        return _read_only(place)
    if code == sqlite3.SQLITE_CANTOPEN:
        return MissingError(f"{place} cannot be opened; name a labels folder that can be written")
    if code == sqlite3.SQLITE_NOTADB:
        return ForeignError(f"{place} {NOT_A_DATABASE}; name another labels folder")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR):
        return DamagedError(
            f"{place} cannot be read or written ({error}); look at the disk, run `labels verify`, "
            "and go back to a backup if it finds damage"
        )
    text = str(error)
    if code == sqlite3.SQLITE_CONSTRAINT and text.startswith("erased:"):
        return ErasedError("this photo was erased on request; it is not taken in again")
    return None


def _of_system(error: OSError, place: Path) -> LabelsError:
    if error.errno in _FULL:
        return _full(place)
    if error.errno in _DENIED:
        return _read_only(place)
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST):
        return MissingError(f"{error.filename or place} is not there, or is no folder")
    return DamagedError(
        f"{error.filename or place} cannot be read or written ({error.strerror or error}); look at "
        "the disk"
    )


def _full(place: Path) -> FullError:
    return FullError(f"the disk of {place} is full, {_NOTHING}; make room and save again")


def _read_only(place: Path) -> ReadOnlyError:
    return ReadOnlyError(
        f"{place} may not be written, {_NOTHING}; change its permissions or name another labels "
        "folder"
    )
