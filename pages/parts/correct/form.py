"""The form beside the mask: verdict, reasons, confidence, note.

Its values are kept in the session by photo, so that they survive a visit to another page. Until
they are saved they are also kept in the browser, so that they survive a reload and a server
restart.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import streamlit as st

from pages.parts.correct.saving import Said
from pages.parts.correct.workbench import Bench
from pages.shared.browser_storage import remembered_form
from pages.shared.page import keep_together
from pages.shared.wording import VERDICTS as VERDICT_WORDS
from rustseg_jax.labels import CONSENT, REASONS, VERDICTS

__all__ = ["draw", "said", "was_saved"]

CONFIDENCE = {"Low": 0.3, "Medium": 0.6, "High": 0.9}
"""Labels of the stored confidence values, which are in [0, 1]."""

_CONSENT = {
    "unknown": "Unknown",
    "given": "Given by the owner and the people shown",
    "not needed": "Not needed",
}
LONGEST_NOTE = 2000  # characters
_FIELDS = ("verdict", "reasons", "wrong_reason", "note", "confidence", "consent")
_FORMS, _SAVED, _ASKED = "correct-forms", "correct-forms-saved", "correct-forms-asked"
_MOST_SAVED = 24  # saved forms reported to the browser, which keeps at most this many


def said(digest: str, *, keep: bool) -> Said:
    """Return the form's values for a photo, before the form is drawn.

    Parameters
    ----------
    digest : SHA-256 of the photo
    keep : whether the browser stores the values; False for visitors who may not save
    """
    forms: dict[str, Said] = st.session_state.setdefault(_FORMS, {})
    now = replace(forms.get(digest, Said()), **_typed(digest))
    if keep:
        now = _remember(digest, now)
    forms[digest] = now
    return now


def was_saved(digest: str, what: Said) -> None:
    """Mark the form's values as saved: they stay in the form, but leave the browser's storage."""
    st.session_state.setdefault(_SAVED, {})[digest] = what


def _typed(digest: str) -> dict[str, Any]:
    """Return the fields that have been edited since the form was first drawn."""
    state = st.session_state
    found = {n: state[_key(n, digest)] for n in _FIELDS if _key(n, digest) in state}
    if "confidence" in found:
        found["confidence"] = CONFIDENCE.get(found["confidence"] or "")
    if "reasons" in found:
        found["reasons"] = tuple(found["reasons"])
    return found


def _remember(digest: str, now: Said) -> Said:
    """Read this form from the browser once per visit; from then on, write changes to it."""
    state = st.session_state
    asked: dict[str, str] = state.setdefault(_ASKED, {})
    saved: dict[str, Said] = state.setdefault(_SAVED, {})
    ask = asked.setdefault(digest, secrets.token_hex(8))
    worth = now not in (Said(), saved.get(digest))
    done = [d for d, what in saved.items() if state[_FORMS].get(d, what) == what]
    kept = remembered_form(
        digest, asdict(now) if worth else None, ask=ask, saved=done[-_MOST_SAVED:]
    )
    if kept is None:
        return now
    asked[digest] = ""
    # Values already in the form are newer: the page survived a server restart.
    if now != Said() or (found := read_form(kept)) == now:
        return now
    for name in _FIELDS:
        st.session_state.pop(_key(name, digest), None)  # `draw` fills it in again
    return found


def read_form(kept: Mapping[str, Any]) -> Said:
    """Validate a form read from a browser, which is untrusted; drop values that are not allowed."""
    given = {name: kept.get(name) for name in _FIELDS}
    reasons, note = given["reasons"], given["note"]
    return Said(
        verdict=given["verdict"] if given["verdict"] in VERDICTS else None,
        reasons=tuple(r for r in REASONS if r in reasons) if isinstance(reasons, list) else (),
        wrong_reason=given["wrong_reason"] is True,
        note=note[:LONGEST_NOTE] if isinstance(note, str) else "",
        confidence=given["confidence"] if given["confidence"] in CONFIDENCE.values() else None,
        consent=given["consent"] if given["consent"] in CONSENT else Said.consent,
    )


def draw(digest: str, made: Bench, now: Said, *, new: bool, disabled: bool) -> None:
    """Draw the form.

    Parameters
    ----------
    digest : SHA-256 of the photo
    made : the photo with the model's result
    now : the values returned by `said`
    new : whether the photo is not in the store yet, so that the form asks for consent
    disabled : True for visitors who may not save
    """
    _fill_in(digest, now)
    st.segmented_control(
        "Is there corrosion?", VERDICTS, key=_key("verdict", digest),
        format_func=VERDICT_WORDS.__getitem__, disabled=disabled,
        help="If you leave this open, the verdict follows the mask. “No corrosion” clears the "
        "mask; deselect it to restore the mask.",
    )  # fmt: skip
    st.pills(
        "What was mistaken for rust, or hid it?", REASONS, selection_mode="multi",
        key=_key("reasons", digest), disabled=disabled,
    )  # fmt: skip
    if made.found.facts["corroded"]:
        st.checkbox(
            "Right answer, wrong reason", key=_key("wrong_reason", digest), disabled=disabled,
            help="There is corrosion, but the heat map (key U) highlights something else.",
        )  # fmt: skip
    st.segmented_control(
        "Confidence", list(CONFIDENCE), key=_key("confidence", digest), disabled=disabled
    )
    st.text_area(
        "Note", key=_key("note", digest), height=68, max_chars=LONGEST_NOTE, disabled=disabled
    )
    if new:
        st.selectbox(
            "Consent to use the photo", CONSENT,
            format_func=_CONSENT.__getitem__, key=_key("consent", digest), disabled=disabled,
        )  # fmt: skip
        if not disabled:
            st.caption(
                "Saving stores this photo with the correction. It is then not deleted with your "
                "uploads."
            )


def _fill_in(digest: str, now: Said) -> None:
    """Set fields that have no value in the session to the form's values.

    Fields whose value is the default are left alone: after a server restart, the browser then
    sends back what it still shows.
    """
    values = {**asdict(now), "confidence": _word(now.confidence), "reasons": list(now.reasons)}
    empty = {**asdict(Said()), "reasons": []}
    for name, value in values.items():
        if value != empty[name] and (key := _key(name, digest)) not in st.session_state:
            st.session_state[key] = value


def model_says(made: Bench) -> str:
    """Return the model's verdict as a sentence, with the grades that it implies."""
    found = made.found
    grades = f" {found.grading.words()}." if found.facts["area"] else ""
    return keep_together(f"Model: {found.verdict}.{grades}")


def _word(confidence: float | None) -> str | None:
    return next((word for word, value in CONFIDENCE.items() if value == confidence), None)


def _key(name: str, digest: str) -> str:
    return f"correct-{name}-{digest[:16]}"
