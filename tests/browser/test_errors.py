"""Errors outside every guard in a real browser: in a fragment and in its callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Visit = Callable[..., Any]


@pytest.fixture
def server(parts: Any) -> str:
    """The address of broken_app.py; what `visit` opens."""
    return f"{parts.url}/broken"


@pytest.mark.parametrize("place", ["fragment", "callback"])
def test_a_visitor_is_told_in_words(visit: Visit, parts: Any, place: str) -> None:
    page = visit()
    page.get_by_role("button", name=f"Break the {place}").click()
    alert = page.wait_for_selector('[role="alert"]').inner_text()
    assert "Something went wrong here" in alert
    text = page.inner_text("body")
    assert "secret" not in text
    assert "Traceback" not in text
    assert page.query_selector('[data-testid="stException"]') is None
    page.get_by_text("The rest of the page").wait_for()
    assert f"secret of the {place}" in parts.log.read_text()  # and whoever runs it, in full
