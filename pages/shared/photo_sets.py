"""Sets: many photos under one short address, `?set=<id>`.

A set is a folder beside the photos: set.json lists their digests and names, the results lie
next to it. So reload, links and a restart of the server find it again. It goes when its
photos go, `KEEP_HOURS` after they came.
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

MAX_PHOTOS = 200  # some minutes on two cores; a gallery beyond is not looked through
MAX_BYTES = 400_000_000  # all photos together pass through the server's memory once

_ID = re.compile(r"[\w-]{12}")
_LIST, _STOPPED = "set.json", "stopped"


class SetError(rs.RustsegError):
    """These photos make no set, or the address names none."""


@dataclass(frozen=True)
class File:
    """A photo to put into a set: its name, its size in bytes, how to get at it."""

    name: str
    size: int
    read: Callable[[], bytes]


@dataclass(frozen=True)
class PhotoSet:
    """Many photos.

    Attributes
    ----------
    id : in the address; nobody can guess it
    photos : each once
    twice : names of those that were there already, under another name or the same
    folder : of the results
    """

    id: str
    photos: tuple[PhotoFile, ...]
    twice: tuple[str, ...]
    folder: Path

    @property
    def stopped(self) -> bool:
        """Whether its work was stopped."""
        return (self.folder / _STOPPED).exists()

    def stop(self) -> None:
        """Stop the work, for everybody who looks at this set, until `go_on`."""
        (self.folder / _STOPPED).touch()

    def go_on(self) -> None:
        """Take the work up again."""
        (self.folder / _STOPPED).unlink(missing_ok=True)


def make_set(files: Sequence[File]) -> PhotoSet:
    """Put photos on disk and make a set of them, by name; one that is there twice is taken once.

    Raises
    ------
    SetError
        There are none, too many, or they are too large together.
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
        raise SetError("there is no photo in it; choose at least one")
    if len(files) > MAX_PHOTOS:
        raise SetError(
            f"{len(files)} photos are more than the {MAX_PHOTOS} that are looked at in one go; "
            "choose fewer, or use the command line, which knows no limit"
        )
    total = sum(file.size for file in files)
    if total > MAX_BYTES:
        raise SetError(
            f"the photos are {total / 1e6:.0f} MB together, more than the {MAX_BYTES / 1e6:.0f} MB "
            "that are taken in one go; choose fewer, or use the command line, which knows no limit"
        )


def current_set() -> PhotoSet | None:
    """The set that the address names, or None when it names none.

    Raises
    ------
    SetError
        There is no such set, or not any more.
    """
    made = st.query_params.get("set")
    return open_set(made) if made else None


def open_set(made: str) -> PhotoSet:
    """Find a set by its id.

    Raises
    ------
    SetError
        There is no such set, or not any more.
    """
    gone = SetError(
        f"the photos of this address are not here any more: they are deleted after "
        f"{cases.KEEP_HOURS} hours; upload them again"
    )
    if not _ID.fullmatch(made) or not cases.fresh(_folder(made) / _LIST):
        raise gone
    try:
        listed = json.loads((_folder(made) / _LIST).read_bytes())
    except OSError:  # deleted at this very moment
        raise gone from None
    names = [name for name, _ in listed["photos"]]
    photos = tuple(
        PhotoFile(name, files, digest, cases.photos_folder() / digest)
        for (name, digest), files in zip(listed["photos"], result_names(names), strict=True)
    )
    return PhotoSet(made, photos, tuple(listed["twice"]), _folder(made))


def _folder(made: str) -> Path:
    return cases.photos_folder() / f"set-{made}"
