"""Input of the store: one prediction or correction, not validated yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.config import Config
from rustseg_jax.labels.rle import Rle

if TYPE_CHECKING:
    from rustseg_jax.result import Segmentation

__all__ = ["CorrectionDraft", "PredictionDraft"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictionDraft:
    """The stored parts of a result: nothing of the photo's size except two encoded masks.

    Attributes
    ----------
    model : SHA-256 of the weights; "" if they were not loaded from a file
    config : the configuration of the result
    probability, corroded, threshold, reason : as in `Segmentation`
    heat : (h, w) in [0, 1], the heat map that produced the mask
    rough, mask : rough mask and mask, of the photo's size
    """

    model: str
    config: Config = field(repr=False)
    probability: float
    corroded: bool
    threshold: float
    reason: str
    heat: NDArray[np.float32] = field(repr=False)
    rough: Rle = field(repr=False)
    mask: Rle = field(repr=False)

    @classmethod
    def of(cls, seg: Segmentation) -> PredictionDraft:
        """Take the stored parts of a result."""
        return cls(
            model=str(seg.model.get("digest", "")),
            config=seg.config,
            probability=seg.probability,
            corroded=seg.corroded,
            threshold=seg.threshold,
            reason=seg.reason,
            heat=seg.heat,
            rough=Rle.of(seg.rough),
            mask=Rle.of(seg.mask),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CorrectionDraft:
    """An expert's label of a photo, with the fields of `Correction`.

    Attributes
    ----------
    nonce : unique key of this save, 8 to 200 characters, never used for another: a UUID
    mask, ignore : (H, W) bool at the photo's size, without common pixels; None if there is none
    prediction : id; None takes that of the parent
    others : see `Correction`
    """

    nonce: str
    who: str
    verdict: str
    mask: Mask | None = field(default=None, repr=False)
    ignore: Mask | None = field(default=None, repr=False)
    prediction: str | None = None
    parent: str | None = None
    strokes: Any = field(default=(), repr=False)
    reasons: Sequence[str] = ()
    wrong_reason: bool = False
    note: str = ""
    confidence: float | None = None
    seconds: float | None = None
    verified: bool = False
    kind: str = "expert"
    method: str = ""
    sources: Sequence[str] = ()
