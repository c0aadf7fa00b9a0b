"""Keep choices in the address of a page: widgets read their value from it and write it back.

An unknown value gives a message and the default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.shared.page import escape

__all__ = ["Reader", "pick", "put", "switch"]


def put(**changes: str | None) -> None:
    """Write values to the address, all at once; None or "" removes one."""
    link = st.query_params.to_dict()
    for name, value in changes.items():
        if value:
            link[name] = value
        else:
            link.pop(name, None)
    st.query_params.from_dict(link)


class Reader:
    """Reader of the address of this run; collects a message for each invalid value.

    Attributes
    ----------
    complaints : the messages
    """

    def __init__(self) -> None:
        self.link: dict[str, str] = st.query_params.to_dict()
        self.complaints: list[str] = []

    def one_of(self, name: str, allowed: Mapping[str, str], default: str) -> str:
        """Return a value of the address if it is allowed, else the default, with a complaint."""
        value = self.link.get(name) or default
        if value in allowed:
            return value
        known = ", ".join(key for key in allowed if key)
        what = f"use {known}" if known else "no values are available here"
        self.complaints.append(f"{name}={value[:40]!r} is not known: {what}")
        return default

    def complain(self) -> None:
        """Show all complaints in one box."""
        if self.complaints:
            lines = [f"- {escape(text)}" for text in dict.fromkeys(self.complaints)]
            text = "Parts of this address are not valid. The defaults are shown instead.\n"
            st.warning("\n".join([text, *lines]), icon=":material/link_off:")

    def number(self, name: str, most: int, default: int, *, least: int = 0) -> int:
        """Return a whole number from `least` to `most`, else the default, with a complaint."""
        text = self.link.get(name, "")
        if not text:
            return default
        if re.fullmatch("-?[0-9]{1,5}", text) and least <= int(text) <= most:
            return int(text)
        self.complaints.append(
            f"{name}={text[:40]!r} is not known: use a number from {least} to {most}"
        )
        return default


def pick(
    label: str,
    name: str,
    allowed: Mapping[str, str],
    value: str,
    *,
    default: str,
    drop: tuple[str, ...] = (),
    **more: Any,
) -> None:
    """Draw a select box that shows the address's value and writes a new one there.

    `drop` names the values to remove from the address when it changes.
    """
    _widget(st.selectbox, label, name, allowed, value, default, dict.fromkeys(drop), more)


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
    """Draw a segmented control, bound to the address as `pick` is."""
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
