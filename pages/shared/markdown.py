"""Show documents of the repository on a page, without links to files the app does not serve."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Whichever comes first: code, a link (its label may contain code), or a dollar sign.
_PARTS = re.compile(
    r"(?P<code>```.*?```|`[^`]*`)"
    r"|(?P<picture>!?)\[(?P<label>(?:`[^`]*`|[^][`])*)\]\((?P<target>[^()\s]+)\)"
    r"|\$",
    re.DOTALL,
)


def for_page(text: str, folder: str = "") -> str:
    """Convert a document for `st.markdown` under the page's own title.

    Parameters
    ----------
    text : the document, whose first line may be its title
    folder : its folder relative to the repository's root, separated by "/"

    Returns
    -------
    The document without its title. Links to other files of the repository become file names,
    images become their descriptions, and dollar signs do not start formulas.
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
