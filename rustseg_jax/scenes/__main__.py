"""Write the sample pictures of the project: a data folder with masks."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from . import render

__all__ = ["COLUMNS", "SAMPLES", "SIZE", "write_samples"]

SIZE = (480, 640)
"""Height and width of the shipped samples."""

SAMPLES = (
    ("painted_steel", 12),
    ("plate", 13),
    ("pipe", 14),
    ("corrugated", 13),
    ("railing", 13),
    ("brick", 10),
    ("leaves", 12),
    ("red_paint", 13),
    ("graffiti", 15),
    ("clean_pipe", 14),
)
"""Kind and seed of every shipped sample; seeds were chosen by eye."""

COLUMNS = ("image", "label", "source", "scene", "split", "mask", "kind", "seed")
"""Columns of manifest.csv: those of any data folder, and the scene's kind and seed."""


def write_samples(folder: Path) -> list[Path]:
    """Render the samples into a data folder.

    Parameters
    ----------
    folder : Path
        Created if missing. Files of the same names are overwritten, others are kept.

    Returns
    -------
    list of Path
        The pictures. Corroded ones have a mask (PNG, 0 or 255) beside them; clean ones have none,
        as in every data folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths, rows = [], []
    for kind, seed in SAMPLES:
        scene = render(kind, seed, size=SIZE)
        image, mask = f"{kind}.jpg", f"{kind}.mask.png" if scene.corroded else ""
        Image.fromarray(scene.image).save(folder / image, quality=90, optimize=True)
        if mask:
            pixels = scene.mask.astype(np.uint8) * 255
            Image.fromarray(pixels).save(folder / mask, optimize=True)
        place = f"{kind}-{seed}"
        rows.append((image, int(scene.corroded), "rendered", place, "sample", mask, kind, seed))
        paths.append(folder / image)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return paths


def main(arguments: list[str] | None = None) -> int:
    """Command line: write the samples, print their names, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m rustseg_jax.scenes", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="data folder")
    for path in write_samples(parser.parse_args(arguments).out):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
