"""Hugging Face `datasets`: an image folder with `metadata.jsonl`. Lossless.

    datasets.load_dataset("imagefolder", data_dir="FOLDER")

has the columns `image` and `mask` (1 corrosion, 0 clean, 255 uncertain; None if there is only a
verdict), and the verdict, split, licence and so on. All photos are in the split `train`, and files
are named by their SHA-256 alone: the library derives splits from words such as "test" in the names
of files and folders, and skips files without such a word.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from rustseg_jax.labels.exchange.formats.item import PHOTOS, Item, layer_levels, write_png

__all__ = ["write"]

_METADATA, _SPLIT, _MASKS = "metadata.jsonl", "train", "masks"


def write(items: Iterable[Item], folder: Path) -> None:
    """Write an image folder."""
    root = folder / _SPLIT
    (root / PHOTOS).mkdir(parents=True)
    with (root / _METADATA).open("w", encoding="utf-8") as file:
        for item in items:
            file.write(json.dumps(_write_item(item, root), allow_nan=False) + "\n")


def _write_item(item: Item, root: Path) -> dict[str, object]:
    photo, mask_name = item.photo, None
    name = f"{PHOTOS}/{photo.sha256}{Path(item.file_name).suffix}"
    shutil.copyfile(item.file, root / name)
    mask, ignore = item.layers()
    if mask is not None:
        mask_name = f"{_MASKS}/{photo.sha256}.png"
        write_png(root / mask_name, layer_levels(mask, ignore))
    return {
        "file_name": name,
        "mask_file_name": mask_name,
        **{n: getattr(photo, n) for n in ("width", "height", "source", "scene", "split")},
        **item.facts(),
    }
