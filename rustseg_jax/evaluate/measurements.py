"""Evaluation results of a set of weights, stored in one JSON file beside them: numbers only.

A file belongs to one set of weights, identified by the SHA-256 of their file, and has one run per
data folder and half. A run of the same folder and half replaces the earlier one; a run of other
weights restarts the file, so that numbers of different weights are never mixed.
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
"""Name of the file beside the weights."""


@dataclass(frozen=True)
class Run:
    """One evaluation.

    Attributes
    ----------
    data : name of the data folder, without its path
    half : "A" or "B" for the halved splits, or None for both
    limit : maximum of pictures per split, or None for all
    made : date, as 2026-11-24 (UTC)
    command : the command line, without the path of the data folder
    versions : of this library and its numerical dependencies, by name
    config : configuration of the method, as plain values
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
        """Names of the scored splits, in order."""
        return list(self.report["classification"])


@dataclass(frozen=True)
class Measurements:
    """All runs of one set of weights; `weights` is the SHA-256 of the weights file."""

    weights: str
    runs: tuple[Run, ...]

    def find(self, split: str, half: str | None) -> Run | None:
        """The run that scored this split in this half (None: both); None if there is none."""
        return next((r for r in self.runs if r.half == half and split in r.splits), None)

    def with_run(self, run: Run) -> Measurements:
        """A copy with this run added; it replaces an earlier one of the same folder and half."""
        place = (run.data, run.half)
        others = tuple(r for r in self.runs if (r.data, r.half) != place)
        return Measurements(self.weights, (*others, run))


def read(path: Path | str) -> Measurements:
    """Read a file written by `keep`.

    Raises
    ------
    DataError
        It is missing, damaged, or of another format or version; the message says which.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DataError(f"{path} is not a file of measurements")
        if content["version"] != VERSION:
            raise DataError(
                f"{path} has version {content['version']}; this program reads version {VERSION}"
            )
        return Measurements(str(content["weights"]), tuple(Run(**run) for run in content["runs"]))
    except FileNotFoundError as error:
        raise DataError(f"there are no measurements at {path}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is not a file of measurements ({error})") from error


def check_place(path: Path | str) -> None:
    """Check, before anything is measured, that `keep` can write to a path.

    Raises
    ------
    DataError
        The folder is missing, or the path holds something other than measurements.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise DataError(f"folder {path.parent} of {path.name} does not exist")
    if path.exists():
        read(path)


def keep(path: Path | str, weights: str, run: Run) -> Measurements:
    """Add a run to a file, written completely or not at all.

    Parameters
    ----------
    path : the file; created if missing
    weights : SHA-256 of the measured weights; runs of other weights are dropped
    run : the run to add

    Raises
    ------
    DataError
        Like `check_place`.
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
    """JSON with lists of plain values on one line each, so that files are easy to read and diff."""
    body = {"format": FORMAT, "version": VERSION, **asdict(measured)}
    text = json.dumps(body, indent=1, allow_nan=False, ensure_ascii=False)
    return re.sub(r"\[\s+([^][{}]*?)\s+\]", _one_line, text) + "\n"


def _one_line(match: re.Match[str]) -> str:
    parts: Sequence[str] = match[1].split("\n")
    return "[" + " ".join(part.strip() for part in parts) + "]"
