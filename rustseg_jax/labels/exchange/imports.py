"""Masks that exist already become corrections of a named expert.

Taken are data folders, COCO and labelme files and pairs of photos and PNG masks. Importing
the same again changes nothing: what an expert said of a photo is saved under a nonce made of
exactly that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rustseg_jax.config import IMPORT_FORMATS
from rustseg_jax.errors import ConfigError, DataError, ImageError
from rustseg_jax.images import sha256
from rustseg_jax.labels.errors import ErasedError
from rustseg_jax.labels.exchange.formats import coco, folder, labelme, pairs
from rustseg_jax.labels.exchange.formats.item import Found, Said, load_json
from rustseg_jax.labels.records import Photo, canonical
from rustseg_jax.labels.rle import encode
from rustseg_jax.labels.store import Store
from rustseg_jax.labels.store.drafts import CorrectionDraft
from rustseg_jax.labels.store.rows import fetch

if TYPE_CHECKING:
    from rustseg_jax.classify import Classifier
    from rustseg_jax.config import Config

__all__ = ["Import", "import_labels"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Import:
    """What became of it.

    Attributes
    ----------
    format : that was read
    added : corrections that are new
    known : that were here already
    predicted : predictions that were made
    failed : by name, why a photo or its mask could not be used
    """

    format: str
    added: int
    known: int
    predicted: int
    failed: dict[str, str] = field(default_factory=dict)


def import_labels(
    store: Store,
    data: Path | str,
    expert: str,
    *,
    format: str = "",
    categories: Sequence[str] = (),
    consent: str = "",
    licence: str = "",
    exif: str = "kept",
    model: Classifier | None = None,
    config: Config | None = None,
    progress: Progress | None = None,
) -> Import:
    """Import masks as those of an expert.

    Parameters
    ----------
    store : gets photos and corrections
    data : a folder or a JSON file
    expert : whose masks they are
    format : one of `IMPORT_FORMATS`; "" finds out
    categories : of COCO and labelme files, those that are corrosion
    consent, licence : of all photos; "" takes what the data say
    exif : "kept" or "stripped", see `Store.add_photo`
    model, config : where given, each photo is looked at by the model first, so that the correction
        has a prediction that it corrects
    progress : called with (photos done, photos in all)

    Returns
    -------
    `Import`

    Raises
    ------
    DataError
        The data cannot be read at all; nothing was imported.
    """
    data = Path(data)
    format = format or find_format(data)
    found = list(_read(data, format, categories))
    added = known = predicted = 0
    failed: dict[str, str] = {}
    for done, one in enumerate(found, 1):
        try:
            about = _about(one, consent, licence)
            photo = store.add_photo(one.photo, exif=exif, **about)
            said = one.said(photo.shape)
            shown = None if model is None else _predict(store, photo, model, config)
            predicted += int(shown is not None and shown[1])
            if _save(store, photo, expert, said, None if shown is None else shown[0]):
                added += 1
            else:
                known += 1
        except (ImageError, DataError, ConfigError, ErasedError) as error:
            failed[one.name] = str(error)
        if progress:
            progress(done, len(found))
    return Import(format, added, known, predicted, failed)


def find_format(data: Path) -> str:
    """Say which of `IMPORT_FORMATS` a folder or file is; DataError where it is none."""
    if data.is_file():
        value = load_json(data)
        if labelme.is_labelme(value):
            return "labelme"
        if isinstance(value, dict) and {"images", "annotations"} <= value.keys():
            return "coco"
        raise DataError(f"{data} is neither a COCO nor a labelme file")
    if not data.is_dir():
        raise DataError(f"{data} is neither a file nor a folder")
    if (data / "manifest.csv").is_file():
        return "folder"
    if (data / coco.FILE).is_file():
        return "coco"
    paths = sorted(data.rglob("*.json"))
    return "labelme" if any(labelme.is_labelme(load_json(p)) for p in paths) else "pairs"


def _read(data: Path, format: str, categories: Sequence[str]) -> Iterator[Found]:
    if format not in IMPORT_FORMATS:
        raise ConfigError(f"format is {format!r}; allowed are {', '.join(IMPORT_FORMATS)}")
    if format == "coco":
        return coco.read(data / coco.FILE if data.is_dir() else data, categories)
    if format == "labelme":
        return labelme.read(data, categories)
    if not data.is_dir():
        raise DataError(f"{data} is no folder")
    return folder.read(data) if format == "folder" else pairs.read(data)


def _about(found: Found, consent: str, licence: str) -> dict[str, str]:
    given = {"consent": consent, "licence": licence}
    return {**found.about, **{name: value for name, value in given.items() if value}}


def _predict(
    store: Store, photo: Photo, model: Classifier, config: Config | None
) -> tuple[str, bool]:
    """Id of the model's prediction, and whether it is new."""
    from dataclasses import asdict

    from rustseg_jax.config import Config as Default
    from rustseg_jax.pipeline import segment

    config = config or Default()
    key = (photo.sha256, model.digest, canonical(asdict(config)))
    sql = "SELECT id FROM predictions WHERE photo = ? AND model = ? AND config = ?"
    with store.database.reading() as conn:
        row = fetch(conn, sql, key) if model.digest else None
    if row is not None:
        return row["id"], False
    seg = segment(store.photo_path(photo), model, config)
    return store.add_prediction(photo, seg).id, True


def _save(store: Store, photo: Photo, expert: str, said: Said, prediction: str | None) -> bool:
    """Save what was said; returns whether it is new."""
    layers = [None if m is None else encode(m) for m in (said.mask, said.ignore)]
    what = canonical([expert.strip(), photo.sha256, said.verdict, *layers])
    nonce = f"import-{sha256(what.encode())[:40]}"
    with store.database.reading() as conn:
        if fetch(conn, "SELECT id FROM corrections WHERE nonce = ?", (nonce,)):
            return False
    draft = CorrectionDraft(
        nonce=nonce, who=expert, verdict=said.verdict, mask=said.mask, ignore=said.ignore,
        prediction=prediction, kind="import",
    )  # fmt: skip
    store.save_draft(photo, draft)
    return True
