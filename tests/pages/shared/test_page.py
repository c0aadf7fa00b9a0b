"""Errors on a page: a message and a number, never a traceback."""

from __future__ import annotations

import logging
import re

import pytest
from streamlit.testing.v1 import AppTest


def _broken() -> None:
    """An app whose page, fragment and callback can each be made to fail, outside of any guard."""
    import streamlit as st

    from pages.shared import page as shared
    from rustseg_jax.errors import ImageError

    assert shared

    def fail(where: str) -> None:
        if st.session_state.get("how") == "user":
            raise ImageError(f"{where} is *not* a picture")
        raise ZeroDivisionError(f"secret of the {where}")

    @st.fragment
    def part() -> None:
        if st.session_state.get("where") == "fragment":
            fail("fragment")
        st.markdown("part is here")

    st.button("Break", key="break", on_click=fail, args=("callback",))
    part()
    if st.session_state.get("where") == "page":
        fail("page")
    st.markdown("page is here")


@pytest.fixture
def broken() -> AppTest:
    return AppTest.from_function(_broken).run()


def _assert_told(app: AppTest, caplog: pytest.LogCaptureFixture, place: str) -> None:
    assert not app.exception
    [error] = app.error
    number = re.search(r"error number ([0-9a-f]{8})\.", error.value)
    assert number
    assert "secret" not in str(app.main)
    logged = [r for r in caplog.records if number[1] in r.getMessage()]
    assert logged
    assert f"secret of the {place}" in str(logged[0].exc_info[1])


def test_nothing_is_said_when_all_is_well(broken: AppTest) -> None:
    assert not broken.error
    assert [m.value for m in broken.markdown] == ["part is here", "page is here"]


@pytest.mark.parametrize("place", ["page", "fragment"])
def test_a_bug_in_a_page_or_fragment(
    broken: AppTest, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    broken.session_state["where"] = place
    with caplog.at_level(logging.ERROR, "rustseg.pages"):
        broken.run()
    _assert_told(broken, caplog, place)


def test_a_bug_in_a_callback(broken: AppTest, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "rustseg.pages"):
        broken.button(key="break").click().run()
    _assert_told(broken, caplog, "callback")
    assert not broken.run().error  # and the next click goes on


def test_what_a_user_can_mend_is_said_as_it_is(broken: AppTest) -> None:
    broken.session_state["how"] = "user"
    broken.button(key="break").click().run()
    assert [e.value for e in broken.error] == ["Callback is \\*not\\* a picture."]
