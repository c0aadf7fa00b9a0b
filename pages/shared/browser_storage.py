"""Storage in the browser: the visitor's name and unsaved forms.

It uses neither cookies nor the address, and survives a reload, a server restart and a new visit.
Only pages of this app read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

__all__ = ["remembered", "remembered_form"]

# The text must contain a line break; otherwise Streamlit takes it for a path.
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
    // This browser has no storage: the page asks for the name on each visit.
  }
}
"""

_mount = st.components.v2.component("rustseg.remember", html="<i hidden></i>\n", js=_JS)


def remembered(name: str, *, forget: bool, longest: int) -> str:
    """Store a name in the browser, or read the stored one.

    Parameters
    ----------
    name : the name to store; "" reads the stored name
    forget : whether "" removes the stored name instead
    longest : maximum length of a name that is read, in characters

    Returns
    -------
    `name`, or the stored name, or ""
    """
    result = _mount(
        key="remember-name", data={"name": name, "forget": forget}, on_name_change=_nothing,
        height="content", width="content",
    )  # fmt: skip
    kept = result.get("name") if result else None
    if name or forget or not isinstance(kept, str):
        return name
    return " ".join(kept.split())[:longest]


# The browser answers a request with the stored form and the request's token, so that an answer to
# an earlier server process is not taken for a new one. Unreadable storage counts as empty.
_FORMS_JS = """
const KEY = "rustseg-forms", MOST = 24
const read = () => {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {}
  } catch {
    return {}
  }
}
const write = (all) => {
  const newest = Object.entries(all).sort((a, b) => b[1].when - a[1].when).slice(0, MOST)
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(newest)))
  } catch {
    // This browser has no storage: a reload empties the form.
  }
}
export default function ({ data, setStateValue }) {
  const { photo, form, ask, saved } = data
  const all = read()
  for (const done of saved) delete all[done]
  if (ask) setStateValue("kept", { ask, form: all[photo]?.form ?? null })
  else if (form) all[photo] = { form, when: Date.now() }
  else delete all[photo]
  write(all)
}
"""

_mount_form = st.components.v2.component(
    "rustseg.remember_form", html="<i hidden></i>\n", js=_FORMS_JS
)


def remembered_form(
    photo: str, form: Mapping[str, Any] | None, *, ask: str, saved: Sequence[str] = ()
) -> Mapping[str, Any] | None:
    """Store a form in the browser, or read the stored one.

    Parameters
    ----------
    photo : SHA-256 of the photo, the form's key
    form : the form's values, JSON types only; None removes the stored form
    ask : token of this request; unless it is "", the stored form is read and left unchanged
    saved : keys of forms that can be removed

    Returns
    -------
    None until the browser has answered, then the stored form, which is not validated
    """
    data = {"photo": photo, "form": form, "ask": ask, "saved": list(saved)}
    result = _mount_form(
        key="remember-form", data=data, on_kept_change=_nothing, height="content", width="content"
    )
    kept = result.get("kept") if result else None
    if not ask or not isinstance(kept, Mapping) or kept.get("ask") != ask:
        return None
    return kept["form"] if isinstance(kept.get("form"), Mapping) else {}


def _nothing() -> None:
    """Do nothing; Streamlit registers a component's state by its callback."""
