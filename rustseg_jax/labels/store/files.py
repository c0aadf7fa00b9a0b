"""The photos beside the database: addressed by their bytes, written whole or not at all.

`photos/ab/abcdef...` holds the photo whose SHA-256 is abcdef... A photo is written to a
file beside its place, synced, renamed, and the folder synced, all before its row is
written: a row never points to a photo that is not there.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rustseg_jax.images import sha256

__all__ = ["place_of", "put", "put_file", "read_checked", "remove", "stored", "sync_folder"]

FOLDER = "photos"
_TMP = ".tmp"


def place_of(root: Path, digest: str) -> Path:
    """Where a photo lies in a labels folder."""
    return root / FOLDER / digest[:2] / digest


def put(root: Path, digest: str, data: bytes) -> None:
    """Write a photo, unless its very bytes are there already; durable on return."""
    place = place_of(root, digest)
    if (
        place.is_file()
        and place.stat().st_size == len(data)
        and sha256(place.read_bytes()) == digest
    ):
        return
    _make_folder(place.parent)
    partial = place.with_name(f"{digest}.{uuid.uuid4().hex}{_TMP}")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(place)
    finally:
        with suppress(OSError):  # gone after `replace`
            partial.unlink()
    sync_folder(place.parent)


def put_file(root: Path, digest: str, source: Path, *, link: bool) -> bool:
    """Copy a photo, or link it where asked and possible; returns whether it is a link.

    What is copied is checked, see `read_checked`.
    """
    place = place_of(root, digest)
    if link:
        _make_folder(place.parent)
        with suppress(OSError):  # another disk, or a file system without links
            os.link(source, place)
            sync_folder(place.parent)
            return True
    put(root, digest, read_checked(source, digest))
    return False


def read_checked(source: Path, digest: str) -> bytes:
    """A photo's bytes; OSError (EIO) where they are not those of its digest."""
    data = source.read_bytes()
    if sha256(data) != digest:
        raise OSError(errno.EIO, "its bytes are not those it was stored with", str(source))
    return data


def remove(root: Path, digest: str) -> bool:
    """Delete a photo's file; returns whether there was one."""
    place = place_of(root, digest)
    try:
        place.unlink()
    except FileNotFoundError:
        return False
    sync_folder(place.parent)
    return True


def stored(root: Path) -> Iterator[Path]:
    """Every file below `photos/`, finished or not."""
    folder = root / FOLDER
    if folder.is_dir():
        yield from (path for path in sorted(folder.rglob("*")) if not path.is_dir())


def sync_folder(folder: Path) -> None:
    """Make new and renamed names in a folder durable; where folders cannot be synced, nothing."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each durable."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)
