"""COCO: one `annotations.json`, masks as run-length encoding. Lossless.

One annotation for each layer of a photo ("corrosion", "ignore"), `iscrowd` 0. The entry of a photo
also has the verdict, and whether there is a mask at all; other programs ignore both. Compressed and
uncompressed run lengths and polygons (see `raster`) can be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.config import CONSENT
from rustseg_jax.correct.polygon import fill
from rustseg_jax.errors import DataError
from rustseg_jax.labels.errors import DamagedError
from rustseg_jax.labels.exchange.formats.item import (
    CORROSION,
    IGNORE,
    Found,
    Item,
    Said,
    chosen_layers,
    inside,
    load_json,
    write_json_list,
)
from rustseg_jax.labels.records import VERDICTS, Correction
from rustseg_jax.labels.rle import Rle, check_lengths, from_runs

__all__ = ["FILE", "read", "write"]

FILE = "annotations.json"

Mask = NDArray[np.bool_]

_CATEGORIES = {CORROSION: 1, IGNORE: 2}


def write(items: Iterable[Item], folder: Path) -> None:
    """Write a COCO data set; annotations are collected in a temporary second file."""
    partial_file = folder / f"{FILE}.tmp"
    licences: dict[str, int] = {}
    counter = 0

    def images(later: IO[str]) -> Iterator[dict[str, Any]]:
        nonlocal counter
        for number, item in enumerate(items, 1):
            item.copy_photo(folder)
            for layer, mask, area in _marked(item.correction):
                counter += 1
                note = _annotation(counter, number, layer, mask, area)
                later.write(json.dumps(note) + "\n")
            licence = licences.setdefault(item.photo.licence, len(licences) + 1)
            yield {
                "id": number,
                "file_name": item.file_name,
                "width": item.photo.width,
                "height": item.photo.height,
                "license": licence,
                "date_captured": "",
                **{n: getattr(item.photo, n) for n in ("source", "scene", "split")},
                **item.facts(),
                "has_mask": item.correction.mask is not None,
            }

    with (folder / FILE).open("w", encoding="utf-8") as file:
        with partial_file.open("w+", encoding="utf-8") as later:
            file.write('{"info": {"description": "corrosion, corrected by experts"},\n"images": ')
            write_json_list(file, images(later))
            later.seek(0)
            file.write(',\n"annotations": ')
            write_json_list(file, (json.loads(line) for line in later))
        partial_file.unlink()
        names = [{"id": i, "name": n, "url": ""} for n, i in licences.items()]
        categories = [
            {"id": i, "name": n, "supercategory": "surface"} for n, i in _CATEGORIES.items()
        ]
        file.write(
            f',\n"licenses": {json.dumps(names)},\n"categories": {json.dumps(categories)}}}\n'
        )


def _marked(correction: Correction) -> Iterator[tuple[str, Rle, int]]:
    """The layers that are not empty, with their areas, as stored: in COCO's own run lengths.

    Raises
    ------
    DamagedError
        The run lengths do not match the size of the photo.
    """
    layers = (
        (CORROSION, correction.mask, correction.area),
        (IGNORE, correction.ignore, correction.ignored),
    )
    for name, mask, area in layers:
        if mask is not None and area:
            check_lengths(mask)
            yield name, mask, area


def _annotation(number: int, image: int, layer: str, mask: Rle, area: int) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": _CATEGORIES[layer],
        "iscrowd": 0,
        "area": area,
        "bbox": list(mask.box),
        "segmentation": mask.to_coco(),
    }


def read(path: Path, categories: Sequence[str] = ()) -> Iterator[Found]:
    """Read a COCO file; its photos are in the same folder or in `images` below it.

    Parameters
    ----------
    path : the JSON file
    categories : names of the corrosion categories; required if there are several. "ignore" always
        marks uncertain pixels.

    Raises
    ------
    DataError
        The file is not a COCO file, or a requested category is missing.
    """
    data = load_json(path)
    try:
        names = {c["id"]: c["name"] for c in data["categories"]}
        wanted = chosen_layers(names.values(), categories, path)
        notes = sorted(data["annotations"], key=lambda a: str(a["image_id"]))
        by_photo = {k: list(g) for k, g in groupby(notes, key=lambda a: str(a["image_id"]))}
        licences = {x.get("id"): x.get("name", "") for x in data.get("licenses") or ()}
        for image in data["images"]:
            found = [
                (names[a["category_id"]], a["segmentation"])
                for a in by_photo.get(str(image["id"]), [])
            ]
            yield _found(path, image, found, wanted, licences)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a COCO file ({error!r})") from error


def _found(
    path: Path,
    image: dict[str, Any],
    notes: list[tuple[str, Any]],
    wanted: frozenset[str],
    licences: dict[Any, str],
) -> Found:
    name = str(image["file_name"])
    for folder in (path.parent, path.parent / "images"):
        if (folder / name).is_file():
            break
    about = {n: str(image.get(n) or "") for n in ("source", "scene", "split")}
    about["origin"] = str(image.get("origin") or name)
    about["licence"] = str(image.get("licence") or licences.get(image.get("license")) or "")
    if image.get("consent") in CONSENT:
        about["consent"] = image["consent"]
    said = partial(_said, path, image, notes, wanted)
    return Found(name, inside(folder, name, path), said, about)


def _said(
    path: Path,
    image: dict[str, Any],
    notes: list[tuple[str, Any]],
    wanted: frozenset[str],
    shape: tuple[int, int],
) -> Said:
    place = f"{path}: {image['file_name']}"
    layers = {name: np.zeros(shape, np.bool_) for name in (CORROSION, IGNORE)}
    for name, segmentation in notes:
        layer = CORROSION if name in wanted else IGNORE if name == IGNORE else ""
        if layer:
            layers[layer] |= _decode(segmentation, shape, place)
    mask, ignore = layers[CORROSION], layers[IGNORE]
    verdict = image.get("verdict")
    if verdict not in VERDICTS:
        verdict = "corrosion" if mask.any() else "none"
    if image.get("has_mask", True) is False:
        return Said(verdict, None, ignore)
    return Said(verdict, mask, ignore & ~mask)


def _decode(segmentation: Any, shape: tuple[int, int], place: str) -> Mask:
    try:
        if isinstance(segmentation, list):
            return fill([np.reshape(p, (-1, 2)).tolist() for p in segmentation], shape)
        size, counts = segmentation["size"], segmentation["counts"]
        if tuple(size) != shape:
            raise DataError(
                f"{place}: a mask has {size[1]} x {size[0]} pixels, the photo has {shape[1]} x "
                f"{shape[0]}"
            )
        if isinstance(counts, str):
            return Rle(counts, *shape).decode()
        return from_runs(np.asarray(counts, np.int64), shape)
    except (DamagedError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{place}: a mask cannot be read ({error})") from error
