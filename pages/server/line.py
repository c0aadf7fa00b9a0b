"""Access to the model: one queue and one cache of results for all visitors.

Cache keys are the SHA-256 of the photo's bytes, the weights and the settings, never pixels:
Streamlit hashes only a sample of large arrays.
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


# One photo at a time: with 20 visitors, throughput is the same and the longest wait is halved.
@st.cache_resource(show_spinner=False)
def _turns() -> Turns:
    return Turns()


@st.cache_resource(show_spinner=False)
def _answers(kind: str, size: int) -> Answers:
    del kind  # part of the cache key: each kind of result has its own cache
    made = Answers(_turns(), size=size, seconds=KEEP_HOURS * 3600)
    _rooms().append(made)
    return made


@st.cache_resource(show_spinner=False)
def _rooms() -> list[Answers]:
    """The caches of all kinds of results."""
    return []


def forget(digest: str) -> None:
    """Drop all cached results of a deleted photo.

    Parameters
    ----------
    digest : SHA-256 of the photo, the first element of the keys of all its results
    """
    for answers in _rooms():
        answers.forget(lambda key: key[:1] == (digest,))


@contextmanager
def turn(line: DeltaGenerator | None = None) -> Iterator[None]:
    """Wait in the queue for exclusive use of the model; the page shows the position.

    Do not use it inside an `st.cache_*` function, which would cache what is drawn and hold its
    lock meanwhile.

    Parameters
    ----------
    line : an `st.empty()` for the position; None draws it in place

    Raises
    ------
    BusyError
        The queue is full.
    """
    with _line(line) as show, _turns().turn(show, visitor=_visitor()):
        yield


def once(kind: str, key: tuple[Any, ...], work: Callable[[], T], *, size: int = 16) -> T:
    """Return the result of `work` for a key: from the cache, or computed in a turn.

    Parameters
    ----------
    kind : name of the kind of result
    key : what the result depends on: first the photo's SHA-256, so that `forget` finds it, then
        the weights' digest and the settings; never pixels
    work : computes the result, which is returned by reference and must not be modified
    size : maximum number of cached results of this kind, always the same for a kind

    Raises
    ------
    BusyError
        The queue is full.
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
    """Compute a result that `once` will need, as soon as no visitor is waiting.

    Parameters
    ----------
    kind, key, work, size : as for `once`
    given_up : called while waiting; if it returns True, nothing is computed

    Raises
    ------
    BusyError
        The queue is full.
    """

    def show(_: Place) -> None:
        if given_up():
            raise _GivenUpError

    with suppress(_GivenUpError):
        _answers(kind, size).get(key, work, show, spare=True)


class _GivenUpError(Exception):
    """The result is no longer needed."""


@contextmanager
def _line(line: DeltaGenerator | None = None) -> Iterator[Callable[[Place], None]]:
    """Yield a function that shows the position in the queue during a wait."""
    if get_script_run_ctx(suppress_warning=True) is None:  # a download, outside a page's run
        yield lambda _: None
        return
    where = st.empty() if line is None else line

    def show(place: Place) -> None:
        # Drawing also lets Streamlit stop the run of a visitor who left.
        if place.before:
            where.caption(f":material/hourglass_top: In the queue: {place.words()}")
        else:
            where.empty()

    yield show


def _visitor() -> str | None:
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else None
