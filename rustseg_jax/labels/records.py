"""The stored records as frozen dataclasses, one for each table.

Times are UTC, `2026-11-24T06:14:19.000000Z`, so that they sort as text. Masks are `Rle` at the
photo's own size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.labels.rle import Rle

__all__ = [
    "ACTIONS",
    "KINDS",
    "REASONS",
    "STATUSES",
    "VERDICTS",
    "Correction",
    "Erasure",
    "Photo",
    "Prediction",
    "Review",
    "Withdrawal",
    "canonical",
    "is_counted",
    "now",
]

VERDICTS = ("corrosion", "none", "can't tell")
"""Verdicts of an expert on a photo."""

REASONS = (
    "run-off stain", "brick", "soil", "leaves", "timber", "red paint", "shadow", "glare", "water",
    "other",
)  # fmt: skip
"""What was wrong with a prediction: look-alikes taken for rust, or what hid the rust."""

KINDS = ("expert", "import", "consensus")
"""Origin of a correction: drawn in the app, imported from a file, or made of several."""

ACTIONS = ("approve", "reject", "flag", "comment")
"""Actions of a reviewer; a comment does not change the status."""

STATUSES = ("open", "approved", "rejected", "flagged", "withdrawn")
"""Status of a correction: set by its last review other than a comment; withdrawn overrides all."""


def is_counted(status: str, *, approved: bool = False) -> bool:
    """Whether a correction counts: for the queue, exports, agreement and learning.

    A correction counts until it is rejected or withdrawn. A flag requests a second look and decides
    nothing, so flagged corrections count. The database view `counted` implements the same rule.

    Parameters
    ----------
    status : one of `STATUSES`
    approved : whether only approved corrections count
    """
    return status == "approved" if approved else status not in ("rejected", "withdrawn")


def now() -> str:
    """The current time in UTC, to the microsecond, as text that sorts."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(value: Any) -> str:
    """Canonical JSON of a value; ValueError or TypeError if it has none."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A photo owned by the store.

    Attributes
    ----------
    sha256 : of the stored bytes; the photo's address
    original : SHA-256 of the bytes as submitted; differs if EXIF was stripped
    bytes : size of the stored file
    width, height : of the upright photo, in pixels: the size of its masks
    kind : "jpeg", "png", "webp", "tiff", "bmp" or "gif"
    exif : "kept" or "stripped"
    consent : one of `CONSENT`
    licence : licence of the photo; "" if unknown
    origin : name of the original file
    source, scene, split : as in a data folder's manifest; "" if unknown
    added : time of upload
    """

    sha256: str
    original: str
    bytes: int
    width: int
    height: int
    kind: str
    exif: str
    consent: str
    licence: str
    origin: str
    source: str
    scene: str
    split: str
    added: str

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """A model's prediction for a photo.

    Attributes
    ----------
    id : UUID
    photo : SHA-256
    model : SHA-256 of the weights; "" if they were not loaded from a file
    config : `Config` as a dictionary
    probability : P(corrosion)
    corroded : the verdict
    threshold : threshold applied to the heat map
    reason : why the mask is empty, or ""
    uncertainty : mean of the uncertainty map in [0, 1], or None if not measured
    heat : (h, w) float32 in [0, 1], the heat map that produced the mask
    rough, mask : rough mask and mask; `mask` is empty if not corroded
    app : version of this program
    made : time of creation
    """

    id: str
    photo: str
    model: str
    config: Mapping[str, Any] = field(repr=False)
    probability: float
    corroded: bool
    threshold: float
    reason: str
    uncertainty: float | None
    heat: NDArray[np.float32] = field(repr=False)
    rough: Rle = field(repr=False)
    mask: Rle = field(repr=False)
    app: str
    made: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Correction:
    """An expert's correction of a photo, or a consensus of several.

    Attributes
    ----------
    id : UUID, derived from the nonce
    photo : SHA-256
    prediction : id of the prediction shown, or None
    parent : id of the correction that it started from, or None
    kind : one of `KINDS`
    method, sources : of a consensus: how and from which corrections it was made
    nonce : unique key of the save
    verdict : one of `VERDICTS`
    mask : corrosion; None if only a verdict was given
    ignore : uncertain pixels, or None; never overlaps `mask`
    area, ignored : pixel counts of both, or None
    strokes : the drawing actions, as sent by the canvas
    reasons : of `REASONS`
    wrong_reason : the verdict was right, but the heat map gave the wrong reason for it
    note : free text
    confidence : in [0, 1], or None
    seconds : time spent, or None
    who, verified : author, and whether a login confirms the name
    app : version of this program
    made : time of creation
    """

    id: str
    photo: str
    prediction: str | None
    parent: str | None
    kind: str
    method: str
    sources: tuple[str, ...]
    nonce: str
    verdict: str
    mask: Rle | None = field(repr=False)
    ignore: Rle | None = field(repr=False)
    area: int | None
    ignored: int | None
    strokes: Any = field(repr=False)
    reasons: tuple[str, ...]
    wrong_reason: bool
    note: str
    confidence: float | None
    seconds: float | None
    who: str
    verified: bool
    app: str
    made: str


@dataclass(frozen=True, kw_only=True)
class Review:
    """A reviewer's action on a correction: `action` is one of `ACTIONS`."""

    id: str
    correction: str
    photo: str
    nonce: str
    action: str
    comment: str
    who: str
    verified: bool
    app: str
    made: str


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """Withdrawal of a correction; the correction is kept but no longer counts."""

    id: str
    correction: str
    photo: str
    nonce: str
    reason: str
    who: str
    verified: bool
    app: str
    made: str


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """Tombstone of an erased photo: who erased it, why, and how many records were removed."""

    id: str
    photo: str
    original: str
    reason: str
    removed: Mapping[str, int]
    who: str
    verified: bool
    app: str
    made: str
