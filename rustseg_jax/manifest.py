"""Data folders: a manifest, the pictures and masks it names, and the two halves.

A data folder is `manifest.csv` with the columns image, label, source, scene,
split, mask (more are allowed) and the files it names, relative to the folder.
`mask` may be empty. Labels are 1 for corrosion and 0 for clean. A column `mask_values`
that says "index" declares a mask to be an index mask (see `read_mask`).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rustseg_jax import images
from rustseg_jax.config import HALVES
from rustseg_jax.errors import DataError

__all__ = ["COLUMNS", "HALVES", "INDEX", "Record", "half_of", "load_manifest", "read_mask"]

COLUMNS = ("image", "label", "source", "scene", "split", "mask")
INDEX = "index"
"""In the column `mask_values`: the mask's values are 0, 1 and 255 for "ignore"."""


@dataclass(frozen=True)
class Record:
    """One line of a manifest, with its paths resolved.

    Attributes
    ----------
    image : path of the picture
    label : 1 corrosion, 0 clean
    source, scene, split : where it is from; near-duplicates share a scene
    mask : path of the mask, or None
    index : the manifest declares the mask to be an index mask
    """

    image: Path
    label: int
    source: str
    scene: str
    split: str
    mask: Path | None
    index: bool = False


def half_of(scene: str) -> str:
    """Say in which half of the pictures with masks a scene is.

    Half A may serve for choosing and calibrating, half B is only reported. The halves
    follow from the scene's name alone, so near-duplicates stay together and nobody can
    draw a kinder half.

    Parameters
    ----------
    scene : `Record.scene`

    Returns
    -------
    "A" where the SHA-256 of the name (UTF-8), as a whole number, is even; else "B"
    """
    return HALVES[hashlib.sha256(scene.encode()).digest()[-1] % 2]


def load_manifest(folder: Path | str, *, splits: Sequence[str] = ()) -> tuple[Record, ...]:
    """Read a data folder's manifest.

    Parameters
    ----------
    folder : the data folder
    splits : keep only these splits; empty keeps all

    Raises
    ------
    DataError
        No manifest, a missing column, a label that is not 0 or 1, a file that is
        missing or outside the folder, or an unknown split; the message names it.
    """
    folder = Path(folder)
    path = folder / "manifest.csv"
    if not path.is_file():
        raise DataError(
            f"{folder} is no data folder: it has no manifest.csv, which names the pictures in "
            f"the columns {', '.join(COLUMNS)}"
        )
    try:
        records = _records(folder, path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no CSV file in UTF-8: {error}") from error
    known = {r.split for r in records}
    for split in splits:
        if split not in known:
            raise DataError(
                f"{path} has no split {split!r}; it has {', '.join(sorted(known)) or 'no rows'}"
            )
    return tuple(r for r in records if not splits or r.split in splits)


def _records(folder: Path, path: Path) -> tuple[Record, ...]:
    with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write the mark
        reader = csv.DictReader(file, restval="")
        missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
        if missing:
            raise DataError(
                f"{path} lacks the column {missing[0]!r}; needed are {', '.join(COLUMNS)}"
            )
        return tuple(_record(folder, path, reader.line_num, row) for row in reader)


def _record(folder: Path, path: Path, number: int, row: dict[str, str]) -> Record:
    if row["label"] not in ("0", "1"):
        raise DataError(
            f"{path} line {number}: label is {row['label']!r}; allowed are 0 (clean), 1 (corrosion)"
        )
    image = _inside(folder, path, number, row["image"])
    mask = _inside(folder, path, number, row["mask"]) if row["mask"] else None
    index = row.get("mask_values") == INDEX
    return Record(image, int(row["label"]), row["source"], row["scene"], row["split"], mask, index)


def _inside(folder: Path, path: Path, number: int, name: str) -> Path:
    if not name or "\0" in name:
        raise DataError(f"{path} line {number}: {name!r} is no name of a file")
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{path} line {number}: {name!r} is outside the data folder")
    if not place.is_file():
        raise DataError(f"{path} line {number}: there is no file {name!r} in the data folder")
    return place


def read_mask(record: Record, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Read a record's mask.

    Returns
    -------
    (mask, ignore), both (H, W) bool: corrosion where the file is above 127 and not
    the ignore value 255-of-an-index-mask; see Notes.

    Notes
    -----
    Two ways of writing are in use and both are read: 0/255 pictures, and index
    masks 0/1 with 255 as "ignore". A mask of nothing but 0, 1 and 255, with any 1 in it,
    is an index mask; so is one that the manifest declares to be, with or without a 1.

    Raises
    ------
    DataError
        The mask is missing or its size is not `shape`.
    """
    if record.mask is None:
        raise DataError(f"{record.image} has no mask")
    values = images.read(record.mask)[..., 0]
    if values.shape != shape:
        raise DataError(
            f"{record.mask} is {values.shape[1]} by {values.shape[0]} pixels, its picture "
            f"{shape[1]} by {shape[0]}; they must be the same"
        )
    if (record.index or (values == 1).any()) and np.isin(values, (0, 1, 255)).all():
        return values == 1, values == 255
    return values > 127, np.zeros(shape, bool)
