"""Pictures to try the tool on: rendered scenes, and clean photos of scikit-image."""

from __future__ import annotations

import csv
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from .errors import DataError

__all__ = ["SAMPLES_DIR", "Sample", "list_samples"]

SAMPLES_DIR = Path(__file__).resolve().parents[1] / "data" / "samples"
"""The shipped data folder, written by `python -m rustseg_jax.scenes`."""

_TITLES = {
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

# Photos inside scikit-image's wheel (skimage/data, no download), with the licence
# that skimage.data states for each. All show no rust.
_PHOTOS = (
    ("coffee.png", "Cup of coffee on timber (photo)", "Rachel Michetti, CC0"),
    ("brick.png", "Brick wall (grey photo)", "CC0Textures Bricks25, CC0"),
    ("gravel.png", "Gravel (grey photo)", "CC0Textures Gravel04, CC0"),
    ("grass.png", "Grass (grey photo)", "CC0 by the photographer"),
    ("rocket.jpg", "Rocket launch (photo)", "SpaceX, public domain"),
    ("chelsea.png", "Ginger cat (photo)", "Stefan van der Walt, CC0"),
)


@dataclass(frozen=True)
class Sample:
    """One picture to try.

    Attributes
    ----------
    name : str
        Short and unique; stable, so that a link can carry it.
    title : str
        What a person sees in the picker.
    path : Path
        The picture.
    mask : Path or None
        Its exact mask (PNG, 0 or 255), where there is rust and it is known.
    corroded : bool or None
        The truth; None where nobody knows.
    source : str
        Where it comes from, and its licence.
    """

    name: str
    title: str
    path: Path
    mask: Path | None
    corroded: bool | None
    source: str


def _rendered(folder: Path) -> list[Sample]:
    """The samples of a data folder, in the order of its manifest."""
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        return []
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    samples = []
    for row in rows:
        try:
            image, label, mask = row["image"], row["label"], row["mask"]
        except KeyError as missing:
            raise DataError(
                f"{manifest} has no column {missing}; write it again with "
                "python -m rustseg_jax.scenes --out DIR"
            ) from None
        name = Path(image).stem
        samples.append(
            Sample(
                name=name,
                title=_TITLES.get(name, name.replace("_", " ").capitalize()),
                path=folder / image,
                mask=folder / mask if mask else None,
                corroded={"0": False, "1": True}.get(label),
                source="Rendered by rustseg_jax.scenes",
            )
        )
    return samples


def _photos() -> list[Sample]:
    """The clean photos of the installed scikit-image; those absent are left out."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "data"
    return [
        Sample(
            name=f"skimage-{Path(file).stem}",
            title=title,
            path=folder / file,
            mask=None,
            corroded=False,
            source=f"scikit-image, skimage.data: {licence}",
        )
        for file, title, licence in _PHOTOS
        if (folder / file).is_file()
    ]


def list_samples(*, folder: Path = SAMPLES_DIR) -> tuple[Sample, ...]:
    """Everything the sample picker offers.

    Parameters
    ----------
    folder : Path
        Data folder of the rendered samples. Where it has no manifest, only the
        photos are listed.

    Returns
    -------
    tuple of Sample
        Rendered scenes first, then the photos that ship inside scikit-image.

    Raises
    ------
    DataError
        If the manifest lacks a column.
    """
    return (*_rendered(folder), *_photos())
