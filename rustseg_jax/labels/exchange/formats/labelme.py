"""labelme: a JSON file beside each photo, masks as shapes of the type "mask". Lossless.

labelme 5.2 and newer store such a shape as a PNG of its bounding box, so nothing is traced and
nothing is lost; its polygons cannot have holes, and filling them includes the outline. The verdict
is stored as a flag. Masks, polygons, rectangles and circles can be read and are filled as labelme
fills them.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from rustseg_jax.config import CONSENT
from rustseg_jax.errors import DataError
from rustseg_jax.labels.exchange.formats.item import (
    CORROSION,
    IGNORE,
    Found,
    Item,
    Said,
    chosen_layers,
    inside,
    load_json,
    relative,
)
from rustseg_jax.labels.records import VERDICTS

__all__ = ["is_labelme", "read", "write"]

Mask = NDArray[np.bool_]

_VERSION = "5.5.0"  # of the format, as labelme itself writes it
_NO_MASK = "no mask"


def write(items: Iterable[Item], folder: Path) -> None:
    """Write photos, each with a JSON file beside it."""
    for item in items:
        item.copy_photo(folder)
        photo = (folder / item.file_name).with_suffix(".json")
        layers = zip((CORROSION, IGNORE), item.layers(), strict=True)
        shapes = [_shape(name, mask) for name, mask in layers if mask is not None and mask.any()]
        flags = {verdict: verdict == item.correction.verdict for verdict in VERDICTS}
        value = {
            "version": _VERSION,
            "flags": {**flags, _NO_MASK: item.correction.mask is None},
            "shapes": shapes,
            "imagePath": Path(item.file_name).name,
            "imageData": None,
            "imageHeight": item.photo.height,
            "imageWidth": item.photo.width,
            **{n: getattr(item.photo, n) for n in ("source", "scene", "split")},
            **item.facts(),
        }
        photo.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _shape(name: str, mask: Mask) -> dict[str, Any]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = (int(v) for v in (rows[0], rows[-1], columns[0], columns[-1]))
    file = io.BytesIO()
    cut = np.ascontiguousarray(mask[top : bottom + 1, left : right + 1])
    Image.fromarray(cut.astype(np.uint8) * np.uint8(255)).save(file, "PNG")
    return {
        "label": name,
        "points": [[float(left), float(top)], [float(right), float(bottom)]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(file.getvalue()).decode("ascii"),
    }


def is_labelme(value: Any) -> bool:
    """Whether a JSON value is the content of a labelme file."""
    return isinstance(value, dict) and {"shapes", "imagePath"} <= value.keys()


def read(folder: Path, categories: Sequence[str] = ()) -> Iterator[Found]:
    """Read the labelme JSON files in a folder and its subfolders.

    Parameters
    ----------
    folder : a folder, or one JSON file
    categories : labels of corrosion; required if a file has several. "ignore" always marks
        uncertain pixels.

    Raises
    ------
    DataError
        There is no labelme file, or one is malformed.
    """
    paths = [folder] if folder.is_file() else sorted(folder.rglob("*.json"))
    values = [(path, value) for path in paths if is_labelme(value := load_json(path))]
    if not values:
        raise DataError(f"{folder} has no labelme JSON files")
    names = {str(s.get("label")) for _, value in values for s in value["shapes"]}
    wanted = chosen_layers(names, categories, folder)
    root = folder.parent if folder.is_file() else folder
    for path, value in values:
        name = str(value["imagePath"]).replace("\\", "/")
        photo = inside(root, relative(path.parent / name, root), path)
        about = {n: str(value.get(n) or "") for n in ("source", "scene", "split", "licence")}
        about["origin"] = str(value.get("origin") or photo.name)
        if value.get("consent") in CONSENT:
            about["consent"] = value["consent"]
        yield Found(relative(path, root), photo, partial(_said, path, value, wanted), about)


def _said(
    path: Path, value: dict[str, Any], wanted: frozenset[str], shape: tuple[int, int]
) -> Said:
    layers = {name: np.zeros(shape, np.bool_) for name in (CORROSION, IGNORE)}
    for part in value["shapes"]:
        label = str(part.get("label"))
        layer = CORROSION if label in wanted else IGNORE if label == IGNORE else ""
        if layer:
            layers[layer] |= _fill(part, shape, path)
    mask, ignore = layers[CORROSION], layers[IGNORE]
    flags = value.get("flags") or {}
    verdict = next((v for v in VERDICTS if flags.get(v)), "corrosion" if mask.any() else "none")
    if flags.get(_NO_MASK):
        return Said(verdict, None, ignore)
    return Said(verdict, mask, ignore & ~mask)


def _fill(part: dict[str, Any], shape: tuple[int, int], path: Path) -> Mask:
    kind = part.get("shape_type") or "polygon"
    try:
        points = [(float(x), float(y)) for x, y in part["points"]]
        if kind == "mask":
            return _paste(part["mask"], points, shape)
        picture = Image.new("L", (shape[1], shape[0]))
        draw = ImageDraw.Draw(picture)
        if kind == "polygon":
            draw.polygon(points, fill=1, outline=1)
        elif kind == "rectangle":
            (x0, y0), (x1, y1) = points
            box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            draw.rectangle(box, fill=1, outline=1)
        elif kind == "circle":
            (x, y), edge = points
            radius = math.dist((x, y), edge)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1, outline=1)
        else:
            raise DataError(
                f"{path}: shape type {kind} is not supported; use mask, polygon, rectangle, circle"
            )
        return np.asarray(picture) > 0
    except DataError:
        raise
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DataError(f"{path}: a shape of type {kind} cannot be read ({error})") from error


def _paste(packed: str, points: list[tuple[float, float]], shape: tuple[int, int]) -> Mask:
    (left, top), (right, bottom) = ((int(x), int(y)) for x, y in points)
    with Image.open(io.BytesIO(base64.b64decode(packed)), formats=("PNG",)) as picture:
        part = np.asarray(picture.convert("L")) > 0
    if part.shape != (bottom + 1 - top, right + 1 - left) or min(left, top) < 0:
        raise ValueError(f"its image has the shape {part.shape}, which does not match its corners")
    mask = np.zeros(shape, np.bool_)
    mask[top : bottom + 1, left : right + 1] = part  # ValueError if it does not fit
    return mask
