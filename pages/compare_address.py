"""The address of the teaching pages: everything that is chosen is in it, nothing is elsewhere.

A link that a teacher hands out opens what the teacher saw. A value that is not known gives a
message and the default. Widgets take their value from the address and write it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages import cases, compute, lessons, shared
from rustseg_jax.samples import list_samples
from rustseg_jax.teaching_choice import Choice, read_choice

SAMPLE = "pipe"
"""What is shown where the address names no photo."""


def put(**changes: str | None) -> None:
    """Write values into the address; None or "" takes one out."""
    for name, value in changes.items():
        if value:
            st.query_params[name] = value
        elif name in st.query_params:
            del st.query_params[name]


class Reader:
    """Reads the address of this run, and gathers what is wrong with it.

    Attributes
    ----------
    complaints : a message for each value that is not known
    """

    def __init__(self) -> None:
        self.link: dict[str, str] = st.query_params.to_dict()
        self.complaints: list[str] = []

    def one_of(self, name: str, allowed: Mapping[str, str], default: str) -> str:
        """A value of the address if it is allowed, else the default, with a complaint."""
        value = self.link.get(name, default)
        if value in allowed:
            return value
        known = ", ".join(key for key in allowed if key)
        what = f"use {known}" if known else "there is nothing to choose from here"
        self.complaints.append(f"{name}={value[:40]!r} is not known: {what}")
        return default

    def complain(self) -> None:
        """Show what was wrong with the address, in one box."""
        if self.complaints:
            lines = [f"- {shared.escape(text)}" for text in dict.fromkeys(self.complaints)]
            text = "Not all of this address can be shown; instead you see the usual.\n"
            st.warning("\n".join([text, *lines]), icon=":material/link_off:")

    def number(self, name: str, most: int, default: int) -> int:
        """A whole number from 0 to `most`, or the default, with a complaint."""
        text = self.link.get(name, "")
        if not text:
            return default
        if text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= most:
            return int(text)
        self.complaints.append(f"{name}={text[:40]!r} is not known: use a number from 0 to {most}")
        return default

    def choice(self) -> Choice:
        """What is chosen of the method."""
        choice, complaints = read_choice(self.link)
        self.complaints += complaints
        return choice

    def case(self) -> cases.Case:
        """The photo; a sample where the address names none, or one that is gone."""
        try:
            found = cases.current_case()
        except cases.CaseError as error:
            self.complaints.append(str(error))
            found = None
        return found or sample_case(SAMPLE)

    def subject(self) -> lessons.Subject:
        """The photo, the way through the method, the weights."""
        weights = self.one_of("weights", compute.offered_weights(), "")
        return lessons.Subject(self.case(), self.choice(), weights)


def sample_case(name: str) -> cases.Case:
    """A sample as a case; the first one where there is none of that name."""
    samples = list_samples()
    sample = next((s for s in samples if s.name == name), samples[0])
    return cases.case_of(sample)


def pick(
    label: str, name: str, allowed: Mapping[str, str], value: str, *, default: str, **more: Any
) -> None:
    """A list to choose from that shows the address's value and writes the new one there."""
    _widget(st.selectbox, label, name, allowed, value, default, {}, more)


def switch(
    label: str,
    name: str,
    allowed: Mapping[str, str],
    value: str,
    *,
    default: str,
    drop: tuple[str, ...] = (),
    **more: Any,
) -> None:
    """A row of buttons, one of which is on; `drop` are the values that go with the old one."""
    gone = dict.fromkeys(drop)
    _widget(st.segmented_control, label, name, allowed, value, default, gone, more)


def _widget(
    kind: Any,
    label: str,
    name: str,
    allowed: Mapping[str, str],
    value: str,
    default: str,
    gone: Mapping[str, None],
    more: Mapping[str, Any],
) -> None:
    key = f"address-{name}"
    st.session_state[key] = value

    def changed() -> None:
        chosen = st.session_state[key] or default
        put(**gone, **{name: None if chosen == default else chosen})

    if kind is st.segmented_control:
        more = {"required": True, **more}
    kind(label, list(allowed), format_func=allowed.__getitem__, key=key, on_change=changed, **more)
