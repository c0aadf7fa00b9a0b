"""What is about to be saved, checked: rows from what a page or the model hands over."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.errors import ConfigError
from rustseg_jax.images import sha256
from rustseg_jax.labels.records import KINDS, REASONS, VERDICTS, Photo, canonical, now
from rustseg_jax.labels.rle import check_mask, encode
from rustseg_jax.labels.store.rows import pack_heat

if TYPE_CHECKING:
    from rustseg_jax.result import Segmentation

__all__ = ["author", "correction_row", "prediction_row", "record_id", "words"]

Mask = NDArray[np.bool_]

_SPACE = uuid.UUID("5b6f6b5e-4c0f-5a76-9f0c-6f1d0f1b7a5e")  # any fixed one
_SAID = (
    "photo", "kind", "method", "sources", "verdict", "mask", "ignore", "strokes", "reasons",
    "wrong_reason", "note", "confidence", "who",
)  # fmt: skip
# Not what was said but how: a repeated save may differ in them (`seconds` has gone on).


def record_id(nonce: str) -> str:
    """The UUID of what was saved under a nonce: the same on every site, which is how they merge."""
    return str(uuid.uuid5(_SPACE, nonce))


def author(who: str, verified: bool) -> dict[str, Any]:
    """The columns that every act has, as of now."""
    return {"who": words("who", who, least=1), "verified": int(verified), **_made()}


def _made() -> dict[str, str]:
    import rustseg_jax

    return {"app": rustseg_jax.__version__, "made": now()}


def words(name: str, text: str, *, least: int = 0, most: int = 10_000) -> str:
    """Text of a user, trimmed; ConfigError where it is too short or too long."""
    text = text.strip()
    if not least <= len(text) <= most:
        raise ConfigError(f"{name} has {len(text)} characters; allowed are {least} to {most}")
    if "\0" in text:
        raise ConfigError(f"{name} holds a NUL character; leave it out")
    return text


def prediction_row(photo: Photo, seg: Segmentation, uncertainty: float | None) -> dict[str, Any]:
    """Make the row of what a model said of a photo.

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
    return {
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
        **_made(),
    }


def correction_row(
    photo: Photo,
    *,
    nonce: str,
    verdict: str,
    mask: Mask | None,
    ignore: Mask | None,
    prediction: str | None,
    parent: str | None,
    strokes: Any,
    reasons: Sequence[str],
    wrong_reason: bool,
    note: str,
    confidence: float | None,
    seconds: float | None,
    kind: str,
    method: str,
    sources: Sequence[str],
    by: dict[str, Any],
) -> dict[str, Any]:
    """Check everything that a user or a page can get wrong, and make the row.

    Raises
    ------
    ConfigError
        A value is not allowed, or values contradict each other; the message names it.
    """
    _one_of("verdict", verdict, VERDICTS)
    _one_of("kind", kind, KINDS)
    for reason in reasons:
        _one_of("reason", reason, REASONS)
    masks = _masks(photo, verdict, mask, ignore)
    if confidence is not None and not 0 <= confidence <= 1:
        raise ConfigError(f"confidence is {confidence}; allowed is 0 to 1, or None")
    if seconds is not None and not 0 <= seconds < float("inf"):
        raise ConfigError(f"seconds is {seconds}; allowed is 0 or more, or None")
    row = {
        "id": record_id(nonce),
        "photo": photo.sha256,
        "prediction": prediction,
        "parent": parent,
        "kind": kind,
        "method": words("method", method, most=200),
        "sources": canonical(list(sources)),
        "nonce": words("nonce", nonce, least=8, most=200),
        "verdict": verdict,
        **masks,
        "strokes": _json("strokes", strokes),
        "reasons": canonical(sorted(set(reasons), key=REASONS.index)),
        "wrong_reason": int(wrong_reason),
        "note": words("note", note),
        "confidence": None if confidence is None else float(confidence),
        "seconds": None if seconds is None else float(seconds),
        **by,
    }
    row["payload"] = sha256(canonical({name: row[name] for name in _SAID}).encode())
    return row


def _masks(
    photo: Photo, verdict: str, mask: Mask | None, ignore: Mask | None
) -> dict[str, str | int | None]:
    for name, layer in (("mask", mask), ("ignore", ignore)):
        if layer is not None and check_mask(name, layer).shape != photo.shape:
            raise ConfigError(
                f"{name} is {layer.shape[1]} x {layer.shape[0]} pixels, its photo {photo.width} x "
                f"{photo.height}; draw on the photo at its own size"
            )
    if ignore is not None and not ignore.any():
        ignore = None
    if mask is not None and ignore is not None and (both := int((mask & ignore).sum())):
        raise ConfigError(
            f"mask and ignore both mark {both} pixels; each is one of the two at most"
        )
    if verdict == "none" and mask is not None and mask.any():
        raise ConfigError(
            f"the verdict is 'none', yet the mask marks {int(mask.sum())} pixels; clear the mask "
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
        raise ConfigError(f"{name} is {value!r}; allowed are {', '.join(map(repr, allowed))}")


def _json(name: str, value: Any) -> str:
    try:
        return canonical(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} cannot be written as JSON ({error})") from error
