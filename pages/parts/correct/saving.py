"""Where a correction begins, and how what an expert sends is stored; it draws nothing."""

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
"""Instead of the id of a correction: begin with what the model marked."""

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Start:
    """Where a correction begins: masks (H, W) bool, and whose they are (None: the model's).

    `blank` says that they were cleared, because the verdict is that there is no corrosion.
    """

    mask: Mask
    ignore: Mask
    parent: labels.Correction | None
    blank: bool = False

    @property
    def base(self) -> str:
        """Its name, as a save tells it."""
        return canvas.base_of(self.mask, self.ignore)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the form holds; as in `labels.Correction`. `verdict` None follows the mask."""

    verdict: str | None = None
    reasons: Sequence[str] = ()
    wrong_reason: bool = False
    note: str = ""
    confidence: float | None = None
    consent: str = "unknown"


def start_of(made: Bench, past: labels.History | None, chosen: str, verdict: str | None) -> Start:
    """Where the canvas begins.

    Parameters
    ----------
    made : the photo
    past : what was said of it
    chosen : id of a correction, `PREDICTION`, or "" for the latest correction that counts
    verdict : "none" begins with a clear mask
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

    The same save may come again: it gives what was stored then.

    Raises
    ------
    LabelsError, ConfigError, ImageError
        Nothing was stored; the message says why, and what to do.
    """
    if not person.may_save:
        raise rs.ConfigError("saving is not open to you here; your work stays in this browser")
    if not person.name:
        raise rs.ConfigError("nobody knows who you are: give your name, then press Save again")
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
    """What was stored under this nonce, where it is what was painted.

    The form may have changed since, or be empty after a reload: what was said with the save
    stands. Something else painted under the same nonce is refused by the store.
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
    """Where the strokes of a save began, which may not be what is shown now: after a reload."""
    if start.base == sent.base:
        return start
    known = labels.history(store, photo)
    choices = [c.id for c in reversed(known.corrections) if c.mask is not None]
    for chosen in (*choices, PREDICTION):
        for verdict in (None, "none"):
            found = start_of(made, known, chosen, verdict)
            if found.base == sent.base:
                return found
    return Start(start.mask, start.ignore, None)  # of nothing that is known here


def _cleared(shape: tuple[int, ...]) -> dict[str, Any]:
    """The stroke that says "nothing here": an outline around everything."""
    height, width = shape
    corners = [0, 0, width, 0, width, height, 0, height]
    return {"op": "outline", "tool": "clear", "value": 0, "points": corners}


def _exif() -> str:
    chosen = os.environ.get("RUSTSEG_EXIF", "").strip() or "kept"
    if chosen not in ("kept", "stripped"):
        raise rs.ConfigError(f"RUSTSEG_EXIF is {chosen!r}; allowed are 'kept' and 'stripped'")
    return chosen


def _origin(case: ChosenPhoto) -> dict[str, str]:
    """What is known of where a photo is from."""
    for sample in samples.list_samples():
        if sample.path == case.path:
            return {"origin": sample.path.name, "source": sample.source, "scene": sample.name}
    return {"origin": case.title}
