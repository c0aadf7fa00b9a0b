"""The output folder of `segment`: names of the files, and which photos are finished.

The JSON file of a photo is written last and atomically: it marks the photo as finished
and records which photo the files belong to. An interrupted run can therefore be repeated, and
photos with the same name from several folders never overwrite each other:

- A photo found in a folder or by a glob keeps its path relative to that folder.
- If NAME already belongs to another photo, NAME-2, NAME-3, ... is used. The owner of a name is
  read from its JSON file, so names stay the same in later runs.
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
    """A photo to segment.

    Attributes
    ----------
    photo : its path
    name : preferred name of its files relative to the output folder, without extension
    """

    photo: Path
    name: Path


@dataclass(frozen=True)
class Place:
    """Output path of one photo: `base`, to which the extension of each file is added."""

    base: Path

    @classmethod
    def of(cls, job: Job, out: Path, digest: str) -> Place:
        """Return the place of the photo with this SHA-256: its present one or the first free."""
        for k in count(1):
            name = job.name if k == 1 else job.name.with_name(f"{job.name.name}-{k}")
            place = cls(out / name)
            if not place.file(FACTS).exists() or place._owned_by(job.photo, digest):
                return place
        raise AssertionError("count() does not end")

    def file(self, ending: str) -> Path:
        """Return the path of the file with this extension."""
        return self.base.with_name(self.base.name + ending)

    def photo_facts(self, photo: Path, digest: str) -> dict[str, str]:
        """Return the entry that identifies the photo; its path is relative to the JSON's folder."""
        path = os.path.relpath(photo.resolve(), self.base.parent.resolve())
        return {"path": Path(path).as_posix(), "sha256": digest}

    def _owned_by(self, photo: Path, digest: str) -> bool:
        """Return whether the files here belong to this photo, also after it was moved."""
        about = _photo_of(read_found(self.file(FACTS)))
        owner = (self.base.parent / str(about.get("path"))).resolve()
        moved = about.get("sha256") == digest and not owner.exists()
        return owner == photo.resolve() or moved


def find_jobs(paths: Sequence[str]) -> tuple[list[Job], list[tuple[str, ConfigError]]]:
    """Find the photos given as files, folders and globs.

    Parameters
    ----------
    paths : as for `images.find_photos`. Files written by `segment` (NAME.mask.png,
        NAME.overlay.png) are ignored unless given explicitly.

    Returns
    -------
    (jobs, wrong) : each photo once, in the order of `paths`; and the paths without a photo

    Raises
    ------
    ConfigError
        None of the paths leads to a photo.
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
        raise wrong[0][1] if wrong else ConfigError("no photo given; give at least one")
    return list(jobs.values()), wrong


def _jobs_of(path: Path) -> Iterable[Job]:
    if path.is_file():
        return [Job(path, Path(path.stem))]
    root = path if path.is_dir() else _fixed_part(path)
    photos = [p for p in find_photos(path) if not p.name.endswith((MASK, OVERLAY))]
    if not photos:
        raise ConfigError(
            f"{path} contains only results of this command; give the photos themselves"
        )
    return [Job(photo, photo.relative_to(root).with_suffix("")) for photo in photos]


def _fixed_part(pattern: Path) -> Path:
    """Return the folder before the first wildcard of a glob."""
    parts = pattern.parts
    first = next((k for k, part in enumerate(parts) if WILD & set(part)), len(parts) - 1)
    return Path(*parts[:first])


def read_finished(
    place: Place, digest: str, about: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the stored result of a finished photo, or None if the photo must be segmented.

    Parameters
    ----------
    place : output path of the photo
    digest : SHA-256 of the photo's bytes
    about : `Classifier.describe()` of the model in use
    config : `dataclasses.asdict` of the `Config` in use

    Returns
    -------
    The content of its JSON file, if that was written for this photo, model and configuration,
    and mask and overlay exist.
    """
    facts = read_found(place.file(FACTS))
    if not is_finished(facts, made_with(about, config)):
        return None
    whole = place.file(MASK).is_file() and place.file(OVERLAY).is_file()
    return facts if whole and _photo_of(facts).get("sha256") == digest else None


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically; see `runtime.write_whole`."""
    runtime.write_whole(path, data, hint="check its folder or give another one with --out")


def _photo_of(facts: dict[str, Any] | None) -> dict[str, Any]:
    """Return the photo entry of a result file; empty if the file is not a result."""
    about = (facts or {}).get("photo")
    return about if isinstance(about, dict) else {}
