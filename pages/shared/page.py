"""Common parts of all pages: page start, error messages and text helpers.

Photos are in `cases`, addresses in `address`, the weights in `models`, results in
`pages.server.results`, and the queue for the model and its cache in `pages.server.line`.
"""

from __future__ import annotations

import logging
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from PIL import Image, ImageDraw
from streamlit import error_util
from streamlit.runtime.pages_manager import PagesManager

import rustseg_jax as rs
from rustseg_jax import wording

_run = threading.local()  # Streamlit runs one script per thread
_log = logging.getLogger("rustseg.pages")
_FAILED = "error of a callback"


@contextmanager
def app() -> Iterator[None]:
    """Run a page inside app.py with its guard; `enter` requires this."""
    _run.inside = True
    try:
        if failed := st.session_state.pop(_FAILED, ""):
            st.error(failed, icon=":material/error:")
        with guard():
            yield
    finally:
        _run.inside = False


def enter() -> None:
    """Start a page, which must run inside app.py with its settings and its guard.

    Until app.py has run once, Streamlit treats the folder pages/ as pages of the old kind and
    opens an address such as /segment without app.py. The switch is not public; the Streamlit
    version is pinned.
    """
    if not getattr(_run, "inside", False):
        PagesManager.uses_pages_directory = False
        st.rerun()


@contextmanager
def guard() -> Iterator[None]:
    """Show an error in place, as a sentence; the rest of the page continues."""
    try:
        yield
    except Exception as error:
        tell(error)


@contextmanager
def later() -> Iterator[None]:
    """Guard a callback: what it draws is lost, so the page's next run shows the error."""
    try:
        yield
    except Exception as ex:
        st.session_state[_FAILED] = words(ex)


def tell(ex: BaseException) -> None:
    """Show an error to the visitor, never with a traceback."""
    st.error(words(ex), icon=":material/error:")


def words(ex: BaseException) -> str:
    """Return an error as a message for visitors; for a bug, a number that is also in the log."""
    if isinstance(ex, rs.WeightsError):
        return (
            f"The model cannot be loaded. {sentence(ex)} Set RUSTSEG_MODEL to a weights file "
            "or put one at data/model/rustseg.safetensors, then reload this page."
        )
    if isinstance(ex, rs.RustsegError):
        return sentence(ex)
    number = uuid.uuid4().hex[:8]
    _log.error("error %s", number, exc_info=ex)
    return (
        f"Something went wrong here, and your photo is not the cause. Please try again. If it "
        f"happens again, give the operator of this server the error number {number}."
    )


# Errors outside every guard end here: fragments that run by themselves, and callbacks, run outside
# `app`. The hook is not public; the Streamlit version is pinned, and tests raise in all three.
error_util.show_uncaught_app_exception = tell


def sentence(error: BaseException) -> str:
    """Return an error's message as a sentence, with Markdown escaped."""
    text = escape(str(error).strip().rstrip("."))
    return f"{text[:1].upper()}{text[1:]}."


def escape(text: str) -> str:
    """Escape Markdown in text from outside, such as file names and messages."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$:^-])", r"\\\1", text)


@st.cache_resource(show_spinner=False)
def icon() -> Image.Image:
    """Draw the page's icon, a rusty disc on azure, without outside fonts or files."""
    card = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    draw = ImageDraw.Draw(card)
    draw.rounded_rectangle((2, 2, 61, 61), 14, fill=(11, 105, 183))
    draw.ellipse((16, 16, 47, 47), fill=(183, 88, 36), outline=(255, 255, 255), width=5)
    return card


def percent(share: float, *, digits: int = 1, sure: bool = True) -> str:
    """Format a share as `rustseg_jax.wording.percent` does, with a non-breaking space."""
    return keep_together(wording.percent(share, digits=digits, sure=sure))


def keep_together(text: str) -> str:
    """Join numbers and their percent signs with non-breaking spaces."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")
