"""The queue for the model: order, rounds, limit, visitors who leave, results computed once.

Threads synchronise on events; no test waits for time to pass.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from pages.server.answer_cache import Answers
from pages.server.turn_queue import BusyError, Place, Turns
from rustseg_jax.errors import RustsegError

PATIENCE = 20  # seconds until a test that hangs fails


class Hall:
    """A queue whose first turn is held, so that callers line up behind it."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.order: list[str] = []
        self.places: dict[str, list[Place]] = {}
        self.threads: list[threading.Thread] = []
        self.failed: dict[str, BaseException] = {}

    @contextmanager
    def held(self, visitor: str | None = None) -> Iterator[None]:
        with self.turns.turn(visitor=visitor) as mine:
            assert mine
            yield
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def queue(
        self,
        name: str,
        visitor: str | None = None,
        *,
        show: Callable[[Place], None] | None = None,
        body: Callable[[], None] | None = None,
        spare: bool = False,
    ) -> None:
        """Let a thread wait and run `body` in its turn; return once it has seen its position."""
        seen = threading.Event()

        def see(place: Place) -> None:
            self.places.setdefault(name, []).append(place)
            seen.set()
            if show:
                show(place)

        def wait() -> None:
            try:
                with self.turns.turn(see, visitor=visitor, spare=spare):
                    self.order.append(name)
                    if body:
                        body()
            except BaseException as error:
                self.failed[name] = error

        self.threads.append(threading.Thread(target=wait))
        self.threads[-1].start()
        assert seen.wait(PATIENCE)

    def befores(self, name: str) -> list[int]:
        """The positions seen, without repeats."""
        seen = [p.before for p in self.places[name]]
        return [b for k, b in enumerate(seen) if k == 0 or seen[k - 1] != b]


def test_first_come_first_served_and_every_place_is_seen() -> None:
    hall = Hall(Turns())
    with hall.held():
        for name in "abc":
            hall.queue(name)
        assert hall.turns.waiting == 3
        assert [hall.places[name][0].before for name in "abc"] == [1, 2, 3]
    assert hall.order == ["a", "b", "c"]
    assert hall.turns.waiting == 0
    for name in "abc":
        assert hall.befores(name)[-1] == 0
        assert hall.befores(name) == sorted(hall.befores(name), reverse=True)


def test_a_free_turn_comes_at_once_and_unseen() -> None:
    shown: list[Place] = []
    with Turns().turn(shown.append) as mine:
        assert mine
    assert shown == []


def test_who_had_a_turn_goes_behind_the_newcomers() -> None:
    hall = Hall(Turns())
    with hall.held("many"):
        hall.queue("many 2", "many")  # of the visitor with 200 photos
        hall.queue("new 1", "one")
        hall.queue("new 2", "two")
        assert hall.befores("many 2")[0] == 1
    assert hall.order == ["new 1", "new 2", "many 2"]


def test_two_with_many_photos_alternate() -> None:
    hall = Hall(Turns())
    with hall.held():
        for k in range(3):
            hall.queue(f"a{k}", "a")
        for k in range(2):
            hall.queue(f"b{k}", "b")
    assert hall.order == ["a0", "b0", "a1", "b1", "a2"]


def test_newcomers_without_end_shut_nobody_out() -> None:
    # A round takes in as many as may wait, 2: "many" and the first newcomer fill it.
    hall = Hall(Turns(limit=2))
    with hall.held("many"):
        hall.queue("many 2", "many")
        hall.queue("new 1", "one", body=lambda: hall.queue("new 2", "two"))
    assert hall.order == ["new 1", "many 2", "new 2"]


def test_what_nobody_waits_for_comes_after_everybody() -> None:
    hall = Hall(Turns(limit=4))
    with hall.held("many"):
        hall.queue("spare", spare=True)
        hall.queue("many 2", "many")  # even behind who had a turn already
        hall.queue("spare 2", spare=True)
        hall.queue("new", "new")
        with ThreadPoolExecutor(1) as pool, pytest.raises(BusyError):
            pool.submit(hall.turns.turn(spare=True).__enter__).result(PATIENCE)
        hall.queue("third")  # a place that is only spare is taken from nobody
    assert hall.order == ["new", "third", "many 2", "spare", "spare 2"]


def test_the_line_is_bounded() -> None:
    hall = Hall(Turns(limit=2))
    with hall.held():
        hall.queue("a")
        hall.queue("b")
        with ThreadPoolExecutor() as pool:  # this thread has the turn
            refused = pool.submit(lambda: hall.turns.turn().__enter__()).exception(PATIENCE)
        assert isinstance(refused, BusyError)
        assert str(refused) == (
            "the server is busy (2 visitors are waiting); try again in a minute"
        )
    assert hall.order == ["a", "b"]
    assert issubclass(BusyError, RustsegError)
    with hall.turns.turn() as mine:  # and there is room again
        assert mine


class Left(BaseException):
    """What Streamlit raises in a script whose visitor left is no Exception either."""


def test_who_leaves_while_waiting_gives_the_place_up() -> None:
    hall = Hall(Turns())
    gone = threading.Event()

    def leave(_: Place) -> None:
        if gone.is_set():
            raise Left

    with hall.held():
        hall.queue("a", show=leave)
        hall.queue("b")
        gone.set()
        hall.threads[0].join(PATIENCE)  # noticed without anybody's turn ending
        assert isinstance(hall.failed["a"], Left)
        assert hall.turns.waiting == 1
    assert hall.order == ["b"]


def test_who_leaves_when_the_turn_comes_gives_it_on() -> None:
    hall = Hall(Turns())

    def leave(place: Place) -> None:
        if place.before == 0:
            raise Left

    with hall.held():
        hall.queue("a", show=leave)
        hall.queue("b")
    assert hall.order == ["b"]


def test_a_failing_turn_is_given_back() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.turn():
        raise ZeroDivisionError
    with turns.turn() as mine:
        assert mine


def test_a_turn_inside_a_turn_is_the_same_turn() -> None:
    turns = Turns()
    with turns.turn() as outer, turns.turn() as inner:
        assert outer
        assert inner
    with turns.turn() as mine:
        assert mine


def test_the_wait_is_estimated_from_the_turns_before() -> None:
    now = [0.0]
    turns = Turns(clock=lambda: now[0])
    hall = Hall(turns)
    with hall.held():
        hall.queue("a")
        assert hall.places["a"][0] == Place(1, None)  # nothing is known yet
        now[0] = 6.0
    # One of 6 s and a's own of 0 s: 3 s each. 2 s of the turn under way are over.
    hall = Hall(turns)
    with hall.held():
        now[0] = 8.0
        hall.queue("b")
        hall.queue("c")
        assert hall.places["b"][0] == Place(1, 1.0)
        assert hall.places["c"][0] == Place(2, 4.0)


def test_places_in_words() -> None:
    assert Place(1).words() == "1 ahead of you"
    assert Place(3, 4.4).words() == "3 ahead of you, about 4 s"
    assert Place(1, 0.1).words() == "1 ahead of you, about 1 s"


def test_an_answer_is_computed_once_however_many_ask() -> None:
    turns = Turns()
    answers = Answers(turns, size=4, seconds=60)
    calls: list[str] = []
    begun, go_on, waiting = threading.Event(), threading.Event(), threading.Event()
    got: list[str] = []

    def work() -> str:
        calls.append("x")
        begun.set()
        assert go_on.wait(PATIENCE)
        return "answer"

    first = threading.Thread(target=lambda: got.append(answers.get("x", work)))
    first.start()
    assert begun.wait(PATIENCE)
    second = threading.Thread(
        target=lambda: got.append(answers.get("x", work, lambda _: waiting.set()))
    )
    second.start()
    assert waiting.wait(PATIENCE)
    go_on.set()
    for thread in (first, second):
        thread.join(PATIENCE)
    assert got == ["answer", "answer"]
    assert calls == ["x"]


def test_who_waits_for_a_known_answer_needs_no_turn() -> None:
    turns = Turns()
    answers = Answers(turns, size=4, seconds=60)
    assert answers.get("x", lambda: 1) == 1
    got: list[int] = []
    with turns.turn():  # somebody else's
        thread = threading.Thread(target=lambda: got.append(answers.get("x", lambda: 2)))
        thread.start()
        thread.join(PATIENCE)
        assert got == [1]


def test_an_error_is_raised_and_not_kept() -> None:
    answers = Answers(Turns(), size=4, seconds=60)
    with pytest.raises(ZeroDivisionError):
        answers.get("x", lambda: 1 // 0)
    assert answers.get("x", lambda: None) is None
    assert answers.get("x", lambda: 1) is None  # None is an answer like any other


def test_answers_are_kept_for_a_time_and_the_unused_go_first() -> None:
    now = [0.0]
    answers = Answers(Turns(), size=2, seconds=10, clock=lambda: now[0])
    for key in ("a", "b", "a", "c"):  # a was used after b
        answers.get(key, lambda key=key: key)
    assert answers.get("a", lambda: "again") == "a"
    assert answers.get("b", lambda: "again") == "again"
    now[0] = 11.0
    assert answers.get("a", lambda: "later") == "later"


def test_what_is_forgotten_is_computed_anew_even_if_that_was_under_way() -> None:
    answers = Answers(Turns(), size=4, seconds=60)
    for key in ("a", 1), ("a", 2), ("b", 1):
        answers.get(key, lambda: "old")
    answers.forget(lambda key: key[0] == "a")
    assert [answers.get(key, lambda: "new") for key in (("a", 1), ("b", 1))] == ["new", "old"]

    def work() -> str:
        answers.forget(lambda key: key[0] == "c")
        return "late"

    assert answers.get(("c", 1), work) == "late"
    assert answers.get(("c", 1), lambda: "new") == "new"


def test_a_page_shows_its_place_in_line(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pages.server import line as waiting

    said: list[str] = []
    real, shown, held = Place.words, threading.Event(), threading.Event()

    def words(place: Place) -> str:
        said.append(real(place))
        shown.set()
        return said[-1]

    def hold() -> None:
        with waiting._turns().turn():
            held.set()
            assert shown.wait(PATIENCE)

    monkeypatch.setattr(Place, "words", words)
    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(PATIENCE)
    app.query_params["sample"] = "skimage-rocket"
    app.run()
    other.join(PATIENCE)
    assert said[0] == "1 ahead of you"
    assert app.header  # answered
    assert not any("In the queue" in caption.value for caption in app.caption)


def test_a_full_line_is_said_on_the_page(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pages.server import line as waiting

    monkeypatch.setattr(waiting, "_turns", lambda: Turns(limit=0))
    app.query_params["sample"] = "skimage-rocket"
    app.run()
    assert not app.exception
    assert "try again in a minute" in app.error[0].value
