"""Documents of the repository on a page: nothing in them may lead to where the app has nothing."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_LINK = re.compile(r"(!?)\[([^][]*)\]\(([^()\s]+)\)")
_CODE = re.compile(r"(```.*?```|`[^`]*`)", re.DOTALL)


def for_page(text: str, folder: str = "") -> str:
    """Markdown for `st.markdown`, under the page's own title.

    Parameters
    ----------
    text : a document, whose first line may be its title
    folder : where it lies, from the repository's root, with "/" between names

    Returns
    -------
    The document without its title. Links to other files of the repository name the file
    instead, pictures become their description, and dollar signs are no formulas.
    """
    text = re.sub(r"\A\s*# .*\n", "", text)
    parts = _CODE.split(text)  # every second one is code and stays
    return "".join(p if k % 2 else _plain(p, folder) for k, p in enumerate(parts))


def _plain(text: str, folder: str) -> str:
    def named(found: re.Match[str]) -> str:
        picture, label, target = found.groups()
        if picture:
            return label
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            return found[0]
        place = posixpath.normpath(posixpath.join(folder, target.partition("#")[0]))
        return f"`{place}`" if label == place else f"{label}: `{place}`"

    return _LINK.sub(named, text).replace("$", "\\$")
