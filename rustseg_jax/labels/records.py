"""What is stored, as frozen dataclasses: one for each kind of row.

Times are UTC, `2026-11-24T06:14:19.000000Z`, so that they sort as text. Masks are `Rle`,
at the photo's own size.
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
"""What an expert can say of a photo as a whole."""

REASONS = (
    "run-off stain", "brick", "soil", "leaves", "timber", "red paint", "shadow", "glare", "water",
    "other",
)  # fmt: skip
"""What was wrong with a prediction: what was taken for rust, or what hid it."""

KINDS = ("expert", "import", "consensus")
"""Where a correction is from: drawn in the app, taken from a file, or made of several."""

ACTIONS = ("approve", "reject", "flag", "comment")
"""What a reviewer can do with a correction; a comment leaves its status."""

STATUSES = ("open", "approved", "rejected", "flagged", "withdrawn")
"""Where a correction stands: its last review but comments; withdrawn beats all."""


def is_counted(status: str, *, approved: bool = False) -> bool:
    """Whether a correction counts: for the queue, for exports, for agreement, for learning.

    An expert's word counts until it is rejected or taken back. A flag asks for a second look and
    decides nothing, so what is flagged counts. In the database the view `counted` says the same.

    Parameters
    ----------
    status : one of `STATUSES`
    approved : whether only what a reviewer approved counts
    """
    return status == "approved" if approved else status not in ("rejected", "withdrawn")


def now() -> str:
    """The time in UTC, to the microsecond; text that sorts."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(value: Any) -> str:
    """JSON of which there is one for each value; ValueError or TypeError where there is none."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A photo that the store owns.

    Attributes
    ----------
    sha256 : of the stored bytes; the photo's address
    original : SHA-256 of the bytes as they were given; another where EXIF was stripped
    bytes : size of the stored file
    width, height : of the upright picture, in pixels: the size of its masks
    kind : "jpeg", "png", "webp", "tiff", "bmp" or "gif"
    exif : "kept" or "stripped"
    consent : one of `CONSENT`
    licence : under which it may be used; "" when not known
    origin : name of the file it came from
    source, scene, split : as in a data folder's manifest; "" when not known
    added : time
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
    """What a model said of a photo.

    Attributes
    ----------
    id : UUID
    photo : SHA-256
    model : SHA-256 of the weights; "" when they came from no file
    config : `Config` as a dictionary
    probability : P(corrosion)
    corroded : the verdict
    threshold : at which the heat map was cut
    reason : why the mask is empty, or ""
    uncertainty : mean doubt of the pixels in [0, 1], or None where it was not measured
    heat : (h, w) float32 in [0, 1], the heat map that the mask was made from
    rough, mask : masks; `mask` is empty when not corroded
    app : version of this program
    made : time
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
    """What an expert said of a photo, or what was made of several experts' words.

    Attributes
    ----------
    id : UUID, made from the nonce
    photo : SHA-256
    prediction : id of the prediction that was shown, or None
    parent : id of the correction that it started from, or None
    kind : one of `KINDS`
    method, sources : of a consensus, how and of which corrections it was made
    nonce : of the save
    verdict : one of `VERDICTS`
    mask : of the corrosion; None where only the verdict was given
    ignore : pixels where the expert cannot tell, or None; never any of `mask`
    area, ignored : pixels of both, or None
    strokes : what was drawn, as the canvas tells it
    reasons : of `REASONS`
    wrong_reason : the answer was right, the heat map's reason for it was wrong
    note : in words
    confidence : in [0, 1], or None
    seconds : that it took, or None
    who, verified : who, and whether a login says so
    app : version of this program
    made : time
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
    """What a reviewer did with a correction: `action` is one of `ACTIONS`."""

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
    """Somebody took a correction back; it stays, but counts no longer."""

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
    """What is left of a photo that was erased: that it was, by whom, why, and how much it was."""

    id: str
    photo: str
    original: str
    reason: str
    removed: Mapping[str, int]
    who: str
    verified: bool
    app: str
    made: str
