"""Prepare the next photo while an expert works on the current one.

The work runs in the queue's spare time, one photo per session at a time, so that it delays a
visitor by one photo at most.
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
    """Prefetch of one session: only the photo requested last is prepared."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: ChosenPhoto | None = None
        self._thread: threading.Thread | None = None

    def want(self, case: ChosenPhoto | None) -> None:
        """Prepare this photo next; a request that is still waiting in the queue is dropped."""
        with self._lock:
            self._wanted = case
            if case is not None and self._thread is None:
                self._thread = threading.Thread(target=self._work, name="ahead", daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Wait until no work is running; for tests and measurements."""
        if thread := self._thread:
            thread.join()

    def _work(self) -> None:
        while case := self._take():
            try:
                workbench.bench_ahead(case, given_up=lambda: self._wanted is not None)
            except rs.RustsegError:
                pass  # shown to the visitor who opens the photo
            except Exception:
                _log.exception("the next photo could not be prepared")

    def _take(self) -> ChosenPhoto | None:
        with self._lock:
            case, self._wanted = self._wanted, None
            if case is None:
                self._thread = None
            return case
