"""Documents of the repository on a page: nothing in them may lead to where the app has nothing."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Whichever begins first: code as it is, a link (its label may hold code), a dollar sign.
_PARTS = re.compile(
    r"(?P<code>```.*?```|`[^`]*`)"
    r"|(?P<picture>!?)\[(?P<label>(?:`[^`]*`|[^][`])*)\]\((?P<target>[^()\s]+)\)"
    r"|\$",
    re.DOTALL,
)


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
    return _PARTS.sub(lambda match: _plain(match, folder), text)


def _plain(match: re.Match[str], folder: str) -> str:
    label, target = match["label"], match["target"]
    if match["code"]:
        return match[0]
    if target is None:
        return "\\$"
    if match["picture"]:
        return label
    if re.match(r"[a-z]+:|#", target):
        return match[0]
    place = posixpath.normpath(posixpath.join(folder, target.partition("#")[0]))
    return f"{label}: `{place}`"
