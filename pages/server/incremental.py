"""Caches for measurements over many labels: long work that resumes where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

# Records never change, so their measurements are cached, up to this number.
MOST_KNOWN = 20_000  # a kilobyte each


class _Known(dict[Any, Any]):
    """Dictionary of limited size; once full, other records are measured again each time."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) < MOST_KNOWN:
            super().__setitem__(key, value)


@st.cache_resource(show_spinner=False)
def blames() -> dict[str, Any]:
    """Stage losses of each correction, by its id; see `rustseg_jax.labels.blame_all`."""
    return _Known()


@st.cache_resource(show_spinner=False)
def agreements() -> dict[Any, Any]:
    """Agreement of the experts on each photo; see `rustseg_jax.labels.agree_over_all`."""
    return _Known()


@contextmanager
def in_steps(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show the progress of long work; a click anywhere stops it, and the next visit resumes it.

    Parameters
    ----------
    what : the unit that is counted, such as "photo"

    Yields
    ------
    A function to call with (number done, total number known so far)
    """
    line = st.empty()

    def tell(done: int, total: int) -> None:
        if done % 20 == 0:  # each is a message to the browser
            share = 0.0 if done == total else done / total
            line.progress(share, f"{done} {what}s analysed …")

    yield tell
    line.empty()
