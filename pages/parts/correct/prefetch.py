"""The photo that is next is made ready while an expert works on the one before.

It takes its turn at the model when no visitor wants one, and it is one photo a session at a
time: so whoever comes meanwhile waits for one photo at most.
"""

from __future__ import annotations

import logging
import threading

import rustseg_jax as rs
from pages.parts.correct import workbench
from pages.shared.cases import ChosenPhoto

__all__ = ["Ahead"]

_log = logging.getLogger("rustseg.pages")


class Ahead:
    """What one session wants to be ready: the last photo that it named, nothing before that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: ChosenPhoto | None = None
        self._thread: threading.Thread | None = None

    def want(self, case: ChosenPhoto | None) -> None:
        """Make this photo ready next; one that still waits for its turn is given up for it."""
        with self._lock:
            self._wanted = case
            if case is not None and self._thread is None:
                self._thread = threading.Thread(target=self._work, name="ahead", daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Wait until nothing is under way; for tests and measurements."""
        if thread := self._thread:
            thread.join()

    def _work(self) -> None:
        while case := self._take():
            try:
                workbench.bench_ahead(case, given_up=lambda: self._wanted is not None)
            except rs.RustsegError:
                pass  # it is told to whoever opens the photo
            except Exception:
                _log.exception("the next photo could not be made ready")

    def _take(self) -> ChosenPhoto | None:
        with self._lock:
            case, self._wanted = self._wanted, None
            if case is None:
                self._thread = None
            return case
