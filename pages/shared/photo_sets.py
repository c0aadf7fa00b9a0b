"""Sets: many photos under one short address, `?set=<id>`.

A set is a folder beside the photos: set.json lists their digests and names, and the results are
stored next to it. It therefore survives a reload and a server restart, and a link to it works. It
is deleted with its photos, `KEEP_HOURS` after the upload.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

import rustseg_jax as rs
from pages.shared import cases
from rustseg_jax.report.outcomes import natural, result_names, within
from rustseg_jax.report.results_folder import PhotoFile
from rustseg_jax.runtime import write_whole

MAX_PHOTOS = 200  # some minutes on two cores; nobody looks through a larger gallery
MAX_BYTES = 400_000_000  # all photos together pass through the server's memory once

_ID = re.compile(r"[\w-]{12}")
_LIST, _STOPPED = "set.json", "stopped"


class SetError(rs.RustsegError):
    """The photos cannot form a set, or the set in the address does not exist."""


@dataclass(frozen=True)
class File:
    """A photo for a set: its name, its size in bytes and a function that reads it."""

    name: str
    size: int
    read: Callable[[], bytes]


@dataclass(frozen=True)
class PhotoSet:
    """A set of photos.

    Attributes
    ----------
    id : in the address; cannot be guessed
    photos : the photos, without duplicates
    twice : names of the duplicates
    folder : folder of the results
    """

    id: str
    photos: tuple[PhotoFile, ...]
    twice: tuple[str, ...]
    folder: Path

    @property
    def stopped(self) -> bool:
        """Whether the analysis was stopped."""
        return (self.folder / _STOPPED).exists()

    def stop(self) -> None:
        """Stop the analysis, for everybody who has opened this set, until `go_on`."""
        (self.folder / _STOPPED).touch()

    def go_on(self) -> None:
        """Resume the analysis."""
        (self.folder / _STOPPED).unlink(missing_ok=True)


def make_set(files: Sequence[File]) -> PhotoSet:
    """Write photos to disk and make a set of them, sorted by name and without duplicates.

    Raises
    ------
    SetError
        There are no photos, too many, or they are too large together.
    """
    _check(files)
    called = zip(within(file.name for file in files), files, strict=True)
    names: dict[str, str] = {}  # digest -> name
    twice = []
    for name, file in sorted(called, key=lambda pair: natural(pair[0])):
        digest = cases.keep_upload(name, file.read())
        if digest in names:
            twice.append(name)
        else:
            names[digest] = name
    made = secrets.token_urlsafe(9)
    listed = {"photos": [[name, digest] for digest, name in names.items()], "twice": twice}
    write_whole(_folder(made) / _LIST, json.dumps(listed).encode())
    return open_set(made)


def _check(files: Sequence[File]) -> None:
    if not files:
        raise SetError("no photos found; choose at least one")
    if len(files) > MAX_PHOTOS:
        raise SetError(
            f"{len(files)} photos are too many; choose at most {MAX_PHOTOS}, or use the command "
            "line, which has no limit"
        )
    total = sum(file.size for file in files)
    if total > MAX_BYTES:
        raise SetError(
            f"the photos are too large ({total / 1e6:.0f} MB together); choose at most "
            f"{MAX_BYTES / 1e6:.0f} MB, or use the command line, which has no limit"
        )


def current_set() -> PhotoSet | None:
    """Return the set named in the address, or None if it names none.

    Raises
    ------
    SetError
        The set does not exist or has been deleted.
    """
    made = st.query_params.get("set")
    return open_set(made) if made else None


def open_set(made: str) -> PhotoSet:
    """Return a set by its id.

    Raises
    ------
    SetError
        The set does not exist or has been deleted.
    """
    gone = SetError(
        f"the photos of this address are no longer available: they are deleted after "
        f"{cases.KEEP_HOURS} hours; upload them again"
    )
    if not _ID.fullmatch(made) or not cases.fresh(_folder(made) / _LIST):
        raise gone
    try:
        listed = json.loads((_folder(made) / _LIST).read_bytes())
    except OSError:  # deleted in the meantime
        raise gone from None
    names = [name for name, _ in listed["photos"]]
    photos = tuple(
        PhotoFile(name, files, digest, cases.photos_folder() / digest)
        for (name, digest), files in zip(listed["photos"], result_names(names), strict=True)
    )
    return PhotoSet(made, photos, tuple(listed["twice"]), _folder(made))


def _folder(made: str) -> Path:
    return cases.photos_folder() / f"set-{made}"
