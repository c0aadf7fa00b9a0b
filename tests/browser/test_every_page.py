"""Every page of the navigation in a real browser: checks that hold for all of them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser.driving import settle
from browser.looking import MAIN, look_at, unreachable

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = "?sample=skimage-rocket"


Visit = Callable[..., Any]


def addresses() -> list[str]:
    """Of the pages that app.py lists, in its order."""
    found = []
    for node in ast.walk(ast.parse((ROOT / "app.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "st.Page":
            options = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg != "icon"}
            stem = Path(ast.literal_eval(node.args[0])).stem
            path = "" if options.get("default") else options.get("url_path", stem)
            found.append((node.lineno, f"/{path}"))
    return [path for _, path in sorted(found)]


@pytest.mark.parametrize("path", addresses())
def test_every_page(visit: Visit, path: str) -> None:
    page = visit(path)
    empty = page.inner_text(MAIN)
    wrong = unreachable(page) + look_at(page, "")
    page.goto(page.url + SAMPLE)
    settle(page)
    if page.inner_text(MAIN) != empty:  # a page that shows the case of its address
        wrong += unreachable(page) + look_at(page, SAMPLE)
    assert not wrong, "\n".join(dict.fromkeys(wrong))
