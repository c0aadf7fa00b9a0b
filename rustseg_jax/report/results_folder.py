"""Compact storage of the results of many photos, and a ZIP archive of them.

For each photo the folder holds the mask at full resolution, the overlay at screen size, its
thumbnail, and the facts. The facts are written last, so that an interrupted photo does not count as
done. Photos are stored elsewhere and read again when needed. Only one photo is in memory at a time.
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
"""Up to this many pixels in all photos together (the largest single photo, `images.Limits`), a ZIP
has PNG overlays at full resolution, about 100 MB; above, it has overlays at screen size."""

SCREEN_OVERLAY, THUMBNAIL, FOUND = ".overlay.jpg", ".thumbnail.webp", ".found.json"
THUMBNAIL_SIDE = 480  # pixels: twice the width of a gallery card, sharp on high-density screens
_QUALITY = {"JPEG": 88, "WEBP": 75}  # a screen-size overlay is about 0.3 MB, a thumbnail 20 KB

_log = logging.getLogger("rustseg.results_folder")

Turn = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class PhotoFile:
    """One of many photos.

    Attributes
    ----------
    name : name to show
    files : name of its files in the ZIP, see `outcomes.result_names`
    digest : SHA-256 of its bytes
    path : path of the file
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
            The file was deleted, or cannot be read.
        """
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            raise ImageError(f"{self.name} is no longer on the server; upload it again") from None
        except OSError as error:
            raise ImageError(f"{self.name} cannot be opened: {error.strerror or error}") from error


@dataclass(frozen=True)
class ResultsFolder:
    """A folder of results, named by the SHA-256 of the photos.

    Attributes
    ----------
    folder : path; created when the first result is stored
    model : `Classifier.describe()` of the weights; results of others are ignored
    config : configuration; results with another are ignored
    """

    folder: Path
    model: Mapping[str, Any]
    config: Config

    def file(self, photo: PhotoFile, ending: str) -> Path:
        """Return the path of a file of a photo."""
        return self.folder / f"{photo.digest}{ending}"

    def outcome(self, photo: PhotoFile) -> Outcome | None:
        """Return the outcome of a photo; None if it has not been analysed with these weights."""
        stored = read_found(self.file(photo, FOUND))
        if stored is None or not is_finished(stored, self._wanted):
            return None
        if stored["error"]:
            return Outcome.failure(photo.name, stored["error"])
        return Outcome(photo.name, "done", photo.files, stored["facts"])

    def do(self, photo: PhotoFile, model: Classifier) -> Outcome:
        """Analyse a photo, measure the uncertainty, and store the result."""
        outcome = attempt(photo.name, lambda: self._do(photo, model), bug=_number)
        stored = {**self._wanted, "facts": outcome.facts, "error": outcome.error}
        write_whole(self.file(photo, FOUND), json.dumps(stored, allow_nan=False).encode())
        return outcome

    def thumbnail(self, photo: PhotoFile) -> bytes:
        """Return the thumbnail of a photo's overlay, a WebP file.

        Raises
        ------
        ImageError
            The thumbnail was deleted.
        """
        try:
            return self.file(photo, THUMBNAIL).read_bytes()
        except OSError:
            raise ImageError(f"the thumbnail of {photo.name} is no longer on the server") from None

    def forget(self, photo: PhotoFile) -> None:
        """Delete the result of a photo, so that it is analysed again."""
        self.file(photo, FOUND).unlink(missing_ok=True)

    @cached_property
    def _wanted(self) -> dict[str, Any]:
        """Model and configuration that a stored result must have."""
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
    """Analyse many photos, one by one; stored results are reused.

    Parameters
    ----------
    photos : to analyse
    model : the weights
    results : where results are stored
    turn : entered for each photo that is analysed, for example to wait in a queue

    Yields
    ------
    Each photo and its outcome, in order, once it is stored on disk: stopping loses nothing
    """
    for photo in photos:
        outcome = results.outcome(photo)
        if outcome is None:
            with turn():  # another visitor may have analysed it while this one waited
                outcome = results.outcome(photo) or results.do(photo, model)
        yield photo, outcome


def write_zip(
    file: IO[bytes],
    photos: Iterable[PhotoFile],
    results: ResultsFolder,
    *,
    turn: Turn = nullcontext,
) -> bool:
    """Write a ZIP with masks, overlays, JSON files and summary.csv of all analysed photos.

    Parameters
    ----------
    file : file to write to, from its beginning
    photos : in the order of the table; photos without a result are left out
    results : their results
    turn : entered for each overlay that is drawn

    Returns
    -------
    Whether the overlays are at full resolution, see `FULL_PIXELS`. If so, the ZIP holds the same
    files as `python -m rustseg_jax segment` writes.
    """
    done = [(photo, outcome) for photo in photos if (outcome := results.outcome(photo))]
    full = in_full(outcome for _, outcome in done)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # already compressed
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
    """Whether a ZIP of these has overlays at full resolution."""
    facts = [outcome.facts for outcome in outcomes if outcome.facts]
    return sum(f["width"] * f["height"] for f in facts) <= FULL_PIXELS


def _number(error: Exception) -> str:
    """Log an error and return its number, to show to the visitor."""
    number = uuid.uuid4().hex[:8]
    _log.error("error %s", number, exc_info=error)
    return f"number {number}"


def _look(photo: PhotoFile, model: Classifier, config: Config) -> Report:
    seg = segment(images.read(photo.read(), name=photo.name), model, config)
    # For a photo in windows this would take five times as long again.
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
