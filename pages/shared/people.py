"""Identity and permissions: from a login if one is configured, else from a typed name.

Environment variables of the server set the permissions:

- ``RUSTSEG_EXPERTS``, ``RUSTSEG_REVIEWERS``: login addresses, separated by commas; ``*`` means
  everybody who is logged in. Reviewers may do everything that experts may. If one of the two is
  set, a typed name gives no permissions.
- ``RUSTSEG_DEMO=1``: as if both were set and empty. Visitors can try everything; nothing is saved.
- None of these: everybody with a login is a reviewer, or, if no login is configured, everybody who
  enters a name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import streamlit as st

from pages.shared.browser_storage import remembered
from pages.shared.page import escape

__all__ = ["LONGEST_NAME", "Person", "ask_login", "ask_name", "demo", "person_of", "somebody"]

LONGEST_NAME = 80  # characters

Role = Literal["viewer", "expert", "reviewer"]

# In the session, and no widget's own key, which a page switch would clear.
_NAME, _FORGET = "expert-name", "expert-forget"


@dataclass(frozen=True)
class Person:
    """The visitor at the browser.

    Attributes
    ----------
    name : address of the login, or the typed name; "" if unknown
    verified : whether the name comes from a login
    role : a viewer may not write, an expert may correct, a reviewer may also review corrections
    """

    name: str
    verified: bool
    role: Role

    @property
    def may_save(self) -> bool:
        """Whether this person may save corrections, once the name is known."""
        return self.role != "viewer"

    @property
    def may_review(self) -> bool:
        """Whether this person may approve and reject corrections."""
        return self.role == "reviewer"


def demo() -> bool:
    """Return whether this server is a demo, in which nothing is saved."""
    return os.environ.get("RUSTSEG_DEMO", "").strip() not in ("", "0")


def somebody() -> Person:
    """Return the visitor, from the login or from the name typed in this browser."""
    state = st.session_state
    person = person_of(st.user.to_dict(), str(state.get(_NAME, "")), os.environ)
    if not person.may_save or person.verified:
        return person
    name = remembered(person.name, forget=bool(state.get(_FORGET)), longest=LONGEST_NAME)
    state[_NAME] = name
    return replace(person, name=name)


def person_of(login: Mapping[str, Any], typed: str, settings: Mapping[str, str]) -> Person:
    """Return a visitor's identity and role.

    Parameters
    ----------
    login : `st.user`: "email" of the login; has "is_logged_in" if a login is configured
    typed : the typed name, or ""
    settings : the environment

    Returns
    -------
    `Person`
    """
    email = str(login.get("email") or "").strip()
    name, verified = (email, True) if email else (typed, False)
    on = settings.get("RUSTSEG_DEMO", "").strip() not in ("", "0")
    lists = {role: settings.get(f"RUSTSEG_{role}", "") for role in ("REVIEWERS", "EXPERTS")}
    if on or any(text.strip() for text in lists.values()):
        return Person(name, verified, _listed(email, lists))
    # A server with a login does not trust typed names.
    open_to_all = verified or "is_logged_in" not in login
    return Person(name, verified, "reviewer" if open_to_all else "viewer")


def _listed(email: str, lists: Mapping[str, str]) -> Role:
    for role, text in lists.items():
        listed = {part.strip().casefold() for part in text.split(",") if part.strip()}
        if email and ("*" in listed or email.casefold() in listed):
            return "reviewer" if role == "REVIEWERS" else "expert"
    return "viewer"


def ask_name(person: Person) -> None:
    """Show the visitor's name, or ask for it if it is unknown."""
    if not person.may_save:
        _say_why(person)
    elif person.verified:
        st.caption(f":material/verified_user: {escape(person.name)}")
    elif person.name:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f":material/person: {escape(person.name)} (unverified)", width="content")
            st.button("Not you?", key="other-name", type="tertiary", on_click=_forget)
    else:
        _form()


def ask_login(person: Person) -> None:
    """Draw the login button if a login is configured and the visitor is not logged in."""
    if "is_logged_in" in st.user and not person.verified and not demo():
        st.button("Log in", key="login", on_click=st.login, icon=":material/login:")


def _form() -> None:
    with st.form("who", border=False):
        st.text_input(
            "Your name (stored with what you save)", key="who-typed", max_chars=LONGEST_NAME,
            autocomplete="name", help="This server has no login; names are marked as unverified.",
        )  # fmt: skip
        st.form_submit_button("Use this name", on_click=_take_name, icon=":material/person:")


def _take_name() -> None:
    typed = str(st.session_state["who-typed"])
    st.session_state[_NAME] = " ".join(typed.split())[:LONGEST_NAME]
    st.session_state[_FORGET] = False


def _forget() -> None:
    st.session_state[_NAME] = ""
    st.session_state[_FORGET] = True


def _say_why(person: Person) -> None:
    if demo():
        st.info(
            "This is a demo: you can try all tools on the canvas. Nothing is saved.",
            icon=":material/visibility:",
        )
    elif "is_logged_in" in st.user and not person.verified:
        st.info(
            "Log in to save corrections. You can try all tools without logging in.",
            icon=":material/login:",
        )
        ask_login(person)
    else:
        st.info(
            "You can try all tools. Only experts registered on this server can save.",
            icon=":material/visibility:",
        )
