"""Sample images: photos of rust, rendered scenes, and clean photos from scikit-image.

The photos of rust are listed in `attribution.csv` and have no masks. The rendered scenes are
listed in `manifest.csv`, which is all that `evaluate` reads: the photos affect no measured number.
"""

from __future__ import annotations

import csv
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rustseg_jax.errors import DataError
from rustseg_jax.resources import data_path

__all__ = ["SAMPLES_DIR", "Kind", "Sample", "list_samples"]

SAMPLES_DIR = data_path("samples")
"""The shipped data folder: the output of `python -m rustseg_jax.scenes`, and photos of rust."""

Kind = Literal["photo", "rendered", "look-alike"]

_TITLES = {
    "steel_beam": "Steel beam, rusting",
    "post_base": "Post base, rusting",
    "pipe_clamp": "Pipe clamp, rusting",
    "tank_manhole": "Ship tank manhole, rusting",
    "tank_bulkhead": "Ship tank bulkhead, rusting",
    "painted_steel": "Painted steel wall, rusting",
    "plate": "Riveted plate, rusting",
    "pipe": "Flanged pipe, rusting",
    "corrugated": "Corrugated sheet, rusting",
    "railing": "Railing, rusting",
    "brick": "Brick wall, no rust",
    "leaves": "Autumn leaves, no rust",
    "red_paint": "Red door, no rust",
    "graffiti": "Graffiti, no rust",
    "clean_pipe": "Flanged pipe, no rust",
}

# Photos of rust that the shipped weights get wrong; a test checks this.
_REMARKS = {"tank_bulkhead": "The shipped model misses this one."}

# Photos in the wheel of scikit-image (skimage/data, no download), with the licence
# that skimage.data states for each. None shows rust.
_CLEAN = (
    ("coffee.png", "Cup of coffee on timber (photo)", "Rachel Michetti, CC0"),
    ("brick.png", "Brick wall (grey photo)", "CC0Textures Bricks25, CC0"),
    ("gravel.png", "Gravel (grey photo)", "CC0Textures Gravel04, CC0"),
    ("grass.png", "Grass (grey photo)", "CC0 by the photographer"),
    ("rocket.jpg", "Rocket launch (photo)", "SpaceX, public domain"),
    ("chelsea.png", "Ginger cat (photo)", "Stefan van der Walt, CC0"),
)


_TRUTHS = {"0": False, "1": True}


@dataclass(frozen=True)
class Sample:
    """One sample image.

    Attributes
    ----------
    name : str
        Short, unique and stable, for use in links.
    kind : "photo", "rendered" or "look-alike"
        A real photo of rust; a scene rendered with its mask; an image without rust,
        rendered or real.
    title : str
        Title shown in the picker.
    path : Path
        The image.
    mask : Path or None
        Its exact mask (PNG, 0 or 255), if it shows rust and the mask is known.
    corroded : bool or None
        Whether it shows rust; None if unknown.
    source : str
        Origin, licence and changes.
    remark : str
        Note shown beside the image if the shipped model gets it wrong, else "".
    """

    name: str
    kind: Kind
    title: str
    path: Path
    mask: Path | None
    corroded: bool | None
    source: str
    remark: str = ""


def _photos(folder: Path) -> list[Sample]:
    """Return the photos of rust listed in the attribution.csv of a folder."""
    samples = []
    for row in _rows(folder / "attribution.csv", ("image", "label", "source", "licence", "note")):
        name = Path(row["image"]).stem
        samples.append(
            Sample(
                name=name,
                kind="photo",
                title=_title(name),
                path=folder / row["image"],
                mask=None,
                corroded=_TRUTHS.get(row["label"]),
                source=f"{row['source']}, {row['licence']} ({row['note']})",
                remark=_REMARKS.get(name, ""),
            )
        )
    return samples


def _rendered(folder: Path) -> list[Sample]:
    """Return the samples of a data folder in the order of its manifest."""
    samples = []
    for row in _rows(folder / "manifest.csv", ("image", "label", "mask")):
        name = Path(row["image"]).stem
        samples.append(
            Sample(
                name=name,
                kind="look-alike" if row["label"] == "0" else "rendered",
                title=_title(name),
                path=folder / row["image"],
                mask=folder / row["mask"] if row["mask"] else None,
                corroded=_TRUTHS.get(row["label"]),
                source="Rendered by rustseg_jax.scenes",
            )
        )
    return samples


def _title(name: str) -> str:
    return _TITLES.get(name, name.replace("_", " ").capitalize())


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a CSV file that must have these columns; none if the file is missing."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    for column in columns:
        if column not in (reader.fieldnames or ()):
            raise DataError(
                f"{path} has no column {column!r}; required columns are {', '.join(columns)}"
            )
    return rows


def _clean() -> list[Sample]:
    """Return the clean photos in the installed scikit-image, except those that are missing."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "data"
    return [
        Sample(
            name=f"skimage-{Path(file).stem}",
            kind="look-alike",
            title=title,
            path=folder / file,
            mask=None,
            corroded=False,
            source=f"scikit-image, skimage.data: {licence}",
        )
        for file, title, licence in _CLEAN
        if (folder / file).is_file()
    ]


def list_samples(*, folder: Path = SAMPLES_DIR) -> tuple[Sample, ...]:
    """Return all sample images.

    Parameters
    ----------
    folder : Path
        Folder of the photos and the rendered samples. If it has neither attribution.csv
        nor manifest.csv, only the photos of scikit-image are listed.

    Returns
    -------
    tuple of Sample
        Photos of rust first, then rendered scenes, then the clean photos of scikit-image.

    Raises
    ------
    DataError
        A column is missing in one of the CSV files.
    """
    return (*_photos(folder), *_rendered(folder), *_clean())
