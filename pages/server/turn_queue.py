"""Turns at the model: one at a time, in a fair and bounded line. Nothing here knows of Streamlit.

The order is round robin: whoever had a turn in a round waits for the next one, newcomers
join the round that is under way. So a visitor with 200 photos, each a turn of its own, holds
nobody up by more than one photo. A round takes in no more than may wait: newcomers without
end cannot shut anybody out.

What nobody waits for, such as a photo that is made ready before it is opened, is asked for as
`spare`: it takes its turn when nobody else wants one, so that it holds a visitor up by one photo
at most, however much of it there is.
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

WAITING = 60  # three times the 20 visitors at once that the app is made for
SLICE = 0.25  # seconds between two looks round while waiting: a visitor who left is noticed
_REMEMBERED = 8  # turns whose mean time tells how long the next ones take


class BusyError(RustsegError):
    """More visitors wait than the line takes."""


@dataclass(frozen=True)
class Place:
    """A place in line.

    Attributes
    ----------
    before : turns that come first, the one that is under way included; 0 is the end of the wait
    seconds : about how long they take; None as long as no turn has ended
    """

    before: int
    seconds: float | None = None

    def words(self) -> str:
        """Say it: "3 others before you, about 4 s"."""
        others = "1 other" if self.before == 1 else f"{self.before} others"
        wait = "" if self.seconds is None else f", about {max(1, round(self.seconds))} s"
        return f"{others} before you{wait}"


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
        """What the line is sorted by."""
        return self.spare, self.round, self.number


def silent(_: Place) -> None:
    """Show nothing of the place in line."""


def _never() -> bool:
    return False


class Turns:
    """A line of visitors; one has the turn.

    Parameters
    ----------
    limit : how many may wait, at least 1
    clock : seconds, for the estimates; tests bring their own
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
        self._round, self._given = 0, 0  # the round under way, turns it gave
        self._last: dict[Hashable, int] = {}  # visitor -> round of the last turn
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
        """Wait for a turn and have it: `with turns.turn(show) as mine: ...`.

        Parameters
        ----------
        show : called while waiting, whenever the place changes and at least four times a
            second, and with `Place(0)` at the end; not called where the turn comes at once.
            What it raises gives the place up.
        visitor : who it is, for the rounds; None is always a newcomer
        unless : asked while waiting; once it is true the place is given up
        spare : behind everybody else, whenever they come; it takes no place in a round

        Yields
        ------
        True with the turn, False when `unless` came true. A thread that has the turn already
        keeps it.

        Raises
        ------
        BusyError
            Too many wait already.
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
        """How many wait, without the one whose turn it is."""
        with self._changed:
            return len(self._waiting)

    def _is_mine(self) -> bool:
        with self._changed:
            return self._current is not None and self._current.thread == threading.get_ident()

    def _join(self, visitor: Hashable, spare: bool) -> _Ticket:
        with self._changed:
            if sum(spare or not t.spare for t in self._waiting) >= self._limit:
                raise BusyError(
                    f"busy: {self._limit} others are waiting already; try again in a minute"
                )
            if self._current is None and not self._waiting:
                self._last.clear()  # nobody waits: everybody is a newcomer
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
        """Note whose turn of which round it is."""
        self._given = self._given + 1 if ticket.round == self._round else 1
        self._round = ticket.round
        # Whoever last had a turn before this round may have one in it, like a newcomer.
        self._last = {v: r for v, r in self._last.items() if r >= self._round}
        if ticket.visitor is not None:
            self._last[ticket.visitor] = ticket.round

    def _place(self, ticket: _Ticket) -> Place:
        if self._current is ticket:
            return Place(0)
        # Between two turns nobody has one, and yet the first in line is not there.
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
