"""What was measured of some weights, kept in one JSON file beside them: numbers, no pictures.

A file belongs to one set of weights, by the SHA-256 of their file, and holds one run for each
data folder and half of it. A run of the same folder and half takes the place of the one
before; a run of other weights begins the file afresh, so that numbers of different weights
never stand beside each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rustseg_jax.errors import DataError
from rustseg_jax.runtime import write_whole

__all__ = ["FORMAT", "NAME", "VERSION", "Measurements", "Run", "check_place", "keep", "read"]

FORMAT = "rustseg-measurements"
VERSION = 1
NAME = "metrics.json"
"""Of the file that lies beside the weights."""


@dataclass(frozen=True)
class Run:
    """One evaluation.

    Attributes
    ----------
    data : name of the data folder, without its place
    half : "A" or "B" of the splits that are halved, or None for both
    limit : pictures of each split at most, or None for all
    made : day, as 2026-11-24 (UTC)
    command : what was typed, the data folder's place aside
    versions : of this library and of those it computed with, by name
    config : of the method, as plain values
    report : what `evaluate` returned, with the number of `failed` instead of their names, and
        without `curves`
    curves : its ``curves``
    """

    data: str
    half: str | None
    limit: int | None
    made: str
    command: str
    versions: dict[str, str]
    config: dict[str, Any]
    report: dict[str, Any]
    curves: dict[str, Any]

    @property
    def splits(self) -> list[str]:
        """Names of the splits that were scored, in order."""
        return list(self.report["classification"])


@dataclass(frozen=True)
class Measurements:
    """All runs of one set of weights; `weights` is the SHA-256 of their file."""

    weights: str
    runs: tuple[Run, ...]

    def find(self, split: str, half: str | None) -> Run | None:
        """The run that scored this split in this half (None: both); None when there is none."""
        return next((r for r in self.runs if r.half == half and split in r.splits), None)

    def with_run(self, run: Run) -> Measurements:
        """These with one more, in the place of the one of the same folder and half."""
        place = (run.data, run.half)
        others = tuple(r for r in self.runs if (r.data, r.half) != place)
        return Measurements(self.weights, (*others, run))


def read(path: Path | str) -> Measurements:
    """Read a file that `keep` wrote.

    Raises
    ------
    DataError
        It is absent, of another format or version, or damaged; the message says which.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DataError(f"{path} holds no measurements of this program")
        if content["version"] != VERSION:
            raise DataError(
                f"{path} has measurements of version {content['version']}; this program reads "
                f"version {VERSION}"
            )
        return Measurements(str(content["weights"]), tuple(Run(**run) for run in content["runs"]))
    except FileNotFoundError as error:
        raise DataError(f"there are no measurements at {path}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as measurements: {error}") from error


def check_place(path: Path | str) -> None:
    """Refuse a place where `keep` could not write, before anything is measured.

    Raises
    ------
    DataError
        Its folder is missing, or something else than measurements lies there.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise DataError(f"the folder {path.parent} of the file {path.name} does not exist")
    if path.exists():
        read(path)


def keep(path: Path | str, weights: str, run: Run) -> Measurements:
    """Add a run to a file, written whole or not at all.

    Parameters
    ----------
    path : file; made when absent
    weights : SHA-256 of the weights that were measured; runs of others are dropped
    run : to add

    Raises
    ------
    DataError
        As `check_place`.
    ConfigError
        The file cannot be written.
    """
    path = Path(path)
    check_place(path)
    before = read(path) if path.exists() else Measurements(weights, ())
    if before.weights != weights:
        before = Measurements(weights, ())
    after = before.with_run(run)
    write_whole(path, _text(after).encode())
    return after


def _text(measured: Measurements) -> str:
    """JSON, lists of plain values on one line each: such files are read and compared by eye."""
    body = {"format": FORMAT, "version": VERSION, **asdict(measured)}
    text = json.dumps(body, indent=1, allow_nan=False, ensure_ascii=False)
    return re.sub(r"\[\s+([^][{}]*?)\s+\]", _one_line, text) + "\n"


def _one_line(match: re.Match[str]) -> str:
    parts: Sequence[str] = match[1].split("\n")
    return "[" + " ".join(part.strip() for part in parts) + "]"
