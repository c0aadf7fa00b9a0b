"""Import existing masks as corrections of a named expert.

Data folders, COCO and labelme files, and pairs of photos and PNG masks can be imported. Importing
the same data again changes nothing: the nonce of each correction is derived from the expert and the
content.
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
    """Result of an import.

    Attributes
    ----------
    format : the format that was read
    added : number of new corrections
    known : number of corrections that already existed
    predicted : number of new predictions
    failed : why a photo or its mask could not be used, by name
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
    """Import masks as corrections of an expert.

    Parameters
    ----------
    store : receives photos and corrections
    data : a folder or a JSON file
    expert : author of the masks
    format : one of `IMPORT_FORMATS`; "" detects it
    categories : the corrosion categories of COCO and labelme files
    consent, licence : of all photos; "" uses the values in the data
    exif : "kept" or "stripped", see `Store.add_photo`
    model, config : if given, each photo is analysed first, so that the correction refers to the
        prediction that it corrects
    progress : called with (photos done, total)

    Returns
    -------
    `Import`

    Raises
    ------
    DataError
        The data cannot be read; nothing was imported.
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
    """Detect which of `IMPORT_FORMATS` a folder or file has; DataError if none."""
    if data.is_file():
        value = load_json(data)
        if labelme.is_labelme(value):
            return "labelme"
        if isinstance(value, dict) and {"images", "annotations"} <= value.keys():
            return "coco"
        raise DataError(f"{data} is not a COCO or labelme file")
    if not data.is_dir():
        raise DataError(f"{data} is not a file or folder")
    if (data / "manifest.csv").is_file():
        return "folder"
    if (data / coco.FILE).is_file():
        return "coco"
    paths = sorted(data.rglob("*.json"))
    return "labelme" if any(labelme.is_labelme(load_json(p)) for p in paths) else "pairs"


def _read(data: Path, format: str, categories: Sequence[str]) -> Iterator[Found]:
    if format not in IMPORT_FORMATS:
        raise ConfigError(f"format is {format!r}; it must be one of {', '.join(IMPORT_FORMATS)}")
    if format == "coco":
        return coco.read(data / coco.FILE if data.is_dir() else data, categories)
    if format == "labelme":
        return labelme.read(data, categories)
    if not data.is_dir():
        raise DataError(f"{data} is not a folder")
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
    """Save the label of a photo; return whether it is new."""
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
