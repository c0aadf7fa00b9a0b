"""What an expert says of a photo beside the mask: verdict, reasons, confidence, a note.

The words live in the session under the photo, so that they survive a look at another page.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages import shared
from pages.desk import Bench
from pages.desk_saving import Said
from rustseg_jax.labels import CONSENT, REASONS, VERDICTS

__all__ = ["draw", "said"]

CONFIDENCE = {"Guess": 0.3, "Fairly sure": 0.6, "Sure": 0.9}
"""Words for the shares in [0, 1] that are stored."""

_VERDICTS = {"corrosion": "Corrosion", "none": "None", "can't tell": "Can't tell"}
_CONSENT = {
    "unknown": "Not known",
    "given": "Given by whoever owns it or is seen in it",
    "not needed": "Not needed",
}
_FORMS = "correct-forms"


def said(digest: str) -> Said:
    """What the form of a photo says, before it is drawn."""
    kept: Said = st.session_state.setdefault(_FORMS, {}).get(digest, Said())
    changed = {}
    for name in ("verdict", "reasons", "wrong_reason", "note", "confidence", "consent"):
        if (key := _key(name, digest)) in st.session_state:
            changed[name] = st.session_state[key]
    if "confidence" in changed:
        changed["confidence"] = CONFIDENCE.get(changed["confidence"] or "")
    now = replace(kept, **changed)
    st.session_state[_FORMS][digest] = now
    return now


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
    st.segmented_control(
        "Is there corrosion?", VERDICTS, default=now.verdict, key=_key("verdict", digest),
        format_func=_VERDICTS.__getitem__, disabled=disabled,
        help="Left open, it follows the mask: corrosion where anything is painted, none where "
        "nothing is. “None” clears the mask; taking it back brings the mask back.",
    )  # fmt: skip
    st.pills(
        "What was taken for rust, or hid it?", REASONS, selection_mode="multi",
        default=list(now.reasons), key=_key("reasons", digest), disabled=disabled,
    )  # fmt: skip
    if made.found.facts["corroded"]:
        st.checkbox(
            "Right answer, wrong reason", value=now.wrong_reason,
            key=_key("wrong_reason", digest), disabled=disabled,
            help="There is corrosion, but the heat map (key U) points at something else.",
        )  # fmt: skip
    st.segmented_control(
        "How sure are you?", list(CONFIDENCE), default=_word(now.confidence),
        key=_key("confidence", digest), disabled=disabled,
    )  # fmt: skip
    st.text_area(
        "Note", value=now.note, key=_key("note", digest), height=68, max_chars=2000,
        disabled=disabled,
    )  # fmt: skip
    if new:
        st.selectbox(
            "Consent to use the photo", CONSENT, index=CONSENT.index(now.consent),
            format_func=_CONSENT.__getitem__, key=_key("consent", digest), disabled=disabled,
        )  # fmt: skip
        if not disabled:
            st.caption(
                "Saving keeps this photo with the correction: it is not deleted with the uploads."
            )


def model_says(made: Bench) -> str:
    """What was found, in a sentence, with the grade that it implies."""
    found = made.found
    grades = f" {found.grading.words()}." if found.facts["area"] else ""
    return shared.keep_together(f"The model: {found.verdict}.{grades}")


def _word(confidence: float | None) -> str | None:
    return next((word for word, value in CONFIDENCE.items() if value == confidence), None)


def _key(name: str, digest: str) -> str:
    return f"correct-{name}-{digest[:16]}"
