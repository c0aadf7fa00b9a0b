"""What breaks outside of every guard, in a real browser: a fragment by itself, its callback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.driving import serving

Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of broken_app.py; its log is full of tracebacks, and that is right."""
    log = tmp_path_factory.mktemp("broken") / "log.txt"
    with serving(Path(__file__).with_name("broken_app.py"), log, {}) as url:
        yield url
    assert "secret of the fragment" in log.read_text()


@pytest.mark.parametrize("place", ["fragment", "callback"])
def test_a_visitor_is_told_in_words(visit: Visit, place: str) -> None:
    page = visit()
    page.get_by_role("button", name=f"Break the {place}").click()
    alert = page.wait_for_selector('[role="alert"]').inner_text()
    assert "Something went wrong here" in alert
    text = page.inner_text("body")
    assert "secret" not in text
    assert "Traceback" not in text
    assert page.query_selector('[data-testid="stException"]') is None
    page.get_by_text("The rest of the page").wait_for()
