"""Review a correction: approve, reject, flag, comment; its author may withdraw it."""

from __future__ import annotations

import uuid

import streamlit as st

from pages.shared import people, wording
from pages.shared.page import escape, later
from pages.shared.people import Person
from rustseg_jax import labels
from rustseg_jax.labels.records import Correction

__all__ = ["draw"]

_BUTTONS = {
    "approve": ("Approve", ":material/check_circle:"),
    "reject": ("Reject", ":material/cancel:"),
    "flag": ("Flag", ":material/flag:"),
    "comment": ("Comment", ":material/chat:"),
}
_DONE = {"approve": "approved", "reject": "rejected", "flag": "flagged", "comment": "commented"}


def draw(store: labels.Store, told: labels.History, chosen: Correction, person: Person) -> None:
    """Draw the reviews so far and the controls for a new one."""
    for review in told.reviews:
        if review.correction == chosen.id:
            words = f": {escape(review.comment)}" if review.comment else ""
            who = escape(review.who)
            done = _DONE[review.action].capitalize()
            st.caption(f"{done} by {who}, {wording.time(review.made)}{words}")
    for back in told.withdrawals:
        if back.correction == chosen.id:
            words = f": {escape(back.reason)}" if back.reason else ""
            st.caption(f"Withdrawn by {escape(back.who)}, {wording.time(back.made)}{words}")
    withdrawn = told.status[chosen.id] == "withdrawn"
    people.ask_name(person)
    if not person.name or withdrawn:
        return
    if person.may_review:
        _judge(store, told, chosen, person)
    if chosen.who == person.name and chosen.verified == person.verified:
        _take_back(store, chosen, person)


def _judge(store: labels.Store, told: labels.History, chosen: Correction, person: Person) -> None:
    if chosen.who == person.name:
        st.caption(":material/info: This is your own correction.")
    key = f"words-{chosen.id}"
    st.text_area("Comment", key=key, max_chars=2000, height=68)
    status = told.status[chosen.id]
    with st.container(horizontal=True, gap="small"):
        for action, (label, icon) in _BUTTONS.items():
            st.button(
                label, key=f"{action}-{chosen.id}", icon=icon, on_click=_review,
                args=(store, chosen.id, action, person), disabled=_DONE[action] == status,
                type="primary" if action == "approve" else "secondary",
            )  # fmt: skip


def _review(store: labels.Store, correction: str, action: str, person: Person) -> None:
    key = f"words-{correction}"
    with later():
        store.review(
            correction, action, nonce=_nonce(f"{key}-{action}"), who=person.name,
            comment=str(st.session_state.get(key, "")), verified=person.verified,
        )  # fmt: skip
        st.session_state[key] = ""
        st.session_state.pop(f"nonce-{key}-{action}", None)
        said = "Comment saved." if action == "comment" else f"Correction {_DONE[action]}."
        st.toast(said, icon=_BUTTONS[action][1])


def _take_back(store: labels.Store, chosen: Correction, person: Person) -> None:
    key = f"back-{chosen.id}"
    with st.popover("Withdraw", icon=":material/undo:"):
        st.markdown(
            "The correction stays in the history but no longer counts. This cannot be undone."
        )
        st.text_input("Reason", key=key, max_chars=500)
        st.button("Withdraw", key=f"do-{key}", on_click=_withdraw, args=(store, chosen, person))


def _withdraw(store: labels.Store, chosen: Correction, person: Person) -> None:
    key = f"back-{chosen.id}"
    with later():
        store.withdraw(
            chosen.id, nonce=_nonce(key), who=person.name,
            reason=str(st.session_state.get(key, "")), verified=person.verified,
        )  # fmt: skip
        st.session_state.pop(f"nonce-{key}", None)


def _nonce(key: str) -> str:
    """Return the nonce of an action, the same until it is stored: a double click stores once."""
    return str(st.session_state.setdefault(f"nonce-{key}", uuid.uuid4().hex))
