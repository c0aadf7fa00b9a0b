"""The photo files beside the database: addressed by their bytes, written completely or not at all.

`photos/ab/abcdef...` is the photo whose SHA-256 is abcdef... A photo is written to a temporary
file, synced, renamed, and the folder synced, all before its row is written: a row never points to a
missing photo.
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
    """Path of a photo in a labels folder."""
    return root / FOLDER / digest[:2] / digest


def put(root: Path, digest: str, data: bytes) -> None:
    """Write a photo, unless the same bytes are already there; durable on return."""
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
    """Copy a photo, or link it if requested and possible; return whether it is a link.

    Copies are checked, see `read_checked`.
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
    """A photo's bytes; OSError (EIO) if they do not match its digest."""
    data = source.read_bytes()
    if sha256(data) != digest:
        raise OSError(errno.EIO, "the file was changed after it was stored", str(source))
    return data


def remove(root: Path, digest: str) -> bool:
    """Delete a photo's file; return whether it existed."""
    place = place_of(root, digest)
    try:
        place.unlink()
    except FileNotFoundError:
        return False
    sync_folder(place.parent)
    return True


def stored(root: Path) -> Iterator[Path]:
    """Every file below `photos/`, complete or not."""
    folder = root / FOLDER
    if folder.is_dir():
        yield from (path for path in sorted(folder.rglob("*")) if not path.is_dir())
