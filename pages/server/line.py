"""The line at the model, and what it gave: each answer once for all visitors, one at a time.

Answers are kept by the bytes' SHA-256, the weights and the settings; never by pixels:
Streamlit hashes large arrays from a sample only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.server.answer_cache import Answers
from pages.server.turn_queue import Place, Turns
from pages.shared.cases import KEEP_HOURS

T = TypeVar("T")


# One photo at a time: with 20 visitors the throughput stays and the worst wait is halved.
@st.cache_resource(show_spinner=False)
def _turns() -> Turns:
    return Turns()


@st.cache_resource(show_spinner=False)
def _answers(kind: str, size: int) -> Answers:
    del kind  # the key: each kind of answer has its own room
    made = Answers(_turns(), size=size, seconds=KEEP_HOURS * 3600)
    _rooms().append(made)
    return made


@st.cache_resource(show_spinner=False)
def _rooms() -> list[Answers]:
    """All answers, of every kind."""
    return []


def forget(digest: str) -> None:
    """Drop all that was computed of a photo that is deleted.

    Parameters
    ----------
    digest : its SHA-256, with which the key of every answer about a photo begins
    """
    for answers in _rooms():
        answers.forget(lambda key: key[:1] == (digest,))


@contextmanager
def turn(line: DeltaGenerator | None = None) -> Iterator[None]:
    """Wait in line for the model and have it alone; the page shows the place in line.

    Never inside an `st.cache_*` function, which would keep what is shown and hold its lock.

    Parameters
    ----------
    line : an `st.empty()` to show it in; None shows it here

    Raises
    ------
    BusyError
        Too many wait already.
    """
    with _line(line) as show, _turns().turn(show, visitor=_visitor()):
        yield


def once(kind: str, key: tuple[Any, ...], work: Callable[[], T], *, size: int = 16) -> T:
    """Return what `work` computes for a key: kept from before, or now and in turn.

    Parameters
    ----------
    kind : what is computed, a name of its own
    key : what it depends on: first the photo's SHA-256, so that it can be forgotten, then the
        weights' digest, settings; never pixels
    work : computes it; the result is handed out by reference, so nobody may change it
    size : how many of this kind are kept, always the same for a kind

    Raises
    ------
    BusyError
        Too many wait already.
    """
    with _line() as show:
        return _answers(kind, size).get(key, work, show, visitor=_visitor())


def ahead(
    kind: str,
    key: tuple[Any, ...],
    work: Callable[[], object],
    *,
    size: int,
    given_up: Callable[[], bool],
) -> None:
    """Compute what `once` will be asked for, as soon as no visitor waits for anything.

    Parameters
    ----------
    kind, key, work, size : as for `once`
    given_up : asked while waiting; once it is true, nothing is computed

    Raises
    ------
    BusyError
        Too many wait already.
    """

    def show(_: Place) -> None:
        if given_up():
            raise _GivenUpError

    with suppress(_GivenUpError):
        _answers(kind, size).get(key, work, show, spare=True)


class _GivenUpError(Exception):
    """Nobody wants it any more."""


@contextmanager
def _line(line: DeltaGenerator | None = None) -> Iterator[Callable[[Place], None]]:
    """Where the place in line is shown while there is something to wait for."""
    if get_script_run_ctx(suppress_warning=True) is None:  # a download made outside of a page's run
        yield lambda _: None
        return
    where = st.empty() if line is None else line

    def show(place: Place) -> None:
        # Drawing is also what lets Streamlit end the run of a visitor who left.
        if place.before:
            where.caption(f":material/hourglass_top: In line: {place.words()}")
        else:
            where.empty()

    yield show


def _visitor() -> str | None:
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else None
