"""A real browser on a real server: the app with the redness network, watched for trouble."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser.driving import (
    FLAGS,
    ROOT,
    START_SECONDS,
    serving,
    settings_of_app,
    settings_of_canvas,
    settle,
)
from hand_made import save_measurements, save_redness


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True)
class Parts:
    """The server of parts_app.py: its address, its log, and what the canvas saved."""

    url: str
    log: Path
    saves: Path


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The labels folder of the app that `server` is."""
    return tmp_path_factory.mktemp("app") / "labels"


@pytest.fixture(scope="session")
def server(labels: Path) -> Iterator[str]:
    """The address of the running app."""
    folder = labels.parent
    weights = save_redness(folder / "tiny.safetensors")
    save_measurements(weights)
    log = folder / "log.txt"
    with serving(ROOT / "app.py", log, settings_of_app(folder, weights)) as url:
        yield url
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """The server of the small apps, each of which shows one part of the app by itself."""
    folder = tmp_path_factory.mktemp("parts")
    log, saves = folder / "log.txt", folder / "saves"
    script = Path(__file__).with_name("parts_app.py")
    with serving(script, log, settings_of_canvas(saves)) as url:
        yield Parts(url, log, saves)
    _, *failures = log.read_text().split("Traceback (most recent call last)")
    wrong = [failure for failure in failures if "secret of the" not in failure]  # broken_app.py
    assert not wrong, log.read_text()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's chromium, driven by Playwright."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def visit(
    browser: Any, server: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Any]]:
    """Open the app: visit("/?sample=pipe", width=390, scheme="dark") returns the page.

    At the end of the test any console error, page error or request to another host fails it.
    Of a test that failed, a screenshot of each page lies in its temporary folder.
    """
    trouble: list[str] = []
    pages: list[Any] = []

    def open_page(path: str = "/", *, width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        page = context.new_page()
        page.set_default_timeout(1000 * START_SECONDS)
        page.on("console", lambda m: _hear(m, trouble))
        page.on("pageerror", lambda error: trouble.append(f"page error: {error}"))
        page.on("request", lambda request: _watch(request.url, trouble))
        page.goto((server + path).replace("/?", "?").rstrip("/"))
        settle(page)
        pages.append(page)
        return page

    yield open_page
    for number, page in enumerate(pages):
        if not page.is_closed():
            trouble += [f"a broken picture: {source}" for source in page.evaluate(BROKEN)]
        if trouble or request.node.stash.get(FAILED, True):
            page.screenshot(path=tmp_path / f"page-{number}.png", full_page=True)
        page.context.close()
    assert not trouble, "\n".join(trouble)


# Streamlit forgets the pictures of a run that another one has replaced; a browser that asks for one
# just then gets a 404 for what it no longer shows. What it does show must be whole.
_REPLACED = re.compile(r"/media/[0-9a-f]+\.\w+$")
BROKEN = """() => [...document.images]
  .filter(image => image.complete && !image.naturalWidth).map(image => image.src)"""

# Opened at /many, Streamlit first asks whether the server lives there, before it asks at /.
_ASKED = re.compile(r"/[a-z]+/_stcore/(health|host-config)")


def _hear(message: Any, trouble: list[str]) -> None:
    path = urlsplit(message.location["url"]).path
    replaced = _REPLACED.search(path) or (
        message.text.startswith("Client Error: Image source error")
        and _REPLACED.search(message.text)
    )
    if message.type == "error" and not _ASKED.fullmatch(path) and not replaced:
        trouble.append(message.text)


def _watch(url: str, trouble: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("data", "blob") and parts.hostname != "localhost":
        trouble.append(f"a request left the machine: {url}")
