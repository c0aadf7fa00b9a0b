"""Batch processing of photos: the outcome of each, and a summary table.

A photo that cannot be used becomes a failed outcome with the reason, and the rest continue. The
command line and the app share this module; the app stores its results with `results_folder`.

Imports nothing slow, because the command line loads this module before it parses its arguments.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from rustseg_jax.errors import ConfigError, ImageError

__all__ = [
    "COLUMNS",
    "FACTS",
    "MASK",
    "ORDERS",
    "OVERLAY",
    "SUMMARY",
    "Outcome",
    "attempt",
    "facts_file",
    "is_finished",
    "made_with",
    "natural",
    "read_found",
    "result_names",
    "sort_outcomes",
    "summary_csv",
    "within",
]

COLUMNS = (
    "photo", "status", "corroded", "probability", "area", "reason", "width", "height", "windows",
    "files", "error",
)  # fmt: skip
"""Columns of summary.csv, and keys of `Outcome.row`."""

SUMMARY = "summary.csv"
MASK, OVERLAY, FACTS = ".mask.png", ".overlay.png", ".json"
"""File name endings of the three files of a photo."""

ORDERS = {
    "area": "Rusted area",
    "doubt": "Uncertainty",
    "probability": "Probability",
    "name": "Name",
}
"""Sort keys of `sort_outcomes`, with their labels."""

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The outcome of one photo.

    Attributes
    ----------
    photo : its path, or the name of the uploaded file
    status : "done", "skipped" (done by an earlier call) or "failed"
    files : relative path of its files without the ending; "" if it failed
    facts : its `report.to_json`; None if it failed
    error : the reason of the failure, in a sentence; "" otherwise
    """

    photo: str
    status: str
    files: str = ""
    facts: Mapping[str, Any] | None = field(default=None, repr=False)
    error: str = ""

    @classmethod
    def failure(cls, photo: str, error: str) -> Outcome:
        """Return the outcome of a photo that failed."""
        return cls(photo, "failed", error=error)

    @property
    def failed(self) -> bool:
        """Whether there is no result."""
        return self.status == "failed"

    @property
    def doubt(self) -> float | None:
        """Share of the photo in which its variants disagree, in [0, 1].

        The mean of `Uncertainty.map`; None if the uncertainty was not measured.
        """
        sure = (self.facts or {}).get("uncertainty")
        return sure["doubt"] if sure else None

    def row(self) -> Row:
        """Return its row of the table: `COLUMNS`, None for empty cells."""
        row = {name: (self.facts or {}).get(name) for name in COLUMNS}
        if self.facts is not None:
            tiling = self.facts.get("tiling") or {"windows": 0}  # 0: analysed as a whole
            row["windows"] = tiling["windows"]
        return {
            **row,
            "photo": self.photo,
            "status": self.status,
            "files": self.files or None,
            "error": self.error or None,
        }


def attempt(
    photo: str, work: Callable[[], Outcome], *, bug: Callable[[Exception], str] = repr
) -> Outcome:
    """Process a photo; an error becomes a failed outcome.

    Parameters
    ----------
    photo : its name
    work : processes it
    bug : describes an unexpected error for the user

    Raises
    ------
    ConfigError
        The results cannot be written, which would affect every other photo, too.
    """
    try:
        return work()
    except ImageError as error:
        return Outcome.failure(photo, str(error))
    except ConfigError:
        raise
    except Exception as error:  # an internal error must not stop an overnight run
        return Outcome.failure(
            photo, f"{photo} failed because of an internal error: {bug(error)}; please report it"
        )


def summary_csv(outcomes: Iterable[Outcome]) -> bytes:
    """Write the table of all photos as CSV: `COLUMNS`, UTF-8, one line per photo."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(outcome.row() for outcome in outcomes)
    return text.getvalue().encode()


def facts_file(photo: Mapping[str, str], facts: Mapping[str, Any]) -> bytes:
    """Write the JSON file of a photo.

    Parameters
    ----------
    photo : its path and sha256
    facts : see `report.to_json`
    """
    return json.dumps({"photo": photo, **facts}, indent=1, allow_nan=False).encode() + b"\n"


def made_with(model: Mapping[str, Any], config: Mapping[str, Any]) -> Row:
    """Return the model and configuration of a result, in the form read back from its JSON file.

    Parameters
    ----------
    model : `Classifier.describe()`
    config : `dataclasses.asdict` of the `Config`

    Returns
    -------
    ``model`` and ``config``
    """
    plain: Row = json.loads(json.dumps({"model": dict(model), "config": dict(config)}))
    return plain


def read_found(path: Path) -> Row | None:
    """Read the stored result of a photo; None if the file holds no JSON object."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def is_finished(found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Whether a photo is finished: its result exists and has these weights and settings.

    Parameters
    ----------
    found : what `read_found` returned
    wanted : what `made_with` returned
    """
    return found is not None and all(found.get(name) == wanted[name] for name in wanted)


def sort_outcomes(outcomes: Iterable[Outcome], order: str) -> list[Outcome]:
    """Sort photos: by name ascending, by everything else descending; failures last, by name.

    Parameters
    ----------
    outcomes : to sort; ties are sorted by name
    order : one of `ORDERS`

    Raises
    ------
    ConfigError
        `order` is not one of `ORDERS`.
    """
    if order not in ORDERS:
        raise ConfigError(f"order is {order!r}; it must be one of {', '.join(ORDERS)}")
    return sorted(outcomes, key=lambda o: (o.failed, -_size(o, order), natural(o.photo)))


def _size(outcome: Outcome, order: str) -> float:
    if outcome.failed or order == "name":
        return 0.0
    if order == "doubt":
        return -1.0 if outcome.doubt is None else outcome.doubt
    return float((outcome.facts or {})[order])


def result_names(photos: Sequence[str]) -> list[str]:
    """Return file names for uploaded photos: relative, unique and safe to unpack anywhere.

    Parameters
    ----------
    photos : names as a browser sends them, with or without folders

    Returns
    -------
    Names without endings. A folder common to all is left out (`within`), as `segment FOLDER` does.
    If NAME is taken, ignoring case, NAME-2, NAME-3, ... are used.
    """
    paths = [PurePosixPath(name) for name in within(str(_harmless(photo)) for photo in photos)]
    names: list[str] = []
    taken: set[str] = set()
    for path in paths:
        name, k = str(path.with_suffix("")), 1
        while name.casefold() in taken:
            k += 1
            name = f"{path.with_suffix('')}-{k}"
        taken.add(name.casefold())
        names.append(name)
    return names


def within(names: Iterable[str]) -> list[str]:
    """Remove the top folder that all names have in common, if any."""
    paths = [name.split("/") for name in names]
    tops = {path[0] if len(path) > 1 else "" for path in paths}
    skip = int(len(tops) == 1 and "" not in tops)
    return ["/".join(path[skip:]) for path in paths]


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key for natural sorting: photo 2 before photo 10, ignoring case."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]


def _harmless(name: str) -> PurePosixPath:
    """Return a path that stays inside the target folder and is valid on every file system."""
    clean = re.sub(r'[\x00-\x1f<>:"|?*]', "_", name.replace("\\", "/"))
    parts = [part for part in clean.split("/") if part.strip(". ")]
    return PurePosixPath(*parts or ["photo"])
