"""Hugging Face `datasets`: an image folder with `metadata.jsonl`. Exact.

    datasets.load_dataset("imagefolder", data_dir="FOLDER")

gives the columns `image` and `mask` (1 corrosion, 0 clean, 255 cannot be told; None where
only the verdict was given) beside the verdict, licence and the rest. Each split of the photos is a
folder; photos without one are in `train`, as the library calls it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from rustseg_jax.labels.formats.item import PHOTOS, Item, layer_levels, write_png

__all__ = ["write"]

_METADATA = "metadata.jsonl"
_OTHERS = "train"


def write(items: Iterable[Item], folder: Path) -> None:
    """Write an image folder."""
    files: dict[str, IO[str]] = {}
    with ExitStack() as stack:
        for item in items:
            split = re.sub(r"[^A-Za-z0-9]+", "_", item.photo.split).strip("_") or _OTHERS
            root = folder / split
            root.mkdir(parents=True, exist_ok=True)
            if split not in files:
                place = (root / _METADATA).open("w", encoding="utf-8")
                files[split] = stack.enter_context(place)
            row = _write_item(item, root)
            files[split].write(json.dumps(row, allow_nan=False) + "\n")


def _write_item(item: Item, root: Path) -> dict[str, object]:
    name = Path(item.file_name).name
    (root / PHOTOS).mkdir(exist_ok=True)
    shutil.copyfile(item.file, root / PHOTOS / name)
    mask, ignore = item.layers()
    mask_name = None
    if mask is not None:
        mask_name = f"masks/{item.name}.png"
        write_png(root / mask_name, layer_levels(mask, ignore))
    return {
        "file_name": f"{PHOTOS}/{name}",
        "mask_file_name": mask_name,
        "width": item.photo.width,
        "height": item.photo.height,
        "source": item.photo.source,
        "scene": item.photo.scene,
        **item.facts(),
    }
