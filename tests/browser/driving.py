"""A real server and a real browser: how tests start and drive them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rustseg_jax.runtime import cache_folder

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120  # a busy machine imports slowly
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
STALE = '[data-stale="true"]'  # drawn by the run before; faded while the next one is under way


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("localhost", 0))
        return int(s.getsockname()[1])


def settings_of_canvas(saves: Path) -> dict[str, str]:
    """Settings of canvas_app.py: where it saves, and where it finds the app's components."""
    return {"CANVAS_FOLDER": str(saves), "PYTHONPATH": str(ROOT)}


class Server:
    """A Streamlit script with the app's own configuration; it can be started again on its port."""

    def __init__(self, script: Path, log: Path, settings: dict[str, str]) -> None:
        self.script, self.log, self.settings = script, log, settings
        self.port = _free_port()
        self.url = f"http://localhost:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "streamlit", "run", str(self.script)]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [*command, "--server.port", str(self.port)],
                cwd=ROOT, env=os.environ | self.settings, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            if self._healthy():
                return
            time.sleep(0.2)
        self.stop()
        pytest.fail(f"{self.script.name} did not start:\n{self.log.read_text()}")

    def _healthy(self) -> bool:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{self.url}/_stcore/health") as r,
        ):
            return int(r.status) == 200
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(timeout=30)


def settings_of_app(folder: Path, weights: Path) -> dict[str, str]:
    """Settings of an app with these weights, its caches in `folder` and its labels in `labels`.

    Programs that another app or an earlier run compiled are found again.
    """
    (folder / "cache").mkdir()
    if (programs := cache_folder("tests/apps")) is not None:
        (folder / "cache" / "xla").symlink_to(programs)
    return {
        "RUSTSEG_MODEL": str(weights),
        "RUSTSEG_CACHE": str(folder / "cache"),
        "RUSTSEG_LABELS": str(folder / "labels"),
        "XLA_FLAGS": "",  # one device, as visitors have it
    }


@contextlib.contextmanager
def serving(script: Path, log: Path, settings: dict[str, str]) -> Iterator[str]:
    """Run a script; its address."""
    server = Server(script, log, settings)
    try:
        yield server.url
    finally:
        server.stop()


def settle(page: Any) -> None:
    """Wait until the script has run and its pictures are there."""
    page.wait_for_selector(IDLE)
    page.wait_for_selector('[data-testid="stHeading"]')
    page.wait_for_function("[...document.images].every(image => image.complete)")
