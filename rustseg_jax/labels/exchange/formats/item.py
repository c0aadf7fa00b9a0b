"""Data types of the formats, and shared helpers."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rustseg_jax.errors import DataError
from rustseg_jax.labels.records import Correction, Photo

__all__ = [
    "CORROSION",
    "FACTS",
    "IGNORE",
    "PHOTOS",
    "Found",
    "Item",
    "Said",
    "chosen_layers",
    "inside",
    "load_json",
    "write_json_list",
]

Mask = NDArray[np.bool_]

CORROSION, IGNORE = "corrosion", "ignore"
"""Names of the two layers, in formats that name layers."""

PHOTOS = "images"
"""Folder of the photos within an export."""

FACTS = (
    "sha256", "origin", "licence", "consent", "verdict", "who", "verified", "status", "kind",
    "made", "correction", "model", "reasons", "confidence", "seconds",
)  # fmt: skip
"""Facts about each photo that every format with room for them writes, under these names."""

_ENDINGS = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "tiff": ".tif", "bmp": ".bmp",
            "gif": ".gif"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Item:
    """A photo and the correction chosen for export.

    Attributes
    ----------
    photo, correction : records
    status : of the correction
    model : SHA-256 of the weights whose prediction was corrected, or ""
    file : the file of the photo in the store
    """

    photo: Photo
    correction: Correction
    status: str
    model: str
    file: Path

    @property
    def name(self) -> str:
        """Name of the photo in an export, without suffix: readable and unique."""
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", PurePosixPath(self.photo.origin).stem).strip("_-")
        return f"{stem[:60] or 'photo'}-{self.photo.sha256[:12]}"

    @property
    def file_name(self) -> str:
        """Path of the photo in an export, with "/" as separator."""
        return f"{PHOTOS}/{self.name}{_ENDINGS[self.photo.kind]}"

    def layers(self) -> tuple[Mask | None, Mask | None]:
        """Mask and ignore mask, decoded; None if there is none."""
        mask, ignore = self.correction.mask, self.correction.ignore
        return (
            None if mask is None else mask.decode(),
            None if ignore is None else ignore.decode(),
        )

    def facts(self) -> dict[str, Any]:
        """The values of `FACTS`."""
        both = {**vars(self.correction), "sha256": self.photo.sha256, "status": self.status}
        both |= {"correction": self.correction.id, "model": self.model}
        both |= {name: getattr(self.photo, name) for name in ("origin", "licence", "consent")}
        return {**{name: both[name] for name in FACTS}, "reasons": list(self.correction.reasons)}

    def copy_photo(self, folder: Path) -> None:
        """Copy the photo into an export, without the attributes of the store's file."""
        place = folder / self.file_name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.file, place)


@dataclass(frozen=True, eq=False)
class Said:
    """The label of a photo; fields as in `Correction`."""

    verdict: str
    mask: Mask | None
    ignore: Mask | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """A photo listed in an imported file.

    Attributes
    ----------
    name : the photo's name in messages
    photo : its file
    said : function from the photo's (height, width) to its label; raises DataError
    about : arguments of `Store.add_photo`: origin, source, scene, split, licence, consent
    """

    name: str
    photo: Path
    said: Callable[[tuple[int, int]], Said]
    about: dict[str, str] = field(default_factory=dict)


def chosen_layers(names: Iterable[str], categories: Sequence[str], place: Path) -> frozenset[str]:
    """Choose the corrosion layers of a file: those requested, or the only one.

    Raises
    ------
    DataError
        A requested layer is missing, or there are several and none was requested.
    """
    known = sorted(set(names) - {IGNORE})
    if categories:
        for category in categories:
            if category not in known:
                raise DataError(
                    f"{place} has no category {category!r}; it has: {', '.join(known) or 'none'}"
                )
        return frozenset(categories)
    if CORROSION in known or len(known) <= 1:
        return frozenset({CORROSION} if CORROSION in known else known)
    raise DataError(
        f"{place} has several categories ({', '.join(known)}); select the corrosion categories "
        "with --category"
    )


def inside(folder: Path, name: str, place: Path) -> Path:
    """Path of the file with this name; DataError if it is outside the folder."""
    path = folder / name
    if "\0" in name or not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{place}: {name!r} is outside {folder}")
    return path


def load_json(path: Path) -> Any:
    """Read a JSON file; DataError if that fails."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path} cannot be opened: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path} is not a JSON file: {error}") from error


def write_json_list(file: IO[str], values: Iterable[Any]) -> None:
    """Write a JSON list, one element a line, without holding it in memory."""
    file.write("[")
    for k, value in enumerate(values):
        file.write(("," if k else "") + "\n" + json.dumps(value, allow_nan=False))
    file.write("\n]")


def write_png(path: Path, values: NDArray[np.uint8]) -> None:
    """Write an (H, W) uint8 image as a greyscale PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(values)).save(path, "PNG")


def layer_levels(mask: Mask, ignore: Mask | None) -> NDArray[np.uint8]:
    """(H, W) uint8: 1 corrosion, 0 clean, 255 uncertain."""
    levels = mask.astype(np.uint8)
    if ignore is not None:
        levels[ignore] = 255
    return levels


def relative(path: Path, folder: Path) -> str:
    """Path relative to a folder, with "/" as separator."""
    return Path(os.path.relpath(path, folder)).as_posix()
