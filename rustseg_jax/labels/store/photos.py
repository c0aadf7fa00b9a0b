"""The photos of a labels folder: add, find, erase.

Photos are addressed by the SHA-256 of their bytes and stored beside the database; a photo's file is
on disk before its row is.
"""

from __future__ import annotations

import uuid
from pathlib import Path

from rustseg_jax import images
from rustseg_jax.labels.errors import ErasedError, explained
from rustseg_jax.labels.records import Erasure, Photo
from rustseg_jax.labels.store import files
from rustseg_jax.labels.store.checks import author, words
from rustseg_jax.labels.store.database import BUSY_SECONDS, Database
from rustseg_jax.labels.store.intake import check_choices, new_photo, read_bytes
from rustseg_jax.labels.store.lookups import (
    erase_rows,
    erasure_row,
    get_photo,
    photo_row,
    refuse_erased,
)
from rustseg_jax.labels.store.rows import Row, erasure_of, insert, photo_of

__all__ = ["DATABASE", "PhotoStore"]

DATABASE = "labels.sqlite"


class PhotoStore:
    """The photo part of a labels folder; see `Store` for parameters and errors."""

    def __init__(
        self, folder: Path | str, *, create: bool = True, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        self.folder = Path(folder)
        path = self.folder / DATABASE
        self.database = Database(path, create=create, busy_seconds=busy_seconds)

    def add_photo(
        self,
        photo: bytes | Path | str,
        *,
        origin: str = "",
        consent: str = "unknown",
        licence: str = "",
        exif: str = "kept",
        source: str = "",
        scene: str = "",
        split: str = "",
    ) -> Photo:
        """Add a photo.

        Parameters
        ----------
        photo : the bytes of a file, or its path
        origin : name of the file; defaults to the path's own
        consent : one of `CONSENT`
        licence : licence of the photo
        exif : "kept", or "stripped" to remove metadata such as place, time and owner
        source, scene, split : as in a data folder's manifest

        Returns
        -------
        `Photo`; for a photo that is already here, the existing record

        Raises
        ------
        ImageError
            The file cannot be read as a photo.
        ErasedError
            It was erased on request.
        """
        check_choices(consent=consent, exif=exif)
        if not isinstance(photo, bytes):
            origin = origin or Path(photo).name
        given = read_bytes(photo)
        original = images.sha256(given)
        if (known := self._known(original)) is not None:
            with explained(self.folder):  # repairs a file that was lost or damaged
                if known.sha256 == original:
                    files.put(self.folder, original, given)
            return known
        return self._take_in(
            *new_photo(
                given, origin=origin, consent=consent, licence=licence, exif=exif, source=source,
                scene=scene, split=split,
            )
        )  # fmt: skip

    def _take_in(self, row: Row, data: bytes) -> Photo:
        """File first, then the row; a photo that is erased in between leaves no file."""
        with explained(self.folder):
            files.put(self.folder, row["sha256"], data)
        try:
            with self.database.writing() as conn:
                known = photo_row(conn, row["sha256"]) or photo_row(conn, row["original"])
                if known is None:
                    insert(conn, "photos", row)
                return photo_of(known or row)
        except ErasedError:
            files.remove(self.folder, row["sha256"])
            raise

    def _known(self, digest: str) -> Photo | None:
        with self.database.reading() as conn:
            refuse_erased(conn, digest)
            row = photo_row(conn, digest)
            return None if row is None else photo_of(row)

    def find_photo(self, digest: str) -> Photo | None:
        """Return the photo with these bytes, as stored or as submitted; None if it is not here.

        Parameters
        ----------
        digest : SHA-256 of the bytes
        """
        with self.database.reading() as conn:
            row = photo_row(conn, digest)
            return None if row is None else photo_of(row)

    def photo(self, digest: str) -> Photo:
        """Like `find_photo`; raises MissingError if it is not here."""
        with self.database.reading() as conn:
            return get_photo(conn, digest)

    def photo_path(self, photo: Photo | str) -> Path:
        """Path of a photo's file; read it, but never change it."""
        return files.place_of(self.folder, photo if isinstance(photo, str) else photo.sha256)

    # Erasure

    def erase(
        self, photo: Photo | str, *, who: str, reason: str, verified: bool = False
    ) -> Erasure:
        """Delete a photo and all its records; only a tombstone is left.

        This implements a person's right to erasure and is the only way in which anything is
        deleted. The photo cannot be added again. Earlier backups and exports still contain it.

        Parameters
        ----------
        photo : the photo, or the SHA-256 of its bytes
        who, verified : who erases
        reason : why, as text; it is kept

        Returns
        -------
        `Erasure`; for a photo that was erased before, the existing one
        """
        reason = words("reason", reason, least=1)
        by = author(who, verified)
        digest = photo if isinstance(photo, str) else photo.sha256
        with self.database.writing(forget=True) as conn:
            row = erasure_row(conn, digest)
            if row is None:
                found = get_photo(conn, digest)
                row = {
                    "id": str(uuid.uuid4()),
                    "photo": found.sha256,
                    "original": found.original,
                    "reason": reason,
                    **by,
                }
                erase_rows(conn, row)
        with explained(self.folder):
            files.remove(self.folder, row["photo"])
        return erasure_of(row)
