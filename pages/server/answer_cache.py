"""Shared cache of model results: a cached result needs no turn in the queue.

This module does not depend on Streamlit. A result that several visitors wait for is computed once.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from pages.server.turn_queue import Place, Turns, silent

__all__ = ["Answers"]

T = TypeVar("T")


class Answers:
    """Cache of model results, limited in number and age; the least recently used goes first.

    Parameters
    ----------
    turns : the queue in which missing results are computed
    size : maximum number of results
    seconds : lifetime of a result
    clock : returns seconds; replaced in tests
    """

    def __init__(
        self,
        turns: Turns,
        *,
        size: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turns, self._size, self._seconds, self._clock = turns, size, seconds, clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._working: Hashable = None  # key of the result being computed; one turn at a time

    def get(
        self,
        key: Hashable,
        work: Callable[[], T],
        show: Callable[[Place], None] = silent,
        *,
        visitor: Hashable = None,
        spare: bool = False,
    ) -> T:
        """Return the result for a key: from the cache, else from `work()` in a turn.

        If several callers wait for the same key, the first one computes the result for all.

        Parameters
        ----------
        key : what the result depends on
        work : computes the result; its exceptions are raised here, and nothing is cached
        show, visitor, spare : as for `Turns.turn`

        Raises
        ------
        BusyError
            The queue is full.
        """
        while True:
            if answer := self._find(key):
                return answer[0]
            with self._turns.turn(
                show,
                visitor=visitor,
                unless=lambda: self._find(key) is not None,
                spare=spare,
            ) as mine:
                if mine and not self._find(key):
                    return self._compute(key, work)

    def forget(self, which: Callable[[Any], bool]) -> None:
        """Drop the results of these keys; one that is being computed will not be cached."""
        with self._lock:
            for key in [key for key in self._kept if which(key)]:
                del self._kept[key]
            if self._working is not None and which(self._working):
                self._working = None

    def _compute(self, key: Hashable, work: Callable[[], T]) -> T:
        outer, self._working = self._working, key
        try:
            answer = work()
            self._keep(key, answer)
            return answer
        finally:
            self._working = outer

    def _find(self, key: Hashable) -> tuple[Any] | None:
        with self._lock:
            answer = self._kept.get(key)
            if answer is None or self._clock() - answer[0] > self._seconds:
                self._kept.pop(key, None)
                return None
            self._kept.move_to_end(key)
            return (answer[1],)

    def _keep(self, key: Hashable, answer: object) -> None:
        with self._lock:
            if self._working is None:  # dropped in the meantime
                return
            self._kept[key] = self._clock(), answer
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
