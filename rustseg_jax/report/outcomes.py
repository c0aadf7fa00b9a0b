"""Many photos, one after the other: what became of each, and one table of all.

A photo that cannot be used becomes an outcome that says why, and the others go on. The
command line and the app both tell of their photos in these words; `results_folder` is
where the app keeps results.

Imports nothing slow: the command line reads this before it knows what is asked.
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
"""Endings of the three files of a photo."""

ORDERS = {
    "area": "Rusted area",
    "doubt": "Doubt",
    "probability": "Probability",
    "name": "Name",
}
"""What `sort_outcomes` sorts by, and what people call it."""

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one photo.

    Attributes
    ----------
    photo : what it is called: its path, or the name that it was uploaded under
    status : "done", "skipped" (done by an earlier call) or "failed"
    files : where its files are, a relative path without ending; "" when it failed
    facts : what `report.to_json` says of it; None when it failed
    error : why it failed, in a sentence; ""
    """

    photo: str
    status: str
    files: str = ""
    facts: Mapping[str, Any] | None = field(default=None, repr=False)
    error: str = ""

    @classmethod
    def failure(cls, photo: str, error: str) -> Outcome:
        """Say why a photo failed."""
        return cls(photo, "failed", error=error)

    @property
    def failed(self) -> bool:
        """Whether there is no result."""
        return self.status == "failed"

    @property
    def doubt(self) -> float | None:
        """How much of the picture its variants judge otherwise, in [0, 1].

        See `Uncertainty.map`, whose mean it is. None where that was not measured.
        """
        sure = (self.facts or {}).get("uncertainty")
        return sure["doubt"] if sure else None

    def row(self) -> Row:
        """Its row of the table: `COLUMNS`, None where there is nothing to say."""
        row = {name: (self.facts or {}).get(name) for name in COLUMNS}
        if self.facts is not None:
            tiling = self.facts.get("tiling") or {"windows": 0}  # 0: looked at whole
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
    """Do a photo; whatever goes wrong with it becomes its outcome.

    Parameters
    ----------
    photo : what it is called
    work : does it
    bug : says what to report of an error that no user can cause

    Raises
    ------
    ConfigError
        The results cannot be written: no other photo's could be either.
    """
    try:
        return work()
    except ImageError as error:
        return Outcome.failure(photo, str(error))
    except ConfigError:
        raise
    except Exception as error:  # a bug of ours must not cost the other photos of a night
        return Outcome.failure(
            photo, f"{photo} failed by an error in this program: {bug(error)}; please report it"
        )


def summary_csv(outcomes: Iterable[Outcome]) -> bytes:
    """Write the table of all photos: `COLUMNS`, UTF-8, a line each."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(outcome.row() for outcome in outcomes)
    return text.getvalue().encode()


def facts_file(photo: Mapping[str, str], facts: Mapping[str, Any]) -> bytes:
    """Write the JSON file of a photo.

    Parameters
    ----------
    photo : which it is: path and sha256
    facts : see `report.to_json`
    """
    return json.dumps({"photo": photo, **facts}, indent=1, allow_nan=False).encode() + b"\n"


def made_with(model: Mapping[str, Any], config: Mapping[str, Any]) -> Row:
    """Say what a photo's result was made with, as its JSON file gives it back.

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
    """Read what was found of a photo; None where there is no JSON object."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def is_finished(found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Whether a photo is finished: its JSON is there, and made with these weights and settings.

    Parameters
    ----------
    found : of `read_found`
    wanted : of `made_with`
    """
    return found is not None and all(found.get(name) == wanted[name] for name in wanted)


def sort_outcomes(outcomes: Iterable[Outcome], order: str) -> list[Outcome]:
    """Sort photos: by name from A, by all else from the most; failures last, by name.

    Parameters
    ----------
    outcomes : to sort; equals are sorted by name
    order : one of `ORDERS`

    Raises
    ------
    ConfigError
        Another order.
    """
    if order not in ORDERS:
        raise ConfigError(f"order is {order!r}; allowed is {', '.join(ORDERS)}")
    return sorted(outcomes, key=lambda o: (o.failed, -_size(o, order), natural(o.photo)))


def _size(outcome: Outcome, order: str) -> float:
    if outcome.failed or order == "name":
        return 0.0
    if order == "doubt":
        return -1.0 if outcome.doubt is None else outcome.doubt
    return float((outcome.facts or {})[order])


def result_names(photos: Sequence[str]) -> list[str]:
    """Name the files of uploaded photos: relative, safe to unpack anywhere, each another.

    Parameters
    ----------
    photos : names as a browser sends them, with folders or without

    Returns
    -------
    Names without ending. The folder that all are in is left out (`within`), as `segment
    FOLDER` does; where NAME is taken already, also on systems that do not tell A from a,
    NAME-2, NAME-3, ... follow.
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
    """Leave out the folder that all of these are in, if there is one."""
    paths = [name.split("/") for name in names]
    tops = {path[0] if len(path) > 1 else "" for path in paths}
    skip = int(len(tops) == 1 and "" not in tops)
    return ["/".join(path[skip:]) for path in paths]


def natural(name: str) -> list[tuple[int, str]]:
    """A key to sort names by: photo 2 before photo 10, capitals like small letters."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]


def _harmless(name: str) -> PurePosixPath:
    """A path that stays below where it is unpacked, with nothing that a file system refuses."""
    clean = re.sub(r'[\x00-\x1f<>:"|?*]', "_", name.replace("\\", "/"))
    parts = [part for part in clean.split("/") if part.strip(". ")]
    return PurePosixPath(*parts or ["photo"])
