"""The labels store: a folder with a database and the photos it owns.

Append-only: a save adds a row and changes none. Every call opens a short connection, and
when it returns, what it saved is on the disk. A save carries a nonce, so that sending it
again (no answer came) gives the same row and not a second one.
"""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax import images
from rustseg_jax.errors import ConfigError, ImageError
from rustseg_jax.labels import exif as _exif
from rustseg_jax.labels import files
from rustseg_jax.labels.database import BUSY_SECONDS, Database
from rustseg_jax.labels.draft import author, correction_row, record_id, words
from rustseg_jax.labels.faults import ConflictError, ErasedError, MissingError, explained
from rustseg_jax.labels.records import (
    ACTIONS,
    CONSENT,
    Correction,
    Erasure,
    Photo,
    Prediction,
    Review,
    Withdrawal,
    canonical,
    now,
)
from rustseg_jax.labels.rle import encode
from rustseg_jax.labels.rows import (
    Row,
    correction_of,
    erasure_of,
    fetch,
    insert,
    pack_heat,
    photo_of,
    prediction_of,
    review_of,
    withdrawal_of,
)

if TYPE_CHECKING:
    import sqlite3

    from rustseg_jax.result import Segmentation

__all__ = ["DATABASE", "Store", "labels_folder"]

DATABASE = "labels.sqlite"
_DEFAULT = Path(__file__).resolve().parents[2] / "data" / "labels"
_SIGNATURES = {
    b"\xff\xd8": "jpeg", b"\x89PNG": "png", b"RIFF": "webp", b"II*\0": "tiff", b"MM\0*": "tiff",
    b"BM": "bmp", b"GIF8": "gif",
}  # fmt: skip

Mask = NDArray[np.bool_]


def labels_folder() -> Path:
    """Return the labels folder in use: $RUSTSEG_LABELS, else `data/labels`."""
    return Path(os.environ.get("RUSTSEG_LABELS") or _DEFAULT)


class Store:
    """A labels folder.

    Parameters
    ----------
    folder : the folder; made where it is missing
    create : False refuses a folder without a database, and an older one, instead of making it
        or bringing it up to date: for what only reads
    busy_seconds : how long a call waits for another writer

    Raises
    ------
    LabelsError
        The folder cannot be used; one of the errors of `rustseg_jax.labels`, which says
        what to do. Every method raises these, too, and has then done nothing.
    """

    def __init__(
        self, folder: Path | str, *, create: bool = True, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        self.folder = Path(folder)
        path = self.folder / DATABASE
        self.database = Database(path, create=create, busy_seconds=busy_seconds)

    # Photos

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
        """Take a photo in.

        Parameters
        ----------
        photo : the bytes of a file, or its path
        origin : name of the file; the path's own when left out
        consent : one of `CONSENT`
        licence : under which it may be used
        exif : "kept", or "stripped" to keep the picture alone, without place, time and owner
        source, scene, split : as in a data folder's manifest

        Returns
        -------
        `Photo`; of a photo that is here already, as it was first taken in

        Raises
        ------
        ImageError
            It is no photo that can be read.
        ErasedError
            It was erased on request.
        """
        if consent not in CONSENT:
            raise ConfigError(f"consent is {consent!r}; allowed are {', '.join(CONSENT)}")
        if exif not in ("kept", "stripped"):
            raise ConfigError(f"exif is {exif!r}; allowed are 'kept' and 'stripped'")
        if not isinstance(photo, bytes):
            origin = origin or Path(photo).name
        given = _bytes(photo)
        original = images.sha256(given)
        if (known := self._known(original)) is not None:
            with explained(self.folder):  # a file that was lost or damaged is mended
                if known.sha256 == original:
                    files.put(self.folder, original, given)
            return known
        name = origin or "the upload"
        height, width = images.read(given, name=name).shape[:2]
        data = given if exif == "kept" else _exif.strip(given)
        digest = images.sha256(data)
        row = {
            "sha256": digest,
            "original": original,
            "bytes": len(data),
            "width": width,
            "height": height,
            "kind": _kind(data),
            "exif": exif,
            "consent": consent,
            "licence": words("licence", licence, most=500),
            "origin": words("origin", origin, most=1000),
            "source": words("source", source, most=500),
            "scene": words("scene", scene, most=500),
            "split": words("split", split, most=100),
            "added": now(),
        }
        return self._take_in(row, data)

    def _take_in(self, row: Row, data: bytes) -> Photo:
        """File first, then the row; a photo that is erased meanwhile leaves no file."""
        with explained(self.folder):
            files.put(self.folder, row["sha256"], data)
        try:
            with self.database.writing() as conn:
                known = _find(conn, row["sha256"]) or _find(conn, row["original"])
                if known is None:
                    insert(conn, "photos", row)
                return photo_of(known or row)
        except ErasedError:
            files.remove(self.folder, row["sha256"])
            raise

    def _known(self, digest: str) -> Photo | None:
        with self.database.reading() as conn:
            _refuse_erased(conn, digest)
            row = _find(conn, digest)
            return None if row is None else photo_of(row)

    def find_photo(self, digest: str) -> Photo | None:
        """Return the photo with these bytes, stored or as given; None where it is not here.

        Parameters
        ----------
        digest : SHA-256 of the bytes
        """
        with self.database.reading() as conn:
            row = _find(conn, digest)
            return None if row is None else photo_of(row)

    def photo(self, digest: str) -> Photo:
        """As `find_photo`; MissingError where it is not here."""
        with self.database.reading() as conn:
            return _photo(conn, digest)

    def photo_path(self, photo: Photo | str) -> Path:
        """Where a photo's file lies; reading it there is allowed, changing it is not."""
        return files.place_of(self.folder, photo if isinstance(photo, str) else photo.sha256)

    # Predictions

    def add_prediction(
        self, photo: Photo, seg: Segmentation, *, uncertainty: float | None = None
    ) -> Prediction:
        """Keep what a model said of a photo.

        Parameters
        ----------
        photo : of this store
        seg : what `segment` gave for it
        uncertainty : mean doubt of its pixels in [0, 1], where that was measured

        Returns
        -------
        `Prediction`; the one that is here already for this photo, weights and configuration

        Raises
        ------
        ConfigError
            `seg` is of a photo of another size.
        """
        if seg.mask.shape != photo.shape:
            raise ConfigError(
                f"the result is of a photo of {seg.mask.shape[1]} x {seg.mask.shape[0]} pixels; "
                f"{photo.origin or photo.sha256} has {photo.width} x {photo.height}"
            )
        heat = np.asarray(seg.heat, np.float32)
        row = {
            "id": str(uuid.uuid4()),
            "photo": photo.sha256,
            "model": str(seg.model.get("digest", "")),
            "config": canonical(asdict(seg.config)),
            "probability": float(seg.probability),
            "corroded": int(seg.corroded),
            "threshold": float(seg.threshold),
            "reason": seg.reason,
            "uncertainty": None if uncertainty is None else float(uncertainty),
            "heat_rows": heat.shape[0],
            "heat_columns": heat.shape[1],
            "heat": pack_heat(heat),
            "rough": encode(seg.rough),
            "mask": encode(seg.mask),
            "app": _version(),
            "made": now(),
        }
        with self.database.writing() as conn:
            _photo(conn, photo.sha256)
            same = row["model"] and fetch(
                conn,
                "SELECT * FROM predictions WHERE photo = :photo AND model = :model "
                "AND config = :config ORDER BY made LIMIT 1",
                {name: row[name] for name in ("photo", "model", "config")},
            )
            if not same:
                insert(conn, "predictions", row)
            return prediction_of(same or row, photo)

    def prediction(self, id: str) -> Prediction:
        """Return the prediction with this id; MissingError where it is not here."""
        with self.database.reading() as conn:
            row = _row(conn, "predictions", id)
            return prediction_of(row, _photo(conn, row["photo"]))

    # Corrections

    def save_correction(
        self,
        photo: Photo,
        *,
        nonce: str,
        who: str,
        verdict: str,
        mask: Mask | None = None,
        ignore: Mask | None = None,
        prediction: str | None = None,
        parent: str | None = None,
        strokes: Any = (),
        reasons: Sequence[str] = (),
        wrong_reason: bool = False,
        note: str = "",
        confidence: float | None = None,
        seconds: float | None = None,
        verified: bool = False,
        kind: str = "expert",
        method: str = "",
        sources: Sequence[str] = (),
    ) -> Correction:
        """Save what an expert said of a photo; when this returns, it is on the disk.

        Parameters
        ----------
        photo : of this store
        nonce : of this save, 8 to 200 characters, never used for another: a UUID
        the rest : see `Correction`. `prediction` left out is that of the parent. `mask` and
            `ignore` are (H, W) bool at the photo's size and have no pixel in common.

        Returns
        -------
        `Correction`; for a nonce that was saved before, what was saved then

        Raises
        ------
        ConfigError
            A value is not allowed.
        ConflictError
            The nonce was saved before, with something else.
        MissingError
            Photo, prediction, parent or a source is not here, or is of another photo.
        """
        row = correction_row(
            photo, nonce=nonce, verdict=verdict, mask=mask, ignore=ignore, prediction=prediction,
            parent=parent, strokes=strokes, reasons=reasons, wrong_reason=wrong_reason, note=note,
            confidence=confidence, seconds=seconds, kind=kind, method=method, sources=sources,
            by=author(who, verified, _version(), now()),
        )  # fmt: skip
        with self.database.writing() as conn:
            photo = _photo(conn, photo.sha256)
            before = _saved_before(conn, "corrections", row, ("payload",))
            if before is None:
                _check_parents(conn, row, sources)
                insert(conn, "corrections", row)
            return correction_of(before or row, photo)

    def correction(self, id: str) -> Correction:
        """Return the correction with this id; MissingError where it is not here."""
        with self.database.reading() as conn:
            row = _row(conn, "corrections", id)
            return correction_of(row, _photo(conn, row["photo"]))

    def review(
        self,
        correction: str,
        action: str,
        *,
        nonce: str,
        who: str,
        comment: str = "",
        verified: bool = False,
    ) -> Review:
        """Approve, reject or flag a correction, or comment on it.

        Parameters
        ----------
        correction : its id
        action : one of `ACTIONS`; a comment needs words
        nonce, who, verified : as for `save_correction`

        Returns
        -------
        `Review`
        """
        if action not in ACTIONS:
            raise ConfigError(f"action is {action!r}; allowed are {', '.join(ACTIONS)}")
        comment = words("comment", comment, least=int(action == "comment"))
        act = {"action": action, "comment": comment}
        row = self._act("reviews", correction, nonce, who, verified, act)
        return review_of(row)

    def withdraw(
        self, correction: str, *, nonce: str, who: str, reason: str = "", verified: bool = False
    ) -> Withdrawal:
        """Take a correction back: it stays, but counts no longer.

        Parameters
        ----------
        correction : its id
        nonce, who, verified : as for `save_correction`
        reason : in words

        Returns
        -------
        `Withdrawal`
        """
        act = {"reason": words("reason", reason)}
        return withdrawal_of(self._act("withdrawals", correction, nonce, who, verified, act))

    def _act(
        self, table: str, correction: str, nonce: str, who: str, verified: bool, act: Row
    ) -> Row:
        by = author(who, verified, _version(), now())
        nonce = words("nonce", nonce, least=8, most=200)
        row = {"id": record_id(nonce), "correction": correction, "nonce": nonce, **act, **by}
        with self.database.writing() as conn:
            row["photo"] = _row(conn, "corrections", correction)["photo"]
            before = _saved_before(conn, table, row, ("correction", "who", *act))
            if before is None:
                insert(conn, table, row)
            return before or row

    # Erasure

    def erase(
        self, photo: Photo | str, *, who: str, reason: str, verified: bool = False
    ) -> Erasure:
        """Delete a photo and all that was said of it; what is left is a tombstone.

        This is a person's right and the only way in which anything is ever deleted. The
        photo is not taken in again. Backups and exports made before still have it.

        Parameters
        ----------
        photo : the photo, or the SHA-256 of its bytes
        who, verified : who erases
        reason : why, in words; it stays

        Returns
        -------
        `Erasure`; of a photo that was erased before, the one from then
        """
        reason = words("reason", reason, least=1)
        by = author(who, verified, _version(), now())
        digest = photo if isinstance(photo, str) else photo.sha256
        with self.database.writing(forget=True) as conn:
            row = _erased(conn, digest)
            if row is None:
                found = _photo(conn, digest)
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


def erase_rows(conn: sqlite3.Connection, row: Row) -> None:
    """Write a tombstone and delete the photo's rows, within the caller's transaction."""
    tables = ("withdrawals", "reviews", "corrections", "predictions")
    photo = row["photo"]
    if "removed" not in row:
        count = "SELECT count(*) FROM {} WHERE photo = ?"
        removed = {t: conn.execute(count.format(t), (photo,)).fetchone()[0] for t in tables}
        row["removed"] = canonical(removed)
    insert(conn, "erasures", row)
    for table in tables:
        conn.execute(f"DELETE FROM {table} WHERE photo = ?", (photo,))
    conn.execute("DELETE FROM photos WHERE sha256 = ?", (photo,))


def _version() -> str:
    import rustseg_jax

    return rustseg_jax.__version__


def _bytes(photo: bytes | Path | str) -> bytes:
    if isinstance(photo, bytes):
        return photo
    path = Path(photo)
    try:
        with path.open("rb") as file:
            return file.read(images.Limits().max_bytes + 1)
    except OSError as error:
        raise ImageError(f"{path} cannot be opened: {error.strerror or error}") from error


def _kind(data: bytes) -> str:
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    # Pillow also takes files with something before the signature.
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return str(image.format).lower()


def _find(conn: sqlite3.Connection, digest: str) -> Row | None:
    sql = "SELECT * FROM photos WHERE {} = ? LIMIT 1"
    return fetch(conn, sql.format("sha256"), (digest,)) or fetch(
        conn, sql.format("original"), (digest,)
    )


def _photo(conn: sqlite3.Connection, digest: str) -> Photo:
    row = _find(conn, digest)
    if row is None:
        _refuse_erased(conn, digest)
        raise MissingError(f"there is no photo {digest!r} in this labels folder")
    return photo_of(row)


def _row(conn: sqlite3.Connection, table: str, id: str) -> Row:
    row = fetch(conn, f"SELECT * FROM {table} WHERE id = ?", (id,))
    if row is None:
        raise MissingError(f"there is no row {id!r} in {table} of this labels folder")
    return row


def _erased(conn: sqlite3.Connection, digest: str) -> Row | None:
    sql = "SELECT * FROM erasures WHERE photo = :d OR original = :d ORDER BY made LIMIT 1"
    return fetch(conn, sql, {"d": digest})


def _refuse_erased(conn: sqlite3.Connection, digest: str) -> None:
    row = _erased(conn, digest)
    if row is not None:
        raise ErasedError(
            f"this photo was erased on {row['made'][:10]} ({row['reason']}); it is not taken in "
            "again"
        )


def _saved_before(
    conn: sqlite3.Connection, table: str, row: Row, said: Sequence[str]
) -> Row | None:
    """What was saved under this nonce, None where nothing was; refused where it says otherwise."""
    before = fetch(conn, f"SELECT * FROM {table} WHERE nonce = ?", (row["nonce"],))
    if before and any(before[name] != row[name] for name in said):
        raise ConflictError(
            f"something else was saved under {row['nonce']!r} at {before['made']}; it was left as "
            "it is: save this one anew, under another nonce"
        )
    return before


def _check_parents(conn: sqlite3.Connection, row: Row, sources: Sequence[str]) -> None:
    """Everything it refers to is of the same photo; the prediction is that of the parent."""
    wanted = [("predictions", row["prediction"]), ("corrections", row["parent"])]
    for table, id in [*wanted, *(("corrections", source) for source in sources)]:
        if id is not None and _row(conn, table, id)["photo"] != row["photo"]:
            raise MissingError(f"row {id!r} in {table} is of another photo")
    if row["prediction"] is None and row["parent"] is not None:
        row["prediction"] = _row(conn, "corrections", row["parent"])["prediction"]
