"""What every page shares: how a page begins, what a visitor sees when something fails, words.

Photos are in `cases`, addresses in `address`, the weights in `models`; what is computed is in
`pages.server.results`, and the line at the model, with all answers kept, in `pages.server.line`.
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

_run = threading.local()  # Streamlit runs one script a thread
_log = logging.getLogger("rustseg.pages")
_FAILED = "what went wrong in a callback"


@contextmanager
def app() -> Iterator[None]:
    """Run a page inside app.py, guarded; `enter` asks for it."""
    _run.inside = True
    try:
        if failed := st.session_state.pop(_FAILED, ""):
            st.error(failed, icon=":material/error:")
        with guard():
            yield
    finally:
        _run.inside = False


def enter() -> None:
    """Begin a page: it must run inside app.py, with its settings and its guard.

    Until app.py has run once, Streamlit takes a folder called pages/ for pages of the old
    kind and opens an address such as /segment without app.py. The switch is not public; the
    Streamlit version is pinned.
    """
    if not getattr(_run, "inside", False):
        PagesManager.uses_pages_directory = False
        st.rerun()


@contextmanager
def guard() -> Iterator[None]:
    """Show what went wrong in a sentence, in its place on the page; the rest of it goes on."""
    try:
        yield
    except Exception as error:
        tell(error)


@contextmanager
def later() -> Iterator[None]:
    """As `guard`, for callbacks: what they draw is lost, so the page's next run says it."""
    try:
        yield
    except Exception as ex:
        st.session_state[_FAILED] = words(ex)


def tell(ex: BaseException) -> None:
    """Say to the visitor what went wrong, never with a traceback."""
    st.error(words(ex), icon=":material/error:")


def words(ex: BaseException) -> str:
    """What went wrong, for a visitor; a bug of ours gets a number, and the log the rest."""
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
        f"Something went wrong here, and it is not your photo's fault. Please try again; if "
        f"it stays, tell whoever runs this page the error number {number}."
    )


# What no guard caught comes here: a fragment that runs by itself and a callback run outside of
# `app`. The hook is not public; the Streamlit version is pinned, and tests raise in all three.
error_util.show_uncaught_app_exception = tell


def sentence(error: BaseException) -> str:
    """An error's message as a sentence, with nothing in it that Markdown would act on."""
    text = escape(str(error).strip().rstrip("."))
    return f"{text[:1].upper()}{text[1:]}."


def escape(text: str) -> str:
    """Make text from outside (names of files, messages) literal in Markdown."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$:^-])", r"\\\1", text)


@st.cache_resource(show_spinner=False)
def icon() -> Image.Image:
    """Draw the page's icon: a rusty disc on azure, no outside font or file."""
    card = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    draw = ImageDraw.Draw(card)
    draw.rounded_rectangle((2, 2, 61, 61), 14, fill=(11, 105, 183))
    draw.ellipse((16, 16, 47, 47), fill=(183, 88, 36), outline=(255, 255, 255), width=5)
    return card


def percent(share: float, *, digits: int = 1, sure: bool = True) -> str:
    """Write a share as `rustseg_jax.wording.percent` does, on one line."""
    return keep_together(wording.percent(share, digits=digits, sure=sure))


def keep_together(text: str) -> str:
    """Keep numbers and their percent signs on one line."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")
