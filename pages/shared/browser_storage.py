"""What a browser remembers: a name that was typed once, and forms that were not saved yet.

It is in no cookie and in no address. A reload, a restarted server and the next day find it again.
Only pages of this app read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

__all__ = ["remembered", "remembered_form"]

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


# Asked, it answers with what it keeps, under the same token: what it said to a server that has
# gone since is then no answer. A storage that cannot be read is an empty one.
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
    // This browser keeps nothing: a reload empties the form.
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
    """Let the browser keep what a form says, or tell what it keeps.

    Parameters
    ----------
    photo : names the form
    form : what it says, plain values; None says nothing that is worth keeping
    ask : a token of this visit: unless it is "", the browser is asked, and keeps what it has
    saved : names of forms that it need not keep any more

    Returns
    -------
    None as long as there is no answer to the question, then what the browser keeps; nobody has
    checked that
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
    """Streamlit names a state by its callback."""
