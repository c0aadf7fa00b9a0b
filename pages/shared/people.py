"""Who corrects, and what they may do: from a login where one is configured, else from a name.

Who may do what is set where the server is started:

- ``RUSTSEG_EXPERTS``, ``RUSTSEG_REVIEWERS``: addresses of logins, with commas between; ``*`` are
  all who are logged in. Reviewers may do what experts may. Once one of the two is set, a name
  that somebody just typed may do nothing.
- ``RUSTSEG_DEMO=1``: as if both were set and empty. Visitors can try everything, nothing is kept.
- Neither: whoever has a login, or, where no login is configured, whoever gives a name.
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
    """Whoever is at the browser.

    Attributes
    ----------
    name : address of the login, or what was typed; "" as long as nobody said
    verified : whether a login says so
    role : a viewer may not write, an expert corrects, a reviewer also judges corrections
    """

    name: str
    verified: bool
    role: Role

    @property
    def may_save(self) -> bool:
        """Whether corrections may be written, once there is a name."""
        return self.role != "viewer"

    @property
    def may_review(self) -> bool:
        """Whether corrections of others may be approved and rejected."""
        return self.role == "reviewer"


def demo() -> bool:
    """Whether this is a demo, in which nothing is written."""
    return os.environ.get("RUSTSEG_DEMO", "").strip() not in ("", "0")


def somebody() -> Person:
    """Tell who is at the browser, from the login or from what was typed in this browser."""
    state = st.session_state
    person = person_of(st.user.to_dict(), str(state.get(_NAME, "")), os.environ)
    if not person.may_save or person.verified:
        return person
    name = remembered(person.name, forget=bool(state.get(_FORGET)), longest=LONGEST_NAME)
    state[_NAME] = name
    return replace(person, name=name)


def person_of(login: Mapping[str, Any], typed: str, settings: Mapping[str, str]) -> Person:
    """Tell who somebody is and what they may do.

    Parameters
    ----------
    login : `st.user`: "email" of who is logged in, "is_logged_in" where a login is configured
    typed : the name that was given, or ""
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
    # A server with a login takes nobody's word for a name.
    open_to_all = verified or "is_logged_in" not in login
    return Person(name, verified, "reviewer" if open_to_all else "viewer")


def _listed(email: str, lists: Mapping[str, str]) -> Role:
    for role, text in lists.items():
        listed = {part.strip().casefold() for part in text.split(",") if part.strip()}
        if email and ("*" in listed or email.casefold() in listed):
            return "reviewer" if role == "REVIEWERS" else "expert"
    return "viewer"


def ask_name(person: Person) -> None:
    """Say who saves, and ask once where nobody knows."""
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
    """Offer to log in, where that is set up and still to be done."""
    if "is_logged_in" in st.user and not person.verified and not demo():
        st.button("Log in", key="login", on_click=st.login, icon=":material/login:")


def _form() -> None:
    with st.form("who", border=False):
        st.text_input(
            "Your name, kept with each correction", key="who-typed", max_chars=LONGEST_NAME,
            autocomplete="name", help="No login is set up here, so it is marked as unverified.",
        )  # fmt: skip
        st.form_submit_button("That is me", on_click=_take_name, icon=":material/person:")


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
            "This is a demo: try all tools on the canvas. Nothing is saved.",
            icon=":material/visibility:",
        )
    elif "is_logged_in" in st.user and not person.verified:
        st.info("Log in to save corrections; without, you can try.", icon=":material/login:")
        ask_login(person)
    else:
        st.info(
            "You can try all tools; saving is for the experts that this server lists.",
            icon=":material/visibility:",
        )
