"""The folder that `segment` writes: which photo owns which files, and what is finished.

A photo's JSON is written last, whole or not at all: it is the sign that the photo is
finished, and it says whose the files are. So an interrupted call can be repeated, and
photos with one name from several folders never overwrite each other:

- A photo found in a folder, or by a glob, keeps its place below that folder.
- Where NAME is another photo's already, NAME-2, NAME-3, ... is taken. Who owns a name is
  read from the JSON there, so the names stay the same in later calls.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from rustseg_jax import runtime
from rustseg_jax.errors import ConfigError
from rustseg_jax.images import find_photos
from rustseg_jax.report.outcomes import (
    FACTS,
    MASK,
    OVERLAY,
    is_finished,
    made_with,
    read_found,
)

__all__ = ["Job", "Place", "find_jobs", "read_finished", "write_whole"]

WILD = frozenset("*?[")


@dataclass(frozen=True)
class Job:
    """A photo to do.

    Attributes
    ----------
    photo : its path
    name : wanted name of its files below the results' folder, without ending
    """

    photo: Path
    name: Path


@dataclass(frozen=True)
class Place:
    """Where the files of one photo go: `base` and an ending."""

    base: Path

    @classmethod
    def of(cls, job: Job, out: Path, digest: str) -> Place:
        """Find the place of a photo with this SHA-256: the one it has, or the first free one."""
        for k in count(1):
            name = job.name if k == 1 else job.name.with_name(f"{job.name.name}-{k}")
            place = cls(out / name)
            if not place.file(FACTS).exists() or place._owned_by(job.photo, digest):
                return place
        raise AssertionError("count() does not end")

    def file(self, ending: str) -> Path:
        """Path of the file with this ending."""
        return self.base.with_name(self.base.name + ending)

    def photo_facts(self, photo: Path, digest: str) -> dict[str, str]:
        """Which photo it is, in its JSON; the path is relative to the JSON's folder."""
        path = os.path.relpath(photo.resolve(), self.base.parent.resolve())
        return {"path": Path(path).as_posix(), "sha256": digest}

    def _owned_by(self, photo: Path, digest: str) -> bool:
        """Whether the files here are of this photo, or of one that was moved to it."""
        about = _photo_of(read_found(self.file(FACTS)))
        owner = (self.base.parent / str(about.get("path"))).resolve()
        moved = about.get("sha256") == digest and not owner.exists()
        return owner == photo.resolve() or moved


def find_jobs(paths: Sequence[str]) -> tuple[list[Job], list[tuple[str, ConfigError]]]:
    """Find the photos that files, folders and globs name.

    Parameters
    ----------
    paths : as `images.find_photos` takes them. Files that `segment` wrote (NAME.mask.png,
        NAME.overlay.png) are passed over, unless they are named themselves.

    Returns
    -------
    (jobs, wrong) : each photo once, in the order of `paths`; and what named nothing

    Raises
    ------
    ConfigError
        No path named a photo.
    """
    jobs: dict[Path, Job] = {}
    wrong: list[tuple[str, ConfigError]] = []
    for path in paths:
        try:
            at_path = list(_jobs_of(Path(path).expanduser()))
        except ConfigError as error:
            wrong.append((path, error))
            continue
        for job in at_path:
            jobs.setdefault(job.photo.resolve(), job)
    if not jobs:
        raise wrong[0][1] if wrong else ConfigError("no photo was named; name at least one")
    return list(jobs.values()), wrong


def _jobs_of(path: Path) -> Iterable[Job]:
    if path.is_file():
        return [Job(path, Path(path.stem))]
    root = path if path.is_dir() else _fixed_part(path)
    photos = [p for p in find_photos(path) if not p.name.endswith((MASK, OVERLAY))]
    if not photos:
        raise ConfigError(f"{path} holds no photo but results of this command; name the photos")
    return [Job(photo, photo.relative_to(root).with_suffix("")) for photo in photos]


def _fixed_part(pattern: Path) -> Path:
    """Return the folder before the first wildcard of a glob."""
    parts = pattern.parts
    first = next((k for k, part in enumerate(parts) if WILD & set(part)), len(parts) - 1)
    return Path(*parts[:first])


def read_finished(
    place: Place, digest: str, about: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the facts of a finished photo, or None when it has to be done.

    Parameters
    ----------
    place : of the photo
    digest : SHA-256 of the photo's bytes
    about : `Classifier.describe()` of the model in use
    config : `dataclasses.asdict` of the `Config` in use

    Returns
    -------
    What its JSON holds, if it was written for this photo, model and configuration, and
    mask and overlay are there.
    """
    facts = read_found(place.file(FACTS))
    if not is_finished(facts, made_with(about, config)):
        return None
    whole = place.file(MASK).is_file() and place.file(OVERLAY).is_file()
    return facts if whole and _photo_of(facts).get("sha256") == digest else None


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; see `runtime.write_whole`."""
    runtime.write_whole(path, data, hint="mend its folder or name another folder with --out")


def _photo_of(facts: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a JSON says of its photo; empty when it is not ours."""
    about = (facts or {}).get("photo")
    return about if isinstance(about, dict) else {}
