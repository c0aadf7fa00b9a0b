"""Data folders: `manifest.csv`, photos and PNG masks, as `evaluate` and `train` read them.

Masks are index masks: 1 corrosion, 0 clean, 255 ignored. The column `mask_values` states this,
because an index mask without a 1 could be mistaken for a 0/255 image. A data folder has the labels
1 and 0 only, so photos with the verdict "can't tell" are left out. Lossless.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from rustseg_jax.config import CONSENT
from rustseg_jax.errors import DataError
from rustseg_jax.labels.exchange.formats.item import (
    FACTS,
    Found,
    Item,
    Said,
    layer_levels,
    write_png,
)
from rustseg_jax.manifest import COLUMNS, INDEX, Record, load_manifest, read_mask

__all__ = ["VERDICTS", "read", "write"]

VERDICTS = ("corrosion", "none")
"""Verdicts that this format can express."""

_LABELS = {"corrosion": 1, "none": 0}
_MASKS = "masks"


def write(items: Iterable[Item], folder: Path) -> None:
    """Write a data folder; the verdict of each item must be in `VERDICTS`."""
    columns = (*COLUMNS, "mask_values", *FACTS)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for item in items:
            item.copy_photo(folder)
            mask, ignore = item.layers()
            name = ""
            if mask is not None:
                name = f"{_MASKS}/{item.name}.png"
                write_png(folder / name, layer_levels(mask, ignore))
            facts = item.facts()
            photo = item.photo
            writer.writerow(
                {
                    **facts,
                    "reasons": "; ".join(facts["reasons"]),
                    "verified": int(facts["verified"]),
                    "image": item.file_name,
                    "label": _LABELS[item.correction.verdict],
                    "source": photo.source or "labels",
                    "scene": photo.scene or photo.sha256,
                    "split": photo.split or "labels",
                    "mask": name,
                    "mask_values": INDEX if name else "",
                }
            )


def read(folder: Path) -> Iterator[Found]:
    """Read a data folder, including the columns licence and consent if present."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8-sig") as file:
        more = list(csv.DictReader(file, restval=""))
    for record, row in zip(load_manifest(folder), more, strict=True):
        about = {"source": record.source, "scene": record.scene, "split": record.split}
        about["licence"] = row.get("licence", "")
        if row.get("consent") in CONSENT:
            about["consent"] = row["consent"]
        about["origin"] = row.get("origin", "") or record.image.relative_to(folder).as_posix()
        yield Found(row["image"], record.image, partial(_said, record), about)


def _said(record: Record, shape: tuple[int, int]) -> Said:
    verdict = VERDICTS[0] if record.label else VERDICTS[1]
    if record.mask is None:
        return Said(verdict, None)
    mask, ignore = read_mask(record, shape)
    if mask.any() and not record.label:
        raise DataError(
            f"{record.image}: the label is 0 (clean), but the mask marks {int(mask.sum())} pixels"
        )
    return Said(verdict, mask, ignore)
