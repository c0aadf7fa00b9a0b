"""Validate drafts and convert them to rows."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from rustseg_jax.errors import ConfigError
from rustseg_jax.images import sha256
from rustseg_jax.labels.records import KINDS, REASONS, VERDICTS, Photo, canonical, now
from rustseg_jax.labels.rle import check_mask, encode
from rustseg_jax.labels.store.drafts import CorrectionDraft, PredictionDraft
from rustseg_jax.labels.store.rows import pack_heat

__all__ = ["author", "correction_row", "prediction_row", "record_id", "words"]

_SPACE = uuid.UUID("5b6f6b5e-4c0f-5a76-9f0c-6f1d0f1b7a5e")  # arbitrary but fixed
_SAID = (
    "photo", "kind", "method", "sources", "verdict", "mask", "ignore", "strokes", "reasons",
    "wrong_reason", "note", "confidence", "who",
)  # fmt: skip
# Circumstances rather than content: a repeated save may differ in them (`seconds` has gone on).


def record_id(nonce: str) -> str:
    """The UUID of a save, derived from its nonce: the same on every site, so that merges match."""
    return str(uuid.uuid5(_SPACE, nonce))


def author(who: str, verified: bool) -> dict[str, Any]:
    """The columns that every action has, at the current time."""
    return {"who": words("who", who, least=1), "verified": int(verified), **_made()}


def _made() -> dict[str, str]:
    import rustseg_jax

    return {"app": rustseg_jax.__version__, "made": now()}


def words(name: str, text: str, *, least: int = 0, most: int = 10_000) -> str:
    """Trimmed text from a user; ConfigError if it is too short or too long."""
    text = text.strip()
    if not least <= len(text) <= most:
        raise ConfigError(f"{name} has {len(text)} characters; it must have {least} to {most}")
    if "\0" in text:
        raise ConfigError(f"{name} contains a NUL character; remove it")
    return text


def prediction_row(
    photo: Photo, draft: PredictionDraft, uncertainty: float | None
) -> dict[str, Any]:
    """Make the row of a prediction for a photo.

    Raises
    ------
    ConfigError
        The draft is for a photo of another size.
    """
    if (draft.mask.height, draft.mask.width) != photo.shape:
        raise ConfigError(
            f"the result is for a photo of {draft.mask.width} x {draft.mask.height} pixels, but "
            f"{photo.origin or photo.sha256} has {photo.width} x {photo.height}"
        )
    heat = np.asarray(draft.heat, np.float32)
    return {
        "id": str(uuid.uuid4()),
        "photo": photo.sha256,
        "model": draft.model,
        "config": canonical(asdict(draft.config)),
        "probability": float(draft.probability),
        "corroded": int(draft.corroded),
        "threshold": float(draft.threshold),
        "reason": draft.reason,
        "uncertainty": None if uncertainty is None else float(uncertainty),
        "heat_rows": heat.shape[0],
        "heat_columns": heat.shape[1],
        "heat": pack_heat(heat),
        "rough": draft.rough.counts,
        "mask": draft.mask.counts,
        **_made(),
    }


def correction_row(photo: Photo, draft: CorrectionDraft) -> dict[str, Any]:
    """Validate everything that a user or a page can get wrong, and make the row.

    Raises
    ------
    ConfigError
        A value is not allowed, or values contradict each other; the message names the value.
    """
    _one_of("verdict", draft.verdict, VERDICTS)
    _one_of("kind", draft.kind, KINDS)
    for reason in draft.reasons:
        _one_of("reason", reason, REASONS)
    masks = _masks(photo, draft)
    if draft.confidence is not None and not 0 <= draft.confidence <= 1:
        raise ConfigError(f"confidence is {draft.confidence}; it must be between 0 and 1, or None")
    if draft.seconds is not None and not 0 <= draft.seconds < float("inf"):
        raise ConfigError(f"seconds is {draft.seconds}; it must be 0 or more, or None")
    row = {
        "id": record_id(draft.nonce),
        "photo": photo.sha256,
        "prediction": draft.prediction,
        "parent": draft.parent,
        "kind": draft.kind,
        "method": words("method", draft.method, most=200),
        "sources": canonical(list(draft.sources)),
        "nonce": words("nonce", draft.nonce, least=8, most=200),
        "verdict": draft.verdict,
        **masks,
        "strokes": _json("strokes", draft.strokes),
        "reasons": canonical(sorted(set(draft.reasons), key=REASONS.index)),
        "wrong_reason": int(draft.wrong_reason),
        "note": words("note", draft.note),
        "confidence": None if draft.confidence is None else float(draft.confidence),
        "seconds": None if draft.seconds is None else float(draft.seconds),
        **author(draft.who, draft.verified),
    }
    row["payload"] = sha256(canonical({name: row[name] for name in _SAID}).encode())
    return row


def _masks(photo: Photo, draft: CorrectionDraft) -> dict[str, str | int | None]:
    mask, ignore = draft.mask, draft.ignore
    for name, layer in (("mask", mask), ("ignore", ignore)):
        if layer is not None and check_mask(name, layer).shape != photo.shape:
            raise ConfigError(
                f"{name} has {layer.shape[1]} x {layer.shape[0]} pixels, its photo has "
                f"{photo.width} x {photo.height}; draw at the size of the photo"
            )
    if ignore is not None and not ignore.any():
        ignore = None
    if mask is not None and ignore is not None and (both := int((mask & ignore).sum())):
        raise ConfigError(
            f"mask and ignore both mark {both} pixels; mark each pixel in one of them only"
        )
    if draft.verdict == "none" and mask is not None and mask.any():
        raise ConfigError(
            f"the verdict is 'none', but the mask marks {int(mask.sum())} pixels; clear the mask "
            "or change the verdict"
        )
    return {
        "area": None if mask is None else int(mask.sum()),
        "ignored": None if ignore is None else int(ignore.sum()),
        "mask": None if mask is None else encode(mask),
        "ignore": None if ignore is None else encode(ignore),
    }


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, allowed))}")


def _json(name: str, value: Any) -> str:
    try:
        return canonical(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} cannot be written as JSON ({error})") from error
