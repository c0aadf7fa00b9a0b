"""The measured four failures of a set of weights, stored in one JSON file beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rustseg_jax.errors import DataError
from rustseg_jax.runtime import write_whole

__all__ = ["FORMAT", "NAME", "VERSION", "FailureRecord", "keep_failures", "read_failures"]

FORMAT = "rustseg-failures"
VERSION = 1
NAME = "failures.json"
"""Name of the file beside the weights."""


@dataclass(frozen=True)
class FailureRecord:
    """Result of `measure_failures` for a set of weights.

    Attributes
    ----------
    weights : SHA-256 of the weights file
    half : "A" or "B": half of the photos' scenes
    made : date, as 2026-11-28 (UTC)
    command : the command line, without the path of the data folder
    failures : name of the failure -> "scenes" or "photos" -> measure -> number
    """

    weights: str
    half: str
    made: str
    command: str
    failures: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def photos(self, failure: str, measure: str) -> float | None:
        """A measure on real photos; None if not measured."""
        value = self.failures.get(failure, {}).get("photos", {}).get(measure)
        return None if value is None else float(value)


def read_failures(path: Path | str) -> FailureRecord:
    """Read a file written by `keep_failures`.

    Raises
    ------
    DataError
        It is missing, damaged, or of another format or version; the message says which.
    """
    path = Path(path)
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(body, dict) or body.pop("format", None) != FORMAT:
            raise DataError(f"{path} is not a record of failures")
        if (version := body.pop("version")) != VERSION:
            raise DataError(f"{path} has version {version}; this program reads version {VERSION}")
        return FailureRecord(**body)
    except FileNotFoundError as error:
        raise DataError(f"there are no recorded failures at {path}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is not a record of failures ({error})") from error


def keep_failures(path: Path | str, record: FailureRecord) -> None:
    """Write a record, completely or not at all; an earlier one is replaced.

    Raises
    ------
    DataError
        The path holds something other than such a record.
    ConfigError
        The file cannot be written.
    """
    path = Path(path)
    if path.exists():
        read_failures(path)
    body = {"format": FORMAT, "version": VERSION, **asdict(record)}
    text = json.dumps(body, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    write_whole(path, text.encode())
