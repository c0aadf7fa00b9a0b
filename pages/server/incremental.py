"""What was measured of many labels: long work that goes on from where it was left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

# Records never change, so what was measured of one is kept, up to a number.
MOST_KNOWN = 20_000  # a kilobyte each


class _Known(dict[Any, Any]):
    """Takes in no more once it is full; what is left out is measured again each time."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) < MOST_KNOWN:
            super().__setitem__(key, value)


@st.cache_resource(show_spinner=False)
def blames() -> dict[str, Any]:
    """What each correction says of the stages, by its id, see `rustseg_jax.labels.blame_all`."""
    return _Known()


@st.cache_resource(show_spinner=False)
def agreements() -> dict[Any, Any]:
    """How far the experts of each photo agree, see `rustseg_jax.labels.agree_over_all`."""
    return _Known()


@contextmanager
def in_steps(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far long work is; a click anywhere ends it, and the next visit goes on.

    Parameters
    ----------
    what : of what there are many: "photo"

    Yields
    ------
    To be called with (how many are done, how many there are, or are known so far)
    """
    line = st.empty()

    def tell(done: int, total: int) -> None:
        if done % 20 == 0:  # each is a message to the browser
            share = 0.0 if done == total else done / total
            line.progress(share, f"{done} {what}s looked at …")

    yield tell
    line.empty()
