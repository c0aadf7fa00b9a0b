"""What turns at the model gave, kept for all: what is known already needs no turn.

Nothing here knows of Streamlit. What several wait for is computed once.
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
    """What turns gave, the latest of it, for a time.

    Parameters
    ----------
    turns : where an answer that is not known yet is computed
    size : how many are kept; the one unused for longest goes first
    seconds : how long one is kept
    clock : seconds; tests bring their own
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
        self._working: Hashable = None  # the key whose answer is being computed: one turn at a time

    def get(
        self,
        key: Hashable,
        work: Callable[[], T],
        show: Callable[[Place], None] = silent,
        *,
        visitor: Hashable = None,
        spare: bool = False,
    ) -> T:
        """Return the answer to a key: the kept one at once, else `work()` in a turn.

        Of several who wait for one key the first computes and all get its answer.

        Parameters
        ----------
        key : what the answer depends on
        work : computes it; what it raises is raised here, and nothing is kept
        show, visitor, spare : as for `Turns.turn`

        Raises
        ------
        BusyError
            Too many wait already.
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
        """Drop the answers to these keys; one that is being computed is not kept either."""
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
            if self._working is None:  # forgotten meanwhile
                return
            self._kept[key] = self._clock(), answer
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
