"""The labels store: a folder with a database and its photos.

Append-only: a save adds a row and changes none. Every call opens a short connection; when it
returns, its changes are on disk. A save carries a nonce, so that sending it again (because no
answer arrived) returns the same row instead of adding a second one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_data_path

from rustseg_jax.errors import ConfigError
from rustseg_jax.labels.records import ACTIONS, Correction, Photo, Prediction, Review, Withdrawal
from rustseg_jax.labels.store.checks import author, correction_row, prediction_row, record_id, words
from rustseg_jax.labels.store.drafts import CorrectionDraft, PredictionDraft
from rustseg_jax.labels.store.lookups import check_parents, get_photo, get_row, saved_before
from rustseg_jax.labels.store.photos import DATABASE, PhotoStore
from rustseg_jax.labels.store.rows import (
    Row,
    correction_of,
    fetch,
    insert,
    prediction_of,
    review_of,
    withdrawal_of,
)
from rustseg_jax.resources import checkout

if TYPE_CHECKING:
    from rustseg_jax.result import Segmentation

__all__ = ["DATABASE", "Store", "labels_folder"]


def labels_folder() -> Path:
    """Return the default labels folder.

    It is the folder named by RUSTSEG_LABELS; otherwise `data/labels` in a checkout, or `labels` in
    the user's data folder (on Linux ~/.local/share/rustseg_jax) if the package is installed.
    """
    if chosen := os.environ.get("RUSTSEG_LABELS"):
        return Path(chosen)
    root = checkout()
    return root / "data" / "labels" if root else user_data_path("rustseg_jax") / "labels"


class Store(PhotoStore):
    """A labels folder.

    Parameters
    ----------
    folder : the folder; created if it is missing
    create : for read-only use, False refuses a folder without a database, and an older database,
        instead of creating or migrating it
    busy_seconds : how long a call waits for another writer

    Raises
    ------
    LabelsError
        The folder cannot be used: one of the errors of `rustseg_jax.labels`, whose message says
        what to do. Every method can raise these, and then has changed nothing.
    """

    # Predictions

    def add_prediction(
        self,
        photo: Photo,
        seg: Segmentation | PredictionDraft,
        *,
        uncertainty: float | None = None,
    ) -> Prediction:
        """Save a model's prediction for a photo.

        Parameters
        ----------
        photo : a photo of this store
        seg : the result of `segment` for it, or its stored parts
        uncertainty : mean of its uncertainty map in [0, 1], if measured

        Returns
        -------
        `Prediction`; the existing one if there is one for this photo, weights and configuration

        Raises
        ------
        ConfigError
            `seg` is for a photo of another size.
        """
        draft = seg if isinstance(seg, PredictionDraft) else PredictionDraft.of(seg)
        row = prediction_row(photo, draft, uncertainty)
        with self.database.writing() as conn:
            get_photo(conn, photo.sha256)
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
        """Return the prediction with this id; MissingError if it is not here."""
        with self.database.reading() as conn:
            row = get_row(conn, "predictions", id)
            return prediction_of(row, get_photo(conn, row["photo"]))

    # Corrections

    def save_correction(self, photo: Photo, **said: Any) -> Correction:
        """Save an expert's correction; on return it is on disk.

        Parameters
        ----------
        photo : a photo of this store
        said : the fields of `CorrectionDraft`, by name; `nonce`, `who` and `verdict` are required

        Returns
        -------
        `Correction`; see `save_draft`, which also lists the errors
        """
        return self.save_draft(photo, CorrectionDraft(**said))

    def save_draft(self, photo: Photo, draft: CorrectionDraft) -> Correction:
        """Like `save_correction`, with all fields in one draft.

        Parameters
        ----------
        photo : a photo of this store
        draft : the correction

        Returns
        -------
        `Correction`; for a nonce that was already saved, the existing one

        Raises
        ------
        ConfigError
            A value is not allowed.
        ConflictError
            The nonce was already saved with different content.
        MissingError
            The photo, prediction, parent or a source is missing, or belongs to another photo.
        """
        row = correction_row(photo, draft)
        with self.database.writing() as conn:
            photo = get_photo(conn, photo.sha256)
            before = saved_before(conn, "corrections", row, ("payload",))
            if before is None:
                check_parents(conn, row, draft.sources)
                insert(conn, "corrections", row)
            return correction_of(before or row, photo)

    def correction(self, id: str) -> Correction:
        """Return the correction with this id; MissingError if it is not here."""
        with self.database.reading() as conn:
            row = get_row(conn, "corrections", id)
            return correction_of(row, get_photo(conn, row["photo"]))

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
        action : one of `ACTIONS`; a comment needs text
        nonce, who, verified : as for `save_correction`

        Returns
        -------
        `Review`
        """
        if action not in ACTIONS:
            raise ConfigError(f"action is {action!r}; it must be one of {', '.join(ACTIONS)}")
        comment = words("comment", comment, least=int(action == "comment"))
        act = {"action": action, "comment": comment}
        row = self._act("reviews", correction, nonce, who, verified, act)
        return review_of(row)

    def withdraw(
        self, correction: str, *, nonce: str, who: str, reason: str = "", verified: bool = False
    ) -> Withdrawal:
        """Withdraw a correction: it is kept but no longer counts.

        Parameters
        ----------
        correction : its id
        nonce, who, verified : as for `save_correction`
        reason : free text

        Returns
        -------
        `Withdrawal`
        """
        act = {"reason": words("reason", reason)}
        return withdrawal_of(self._act("withdrawals", correction, nonce, who, verified, act))

    def _act(
        self, table: str, correction: str, nonce: str, who: str, verified: bool, act: Row
    ) -> Row:
        by = author(who, verified)
        nonce = words("nonce", nonce, least=8, most=200)
        row = {"id": record_id(nonce), "correction": correction, "nonce": nonce, **act, **by}
        with self.database.writing() as conn:
            row["photo"] = get_row(conn, "corrections", correction)["photo"]
            before = saved_before(conn, table, row, ("correction", "who", *act))
            if before is None:
                insert(conn, table, row)
            return before or row
