"""Queue for the model: one turn at a time, fair and bounded. Does not depend on Streamlit.

The order is round robin: a visitor who had a turn in a round waits for the next round; new
visitors join the current one. A visitor with 200 photos, each a turn of its own, therefore delays
others by one photo at most. A round is limited to the size of the queue, so a stream of new
visitors cannot starve anyone.

Work that nobody is waiting for, such as preparing a photo before it is opened, is requested as
`spare`: it gets a turn only when nobody else wants one, and so delays a visitor by one photo at
most.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rustseg_jax.errors import RustsegError

__all__ = ["BusyError", "Place", "Turns", "silent"]

WAITING = 60  # three times the 20 simultaneous visitors that the app is designed for
SLICE = 0.25  # seconds between checks while waiting, to notice visitors who left
_REMEMBERED = 8  # recent turns whose mean duration gives the estimate


class BusyError(RustsegError):
    """The queue is full."""


@dataclass(frozen=True)
class Place:
    """A position in the queue.

    Attributes
    ----------
    before : number of turns ahead, including the current one; 0 ends the wait
    seconds : estimated duration of these turns; None until a first turn has ended
    """

    before: int
    seconds: float | None = None

    def words(self) -> str:
        """Return the position in words: "3 ahead of you, about 4 s"."""
        wait = "" if self.seconds is None else f", about {max(1, round(self.seconds))} s"
        return f"{self.before} ahead of you{wait}"


@dataclass(eq=False)
class _Ticket:
    number: int
    round: int
    visitor: Hashable
    thread: int
    spare: bool
    began: float = 0.0

    @property
    def place(self) -> tuple[bool, int, int]:
        """Sort key of the queue."""
        return self.spare, self.round, self.number


def silent(_: Place) -> None:
    """Do not show the position in the queue."""


def _never() -> bool:
    return False


class Turns:
    """A queue of visitors, one of whom has the turn.

    Parameters
    ----------
    limit : maximum number of waiting visitors, at least 1
    clock : returns seconds, for the estimates; replaced in tests
    """

    def __init__(
        self, *, limit: int = WAITING, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._clock = limit, clock
        self._changed = threading.Condition()
        self._changes = 0
        self._tickets = 0
        self._waiting: list[_Ticket] = []  # in the order of their turns
        self._current: _Ticket | None = None
        self._round, self._given = 0, 0  # the current round, turns given in it
        self._last: dict[Hashable, int] = {}  # visitor -> round of their last turn
        self._took: deque[float] = deque(maxlen=_REMEMBERED)

    @contextmanager
    def turn(
        self,
        show: Callable[[Place], None] = silent,
        *,
        visitor: Hashable = None,
        unless: Callable[[], bool] = _never,
        spare: bool = False,
    ) -> Iterator[bool]:
        """Wait for a turn and hold it: `with turns.turn(show) as mine: ...`.

        Parameters
        ----------
        show : called while waiting, whenever the position changes and at least four times a
            second, and with `Place(0)` at the end; not called if the turn is free at once.
            If it raises an exception, the caller leaves the queue.
        visitor : identifies the visitor for the rounds; None always counts as new
        unless : called while waiting; if it returns True, the caller leaves the queue
        spare : wait behind everybody else, including later arrivals, and outside the rounds

        Yields
        ------
        True with the turn, False if `unless` returned True. A thread that already holds the turn
        keeps it.

        Raises
        ------
        BusyError
            The queue is full.
        """
        if self._is_mine():
            yield True
            return
        ticket = self._join(visitor, spare)
        try:
            yield self._wait(ticket, show, unless)
        finally:
            self._leave(ticket)

    @property
    def waiting(self) -> int:
        """Number of waiting callers, without the one that holds the turn."""
        with self._changed:
            return len(self._waiting)

    def _is_mine(self) -> bool:
        with self._changed:
            return self._current is not None and self._current.thread == threading.get_ident()

    def _join(self, visitor: Hashable, spare: bool) -> _Ticket:
        with self._changed:
            if sum(spare or not t.spare for t in self._waiting) >= self._limit:
                raise BusyError(
                    f"the server is busy ({self._limit} visitors are waiting); try again in a "
                    "minute"
                )
            if self._current is None and not self._waiting:
                self._last.clear()  # nobody is waiting: everybody counts as new
            own_round = self._round if spare else self._round_for(visitor)
            ticket = _Ticket(self._tickets, own_round, visitor, threading.get_ident(), spare)
            self._tickets += 1
            self._waiting.append(ticket)
            self._waiting.sort(key=lambda t: t.place)
            self._tell()
            return ticket

    def _round_for(self, visitor: Hashable) -> int:
        visitors = [t for t in self._waiting if not t.spare]
        members = self._given + sum(t.round == self._round for t in visitors)
        still_open = self._round + (members >= self._limit)
        if visitor is None:
            return still_open
        own = [t.round for t in visitors if t.visitor == visitor]
        return max(still_open, 1 + max(own, default=self._last.get(visitor, -1)))

    def _wait(
        self, ticket: _Ticket, show: Callable[[Place], None], unless: Callable[[], bool]
    ) -> bool:
        waited = False
        while True:
            with self._changed:
                mine = self._take(ticket)
                place, seen = self._place(ticket), self._changes
            if mine or unless():
                if waited:
                    show(Place(0))
                return mine
            show(place)
            waited = True
            with self._changed:
                if self._changes == seen:
                    self._changed.wait(SLICE)

    def _take(self, ticket: _Ticket) -> bool:
        if self._current is not None or self._waiting[0] is not ticket:
            return False
        self._current = self._waiting.pop(0)
        ticket.began = self._clock()
        if not ticket.spare:
            self._count(ticket)
        self._tell()
        return True

    def _count(self, ticket: _Ticket) -> None:
        """Record the turn in its round."""
        self._given = self._given + 1 if ticket.round == self._round else 1
        self._round = ticket.round
        # Visitors whose last turn was before this round count as new.
        self._last = {v: r for v, r in self._last.items() if r >= self._round}
        if ticket.visitor is not None:
            self._last[ticket.visitor] = ticket.round

    def _place(self, ticket: _Ticket) -> Place:
        if self._current is ticket:
            return Place(0)
        # Between two turns nobody holds one, but the first in the queue still has to wait.
        before = max(1, self._waiting.index(ticket) + (self._current is not None))
        if not self._took:
            return Place(before)
        each = sum(self._took) / len(self._took)
        past = self._clock() - self._current.began if self._current else 0.0
        return Place(before, each * before - min(past, each))

    def _leave(self, ticket: _Ticket) -> None:
        with self._changed:
            if self._current is ticket:
                self._current = None
                self._took.append(self._clock() - ticket.began)
            else:
                self._waiting.remove(ticket)
            self._tell()

    def _tell(self) -> None:
        self._changes += 1
        self._changed.notify_all()
