"""The photos beside the database: addressed by their bytes, written whole or not at all.

`photos/ab/abcdef...` holds the photo whose SHA-256 is abcdef... A photo is written to a
file beside its place, synced, renamed, and the folder synced, all before its row is
written: a row never points to a photo that is not there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rustseg_jax.images import sha256
from rustseg_jax.runtime import make_durable_folder, replacing, sync_folder

__all__ = ["place_of", "put", "put_file", "read_checked", "remove", "stored"]

FOLDER = "photos"


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
    with replacing(place, durable=True) as partial:
        partial.write_bytes(data)


def put_file(root: Path, digest: str, source: Path, *, link: bool) -> bool:
    """Copy a photo, or link it where asked and possible; returns whether it is a link.

    What is copied is checked, see `read_checked`.
    """
    place = place_of(root, digest)
    if link:
        make_durable_folder(place.parent)
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
