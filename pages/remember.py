"""A name that was typed once, remembered by the browser: it is in no cookie and in no address.

A reload, a restarted server and the next day find it again. Only this page reads it.
"""

from __future__ import annotations

import streamlit as st

__all__ = ["remembered"]

# The text must hold a line break: Streamlit would take it for a path.
_JS = """
const KEY = "rustseg-name"
export default function ({ data, setStateValue }) {
  try {
    if (data.name) localStorage.setItem(KEY, data.name)
    else if (data.forget) localStorage.removeItem(KEY)
    else {
      const kept = localStorage.getItem(KEY)
      if (kept) setStateValue("name", kept)
    }
  } catch {
    // This browser keeps nothing: the name is asked for at each visit.
  }
}
"""

_mount = st.components.v2.component("rustseg.remember", html="<i hidden></i>\n", js=_JS)


def remembered(name: str, *, forget: bool, longest: int) -> str:
    """Let the browser remember a name, or tell the one that it remembers.

    Parameters
    ----------
    name : to remember; "" asks for what is remembered
    forget : whether "" means to forget it
    longest : characters that are taken of what the browser says

    Returns
    -------
    `name`, or what the browser remembers, or ""
    """
    result = _mount(
        key="remember-name", data={"name": name, "forget": forget}, on_name_change=_nothing,
        height="content", width="content",
    )  # fmt: skip
    kept = result.get("name") if result else None
    if name or forget or not isinstance(kept, str):
        return name
    return " ".join(kept.split())[:longest]


def _nothing() -> None:
    """Streamlit names a state by its callback."""
