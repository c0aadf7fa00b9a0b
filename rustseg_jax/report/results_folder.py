"""Results of many photos in a folder, small, and one ZIP of them written piece by piece.

Of each photo a folder keeps the mask at full size, the overlay at the size of a screen, a
thumbnail of it, and last what was found: so what is half done is not taken for done. The
photo itself lies elsewhere and is read again where it is needed. Nothing of more than
one photo is ever in memory.
"""

from __future__ import annotations

import io
import json
import logging
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from rustseg_jax import images
from rustseg_jax.classify import Classifier
from rustseg_jax.config import Config
from rustseg_jax.drawing.overlay import mask_overlay
from rustseg_jax.errors import ImageError
from rustseg_jax.pipeline import segment
from rustseg_jax.report.outcomes import (
    FACTS,
    MASK,
    OVERLAY,
    SUMMARY,
    Outcome,
    attempt,
    facts_file,
    is_finished,
    made_with,
    read_found,
    summary_csv,
)
from rustseg_jax.report.report import Report, full_overlay, make_report
from rustseg_jax.runtime import write_whole
from rustseg_jax.uncertainty.doubt import measure_uncertainty

__all__ = ["FULL_PIXELS", "PhotoFile", "ResultsFolder", "in_full", "segment_photos", "write_zip"]

FULL_PIXELS = 50_000_000
"""So many pixels of all photos together, as of the largest single one (`images.Limits`), are
drawn as overlays at full size, PNG, in a ZIP: about 100 MB. Of more, the screen's size goes in."""

SCREEN_OVERLAY, THUMBNAIL, FOUND = ".overlay.jpg", ".thumbnail.webp", ".found.json"
THUMBNAIL_SIDE = 480  # pixels: a card of the gallery is at most 240 wide, sharp on dense screens
_QUALITY = {"JPEG": 88, "WEBP": 75}  # a screen's overlay is about 0.3 MB, a thumbnail 20 KB

_log = logging.getLogger("rustseg.results_folder")

Turn = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class PhotoFile:
    """One of many photos.

    Attributes
    ----------
    name : what people call it
    files : name of its files in the ZIP, see `outcomes.result_names`
    digest : SHA-256 of its bytes
    path : where it lies
    """

    name: str
    files: str
    digest: str
    path: Path

    def read(self) -> bytes:
        """Return its bytes.

        Raises
        ------
        ImageError
            It is gone, or cannot be read.
        """
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            raise ImageError(f"{self.name} is not here any more; upload it again") from None
        except OSError as error:
            raise ImageError(f"{self.name} cannot be opened: {error.strerror or error}") from error


@dataclass(frozen=True)
class ResultsFolder:
    """A folder of results, by the SHA-256 of the photos.

    Attributes
    ----------
    folder : where; made when something is kept
    model : `Classifier.describe()` of the weights whose results count
    config : that they must have been found with
    """

    folder: Path
    model: Mapping[str, Any]
    config: Config

    def file(self, photo: PhotoFile, ending: str) -> Path:
        """Where a file of a photo lies."""
        return self.folder / f"{photo.digest}{ending}"

    def outcome(self, photo: PhotoFile) -> Outcome | None:
        """What became of a photo; None when it is still to do, with these weights."""
        stored = read_found(self.file(photo, FOUND))
        if stored is None or not is_finished(stored, self._wanted):
            return None
        if stored["error"]:
            return Outcome.failure(photo.name, stored["error"])
        return Outcome(photo.name, "done", photo.files, stored["facts"])

    def do(self, photo: PhotoFile, model: Classifier) -> Outcome:
        """Find the rust in a photo, with its uncertainty, and keep what was found."""
        outcome = attempt(photo.name, lambda: self._do(photo, model), bug=_number)
        stored = {**self._wanted, "facts": outcome.facts, "error": outcome.error}
        write_whole(self.file(photo, FOUND), json.dumps(stored, allow_nan=False).encode())
        return outcome

    def thumbnail(self, photo: PhotoFile) -> bytes:
        """The overlay of a photo that is done, small, as a WebP file.

        Raises
        ------
        ImageError
            It is gone.
        """
        try:
            return self.file(photo, THUMBNAIL).read_bytes()
        except OSError:
            raise ImageError(f"the picture of {photo.name} is not here any more") from None

    def forget(self, photo: PhotoFile) -> None:
        """Let a photo be done again."""
        self.file(photo, FOUND).unlink(missing_ok=True)

    @cached_property
    def _wanted(self) -> dict[str, Any]:
        """What a result must have been found with."""
        return made_with(self.model, asdict(self.config))

    def _do(self, photo: PhotoFile, model: Classifier) -> Outcome:
        report = _look(photo, model, self.config)
        overlay = mask_overlay(report.image, report.mask)
        write_whole(self.file(photo, MASK), report.mask_png)
        write_whole(self.file(photo, SCREEN_OVERLAY), _pack(overlay, "JPEG"))
        write_whole(self.file(photo, THUMBNAIL), _pack(_small(overlay), "WEBP"))
        return Outcome(photo.name, "done", photo.files, report.facts)


def segment_photos(
    photos: Iterable[PhotoFile],
    model: Classifier,
    results: ResultsFolder,
    *,
    turn: Turn = nullcontext,
) -> Iterator[tuple[PhotoFile, Outcome]]:
    """Find the rust in many photos, one after the other; what is kept is not done again.

    Parameters
    ----------
    photos : to do
    model : the weights
    results : where results are looked for and kept
    turn : entered for each photo that has to be done, for example to wait in line

    Yields
    ------
    Each photo and its outcome, in order, when it is kept on disk: stopping loses nothing
    """
    for photo in photos:
        outcome = results.outcome(photo)
        if outcome is None:
            with turn():  # while waiting somebody else may have done it
                outcome = results.outcome(photo) or results.do(photo, model)
        yield photo, outcome


def write_zip(
    file: IO[bytes],
    photos: Iterable[PhotoFile],
    results: ResultsFolder,
    *,
    turn: Turn = nullcontext,
) -> bool:
    """Write masks, overlays, JSON files and summary.csv of all photos that are done.

    Parameters
    ----------
    file : to write to, from its beginning
    photos : in the order of the table; those still to do are left out
    results : their results
    turn : entered for each overlay that is drawn

    Returns
    -------
    Whether the overlays are at full size, see `FULL_PIXELS`. The ZIP then holds what
    `python -m rustseg_jax segment` writes.
    """
    done = [(photo, outcome) for photo in photos if (outcome := results.outcome(photo))]
    full = in_full(outcome for _, outcome in done)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # pictures are packed already
        for photo, outcome in done:
            if outcome.facts is None:
                continue
            mask = results.file(photo, MASK).read_bytes()
            archive.writestr(photo.files + MASK, mask)
            if full:
                with turn():
                    overlay = full_overlay(photo.read(), mask)
                archive.writestr(photo.files + OVERLAY, overlay)
            else:
                overlay = results.file(photo, SCREEN_OVERLAY).read_bytes()
                archive.writestr(photo.files + SCREEN_OVERLAY, overlay)
            facts = facts_file({"path": photo.name, "sha256": photo.digest}, outcome.facts)
            archive.writestr(photo.files + FACTS, facts, zipfile.ZIP_DEFLATED)
        table = summary_csv(outcome for _, outcome in done)
        archive.writestr(SUMMARY, table, zipfile.ZIP_DEFLATED)
    return full


def in_full(outcomes: Iterable[Outcome]) -> bool:
    """Whether the overlays of these go into a ZIP at full size."""
    facts = [outcome.facts for outcome in outcomes if outcome.facts]
    return sum(f["width"] * f["height"] for f in facts) <= FULL_PIXELS


def _number(error: Exception) -> str:
    """A number for the visitor; the log gets the rest."""
    number = uuid.uuid4().hex[:8]
    _log.error("error %s", number, exc_info=error)
    return f"number {number}"


def _look(photo: PhotoFile, model: Classifier, config: Config) -> Report:
    seg = segment(images.read(photo.read(), name=photo.name), model, config)
    # In windows it would cost five times as much again.
    sure = None if seg.tiling else measure_uncertainty(seg, model)
    return make_report(seg, sure)


def _small(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = min(1.0, THUMBNAIL_SIDE / max(height, width))
    return images.resize(picture, (max(1, round(height * scale)), max(1, round(width * scale))))


def _pack(picture: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, quality=_QUALITY[kind])
    return file.getvalue()
