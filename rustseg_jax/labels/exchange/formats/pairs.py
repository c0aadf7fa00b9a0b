"""Photos with PNG masks beside them: `images/a.jpg` and `masks/a.png`, or `a.jpg` and `a.mask.png`.

Masks are read as in data folders: 0/255 images, or index masks with 0, 1 and 255 (ignored). Photos
without a mask are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rustseg_jax.errors import DataError
from rustseg_jax.images import PHOTO_SUFFIXES
from rustseg_jax.labels.exchange.formats.item import Found, Said
from rustseg_jax.manifest import Record, read_mask

__all__ = ["read"]

_PHOTOS, _MASKS = ("images", "photos"), ("masks", "labels")
_ENDINGS = (".mask.png", "_mask.png")


def read(folder: Path) -> Iterator[Found]:
    """Read the pairs of photos and masks in a folder and its subfolders.

    Raises
    ------
    DataError
        No pair was found.
    """
    pairs = list(_pairs(folder))
    if not pairs:
        raise DataError(
            f"{folder} has no photos with masks; expected masks/NAME.png for images/NAME.*, "
            f"or NAME.mask.png or NAME_mask.png beside NAME.*"
        )
    for photo, mask in pairs:
        name = photo.relative_to(folder).as_posix()
        yield Found(name, photo, partial(_said, photo, mask), {"origin": name})


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    for photo in sorted(p for p in folder.rglob("*") if p.suffix.lower() in PHOTO_SUFFIXES):
        if photo.is_file() and not photo.name.endswith(_ENDINGS):
            mask = next((m for m in _places(photo, folder) if m.is_file() and m != photo), None)
            if mask is not None:
                yield photo, mask


def _places(photo: Path, folder: Path) -> Iterator[Path]:
    yield from (photo.with_name(photo.stem + ending) for ending in _ENDINGS)
    parts = photo.relative_to(folder).parent.parts
    for k, part in enumerate(parts):
        if part in _PHOTOS:
            for name in _MASKS:
                yield folder.joinpath(*parts[:k], name, *parts[k + 1 :], f"{photo.stem}.png")


def _said(photo: Path, path: Path, shape: tuple[int, int]) -> Said:
    mask, ignore = read_mask(Record(photo, 1, "", "", "", path), shape)
    return Said("corrosion" if mask.any() else "none", mask, ignore)
