"""Handle canvas events: store a save, complete scribbles.

Nothing here draws. Replies to the canvas are put into the session and reach the browser in the
next run: `saved` and `refused` identify a save by its nonce.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

import rustseg_jax as rs
from pages.components import canvas
from pages.parts.correct import opening, saving, workbench
from pages.parts.correct.form import was_saved
from pages.parts.correct.history import begin_from, change
from pages.server.results import completed
from pages.shared import cases, page, people
from rustseg_jax.correct.completion import judge_completion

__all__ = ["answers", "last", "on_ask", "on_save"]

_SAVED, _REFUSED, _ANSWER, _LAST = (
    "correct-saved", "correct-refused", "correct-answer", "correct-last",
)  # fmt: skip


def answers() -> dict[str, Any]:
    """Return the pending replies to the canvas, as arguments of `canvas.canvas`."""
    state = st.session_state
    return {
        "saved": state.get(_SAVED),
        # Sent once: sent again, it would refuse a retry of the same save before that is read.
        "refused": state.pop(_REFUSED, None),
        "suggestion": state.get(_ANSWER),
    }


def last() -> dict[str, Any] | None:
    """Return the last save of this visit (title, query of its address, summary), or None."""
    return st.session_state.get(_LAST)


def on_save(
    case: cases.ChosenPhoto,
    made: workbench.Bench,
    sent: canvas.Save,
    said: saving.Said,
    person: people.Person,
    start: saving.Start,
) -> None:
    """Store a save, confirm it to the canvas and open the next photo; or report the error."""
    state = st.session_state
    try:
        correction = saving.save(case, made, sent, said, person, start)
    except rs.RustsegError as error:
        state[_REFUSED] = sent.nonce, str(error)
        return
    except Exception as error:  # a bug; the work stays in the browser
        state[_REFUSED] = sent.nonce, page.words(error)
        return
    state[_SAVED] = sent.nonce
    state.pop(_ANSWER, None)
    parent = start.parent.mask if start.parent and start.parent.mask else made.mask
    was_saved(case.digest, said)
    words = change(correction, parent)
    begin_from(case.digest, "")
    state[_LAST] = {"title": case.title, "query": case.query, "words": words}
    with page.later():  # the save is stored even if the next photo cannot be opened
        opening.go_on(person, case, saved=True)


def on_ask(
    case: cases.ChosenPhoto, made: workbench.Bench, asked: canvas.Ask, start: saving.Start
) -> None:
    """Complete scribbles with the CRF; other edits are kept, but do not spread."""
    rust, clean = asked.rust, asked.clean
    if start.parent is not None and not start.blank:
        found = made.mask.decode()
        rust = rust | (start.mask & ~found & ~clean)
        clean = clean | (~start.mask & found & ~start.ignore & ~rust)
    try:
        settled = (rust | clean) & ~asked.scribbled
        mask = completed(case, rust=rust, clean=clean, settled=settled)
        judged = judge_completion(asked.mask, mask, rust=asked.rust, clean=asked.clean)
        answer = canvas.Suggestion(asked.nonce, mask, judged.words, judged.boxes)
    except rs.RustsegError as error:
        answer = canvas.Suggestion(asked.nonce, asked.mask, f"Not completed: {error}.")
    st.session_state[_ANSWER] = answer
