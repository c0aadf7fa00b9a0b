"""The canvas's code for Streamlit: one JavaScript module, joined from small ones.

The modules import each other by name, so that node can test those that do not need a browser.
Streamlit mounts a single text: the modules are joined in order of their dependencies, without
imports and exports. Their top-level names must therefore be unique.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["MODULES", "css", "html", "javascript"]

HERE = Path(__file__).parent

MODULES = (
    "raster.mjs", "labels.mjs", "history.mjs", "bits.mjs", "grow.mjs", "geometry.mjs",
    "shade.mjs", "pieces.mjs", "saver.mjs", "drafts.mjs", "renew.js", "load.js", "stage.js",
    "tools.js", "input.js", "keys.js", "complete.js", "work.js", "app.js", "bar.js", "main.js",
)  # fmt: skip
"""Files of `js/`, each after its dependencies."""

_IMPORT = re.compile(r"^import [^\n]*\n", re.MULTILINE)
_COMMENT = re.compile(r"^\s*//[^\n]*\n|^[ ]+", re.MULTILINE)  # no text spans lines
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def javascript() -> str:
    """Join the modules into one, without comments and indentation, because every run sends it."""
    parts = [(HERE / "js" / name).read_text(encoding="utf-8") for name in MODULES]
    whole = "\n".join(_EXPORT.sub("", _IMPORT.sub("", part)) for part in parts)
    return _COMMENT.sub("", whole)


def html() -> str:
    return (HERE / "canvas.html").read_text(encoding="utf-8")


def css() -> str:
    return (HERE / "canvas.css").read_text(encoding="utf-8")
