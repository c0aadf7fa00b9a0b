"""Choose the mask a correction starts from, and store what an expert sends; draws nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

import rustseg_jax as rs
from pages.components import canvas
from pages.parts.correct.workbench import Bench
from pages.shared.cases import ChosenPhoto
from pages.shared.people import Person
from rustseg_jax import labels, samples
from rustseg_jax.labels.store.checks import record_id

__all__ = ["PREDICTION", "Said", "Start", "save", "start_of"]

PREDICTION = "prediction"
"""Used instead of a correction's id: start from the model's mask."""

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Start:
    """The masks that a correction starts from, (H, W) bool, and their author (None: the model).

    `blank` means that they were cleared because the verdict is "none".
    """

    mask: Mask
    ignore: Mask
    parent: labels.Correction | None
    blank: bool = False

    @property
    def base(self) -> str:
        """Identifier of the starting masks, as a save reports it."""
        return canvas.base_of(self.mask, self.ignore)


@dataclass(frozen=True, kw_only=True)
class Said:
    """The form's values, as in `labels.Correction`; a `verdict` of None follows the mask."""

    verdict: str | None = None
    reasons: Sequence[str] = ()
    wrong_reason: bool = False
    note: str = ""
    confidence: float | None = None
    consent: str = "unknown"


def start_of(made: Bench, past: labels.History | None, chosen: str, verdict: str | None) -> Start:
    """Return the masks that the canvas starts from.

    Parameters
    ----------
    made : the photo
    past : its history
    chosen : id of a correction, `PREDICTION`, or "" for the latest correction that counts
    verdict : "none" starts with an empty mask
    """
    parent = _parent(past, chosen)
    marked = parent.mask if parent and parent.mask else made.mask
    unsure = parent.ignore if parent and parent.mask else None
    mask = marked.decode()
    ignore = unsure.decode() if unsure else np.zeros_like(mask)
    if verdict == "none" and (mask.any() or ignore.any()):
        return Start(np.zeros_like(mask), np.zeros_like(mask), parent, blank=True)
    return Start(mask, ignore, parent)


def _parent(past: labels.History | None, chosen: str) -> labels.Correction | None:
    if past is None or chosen == PREDICTION:
        return None
    if chosen:
        return next((c for c in past.corrections if c.id == chosen), None)
    return past.counted[-1] if past.counted else None


def save(
    case: ChosenPhoto, made: Bench, sent: canvas.Save, said: Said, person: Person, start: Start
) -> labels.Correction:
    """Store a correction, with its photo and the prediction that was corrected.

    Saving the same nonce again returns the correction stored before.

    Raises
    ------
    LabelsError, ConfigError, ImageError
        Nothing was stored; the message gives the reason and what to do.
    """
    if not person.may_save:
        raise rs.ConfigError("you may not save on this server; your work stays in this browser")
    if not person.name:
        raise rs.ConfigError("your name is missing; enter it, then save again")
    store = labels.Store(labels.labels_folder())
    if (before := _stored(store, sent)) is not None:
        return before
    photo = store.add_photo(case.path, exif=_exif(), consent=said.consent, **_origin(case))
    doubt = (made.found.facts["uncertainty"] or {}).get("doubt")
    prediction = store.add_prediction(photo, made.prediction, uncertainty=doubt)
    start = _began(store, photo, made, sent, start)
    verdict = said.verdict or ("corrosion" if sent.mask.any() else "none")
    only_verdict = verdict == "can't tell" and not sent.strokes
    strokes = [_cleared(sent.mask.shape), *sent.strokes] if start.blank else list(sent.strokes)
    draft = labels.CorrectionDraft(
        nonce=sent.nonce,
        who=person.name,
        verified=person.verified,
        verdict=verdict,
        mask=None if only_verdict else sent.mask,
        ignore=None if only_verdict else sent.ignore,
        prediction=prediction.id,
        parent=start.parent.id if start.parent else None,
        strokes=strokes,
        reasons=said.reasons,
        wrong_reason=said.wrong_reason,
        note=said.note,
        confidence=said.confidence,
        seconds=sent.seconds,
    )
    return store.save_draft(photo, draft)


def _stored(store: labels.Store, sent: canvas.Save) -> labels.Correction | None:
    """Return the correction stored under this nonce if its mask is the same, else None.

    The form may have changed since, or be empty after a reload: the values stored with the save
    stand. The store refuses a different mask under the same nonce.
    """
    try:
        before = store.correction(record_id(sent.nonce))
    except labels.MissingError:
        return None
    masks = before.mask.counts if before.mask else None
    same = masks is None or masks == labels.Rle.of(sent.mask).counts
    return before if same else None


def _began(
    store: labels.Store, photo: labels.Photo, made: Bench, sent: canvas.Save, start: Start
) -> Start:
    """Return the masks that a save started from; after a reload, the page may show others."""
    if start.base == sent.base:
        return start
    known = labels.history(store, photo)
    choices = [c.id for c in reversed(known.corrections) if c.mask is not None]
    for chosen in (*choices, PREDICTION):
        for verdict in (None, "none"):
            found = start_of(made, known, chosen, verdict)
            if found.base == sent.base:
                return found
    return Start(start.mask, start.ignore, None)  # started from a mask unknown to the store


def _cleared(shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the stroke that clears the mask: an outline around the whole photo."""
    height, width = shape
    corners = [0, 0, width, 0, width, height, 0, height]
    return {"op": "outline", "tool": "clear", "value": 0, "points": corners}


def _exif() -> str:
    chosen = os.environ.get("RUSTSEG_EXIF", "").strip() or "kept"
    if chosen not in ("kept", "stripped"):
        raise rs.ConfigError(f"RUSTSEG_EXIF is {chosen!r}; it must be 'kept' or 'stripped'")
    return chosen


def _origin(case: ChosenPhoto) -> dict[str, str]:
    """Return what is known about a photo's origin."""
    for sample in samples.list_samples():
        if sample.path == case.path:
            return {"origin": sample.path.name, "source": sample.source, "scene": sample.name}
    return {"origin": case.title}
