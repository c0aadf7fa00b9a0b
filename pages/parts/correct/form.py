"""What an expert says of a photo beside the mask: verdict, reasons, confidence, a note.

The words live in the session under the photo, so that they survive a look at another page, and
until they are saved in the browser too, so that they survive a reload and a restarted server.
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
from rustseg_jax.labels import CONSENT, REASONS, VERDICTS

__all__ = ["draw", "said", "was_saved"]

CONFIDENCE = {"Guess": 0.3, "Fairly sure": 0.6, "Sure": 0.9}
"""Words for the shares in [0, 1] that are stored."""

_VERDICTS = {"corrosion": "Corrosion", "none": "None", "can't tell": "Can't tell"}
_CONSENT = {
    "unknown": "Not known",
    "given": "Given by whoever owns it or is seen in it",
    "not needed": "Not needed",
}
LONGEST_NOTE = 2000  # characters
_FIELDS = ("verdict", "reasons", "wrong_reason", "note", "confidence", "consent")
_FORMS, _SAVED, _ASKED = "correct-forms", "correct-forms-saved", "correct-forms-asked"
_MOST_SAVED = 24  # of which the browser is told; it keeps no more forms than that


def said(digest: str, *, keep: bool) -> Said:
    """What the form of a photo says, before it is drawn.

    Parameters
    ----------
    digest : names the photo
    keep : whether the browser keeps it; not for who may only look
    """
    forms: dict[str, Said] = st.session_state.setdefault(_FORMS, {})
    now = replace(forms.get(digest, Said()), **_typed(digest))
    if keep:
        now = _remember(digest, now)
    forms[digest] = now
    return now


def was_saved(digest: str, what: Said) -> None:
    """What the form says is stored: it still says it, but the browser need not keep it."""
    st.session_state.setdefault(_SAVED, {})[digest] = what


def _typed(digest: str) -> dict[str, Any]:
    """The fields that somebody has touched since they were drawn first."""
    state = st.session_state
    found = {n: state[_key(n, digest)] for n in _FIELDS if _key(n, digest) in state}
    if "confidence" in found:
        found["confidence"] = CONFIDENCE.get(found["confidence"] or "")
    if "reasons" in found:
        found["reasons"] = tuple(found["reasons"])
    return found


def _remember(digest: str, now: Said) -> Said:
    """Ask the browser once a visit what it keeps of this form, and from then on tell it."""
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
    # What stands in the form already is newer: the page outlived the server.
    if now != Said() or (found := read_form(kept)) == now:
        return now
    for name in _FIELDS:
        st.session_state.pop(_key(name, digest), None)  # `draw` fills it in anew
    return found


def read_form(kept: Mapping[str, Any]) -> Said:
    """What a browser kept of a form, as far as the form allows it: anybody may have made it up."""
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
    digest : names the photo
    made : what the model says of it
    now : what `said` returned
    new : whether the store does not have the photo yet, so that its consent is asked for
    disabled : for who may only look
    """
    _fill_in(digest, now)
    st.segmented_control(
        "Is there corrosion?", VERDICTS, key=_key("verdict", digest),
        format_func=_VERDICTS.__getitem__, disabled=disabled,
        help="Left open, it follows the mask: corrosion where anything is painted, none where "
        "nothing is. “None” clears the mask; taking it back brings the mask back.",
    )  # fmt: skip
    st.pills(
        "What was taken for rust, or hid it?", REASONS, selection_mode="multi",
        key=_key("reasons", digest), disabled=disabled,
    )  # fmt: skip
    if made.found.facts["corroded"]:
        st.checkbox(
            "Right answer, wrong reason", key=_key("wrong_reason", digest), disabled=disabled,
            help="There is corrosion, but the heat map (key U) points at something else.",
        )  # fmt: skip
    st.segmented_control(
        "How sure are you?", list(CONFIDENCE), key=_key("confidence", digest), disabled=disabled
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
                "Saving keeps this photo with the correction: it is not deleted with the uploads."
            )


def _fill_in(digest: str, now: Said) -> None:
    """Give the fields what the form says, where they have lost it or never had it.

    A field that says what it says when it is empty is left alone: what the browser still shows
    after the server was restarted then comes back by itself.
    """
    values = {**asdict(now), "confidence": _word(now.confidence), "reasons": list(now.reasons)}
    empty = {**asdict(Said()), "reasons": []}
    for name, value in values.items():
        if value != empty[name] and (key := _key(name, digest)) not in st.session_state:
            st.session_state[key] = value


def model_says(made: Bench) -> str:
    """What was found, in a sentence, with the grade that it implies."""
    found = made.found
    grades = f" {found.grading.words()}." if found.facts["area"] else ""
    return keep_together(f"The model: {found.verdict}.{grades}")


def _word(confidence: float | None) -> str | None:
    return next((word for word, value in CONFIDENCE.items() if value == confidence), None)


def _key(name: str, digest: str) -> str:
    return f"correct-{name}-{digest[:16]}"
