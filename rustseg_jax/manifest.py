"""Data folders: their manifest, images and masks, and the two halves of their scenes.

A data folder contains `manifest.csv` with the columns image, label, source, scene,
split, mask (more are allowed) and the files it lists, relative to the folder.
`mask` may be empty. Labels are 1 for corrosion and 0 for clean. The value "index" in a column
`mask_values` declares the mask to be an index mask (see `read_mask`).
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
"""Value of the column `mask_values` for masks with the values 0, 1 and 255 ("ignore")."""


@dataclass(frozen=True)
class Record:
    """One row of a manifest, with resolved paths.

    Attributes
    ----------
    image : path of the image
    label : 1 corrosion, 0 clean
    source, scene, split : origin of the image; near-duplicates share a scene
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
    """Return the half of the images with masks to which a scene belongs.

    Half A is for model selection and calibration, half B for reporting only. The half
    depends on the scene's name alone, so near-duplicates stay together and the split cannot be
    tuned.

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
    splits : return only these splits; empty returns all

    Raises
    ------
    DataError
        There is no manifest, a column is missing, a label is not 0 or 1, a file is
        missing or outside the folder, or a split is unknown; the message names it.
    """
    folder = Path(folder)
    path = folder / "manifest.csv"
    if not path.is_file():
        raise DataError(
            f"{folder} is not a data folder (manifest.csv not found). Use a folder whose "
            f"manifest.csv has the columns {', '.join(COLUMNS)}"
        )
    try:
        records = _records(folder, path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8 ({error})") from error
    known = {r.split for r in records}
    for split in splits:
        if split not in known:
            raise DataError(
                f"{path} has no split {split!r}; its splits are "
                f"{', '.join(sorted(known)) or 'none, because it has no rows'}"
            )
    return tuple(r for r in records if not splits or r.split in splits)


def _records(folder: Path, path: Path) -> tuple[Record, ...]:
    with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a BOM
        reader = csv.DictReader(file, restval="")
        missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
        if missing:
            raise DataError(
                f"{path} has no column {missing[0]!r}; required columns are {', '.join(COLUMNS)}"
            )
        return tuple(_record(folder, path, reader.line_num, row) for row in reader)


def _record(folder: Path, path: Path, number: int, row: dict[str, str]) -> Record:
    if row["label"] not in ("0", "1"):
        raise DataError(
            f"{path} line {number}: label is {row['label']!r}; must be 0 (clean) or 1 (corrosion)"
        )
    image = _inside(folder, path, number, row["image"])
    mask = _inside(folder, path, number, row["mask"]) if row["mask"] else None
    index = row.get("mask_values") == INDEX
    return Record(image, int(row["label"]), row["source"], row["scene"], row["split"], mask, index)


def _inside(folder: Path, path: Path, number: int, name: str) -> Path:
    if not name or "\0" in name:
        raise DataError(f"{path} line {number}: {name!r} is not a file name")
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{path} line {number}: {name!r} is outside the data folder")
    if not place.is_file():
        raise DataError(f"{path} line {number}: file {name!r} not found in the data folder")
    return place


def read_mask(record: Record, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Read a record's mask.

    Returns
    -------
    (mask, ignore), both (H, W) bool: corrosion, and pixels to ignore; see Notes.

    Notes
    -----
    Two encodings are in use and both are supported: 0/255 masks, which are corrosion above 127,
    and index masks, which are 0 or 1 with 255 for "ignore". A mask that contains a 1 and only
    the values 0, 1 and 255 is an index mask; so is one declared as such in the manifest.

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
            f"{record.mask} is {values.shape[1]} x {values.shape[0]} pixels, but its image is "
            f"{shape[1]} x {shape[0]}; the sizes must be equal"
        )
    if (record.index or (values == 1).any()) and np.isin(values, (0, 1, 255)).all():
        return values == 1, values == 255
    return values > 127, np.zeros(shape, bool)
