"""The before/after slider in a real browser: mouse, touch, keys, reruns, themes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

Visit = Callable[..., Any]
STAGE = '[data-testid="stBidiComponentIsolated"] .stage'
GLIDE = 300  # milliseconds, longer than the divider's transition


@pytest.fixture
def server(parts: Any) -> str:
    """The address of slider_app.py; what `visit` opens."""
    return f"{parts.url}/slider"


def _open(visit: Visit, path: str = "/", **options: Any) -> Any:
    """A page whose slider is there with both pictures."""
    page = visit(path, **options)
    page.wait_for_selector(STAGE)
    _loaded(page)
    return page


def _loaded(page: Any) -> None:
    """Wait for both pictures; a page's own list of images does not show those of a component."""
    page.locator(STAGE).evaluate(
        "stage => Promise.all([...stage.querySelectorAll('img')].map(image => image.decode()))"
    )


def _at(page: Any) -> float:
    """Where blue meets red, in percent of the width; read from the pixels, away from the grip."""
    shot = Image.open(io.BytesIO(page.locator(STAGE).screenshot())).convert("RGB")
    row = np.asarray(shot).astype(int)[round(shot.height * 0.8)]
    blue = row[:, 2] > row[:, 0] + 60
    red = row[:, 0] > row[:, 2] + 60
    assert blue.sum() + red.sum() > 0.95 * shot.width  # the line is thin
    if blue.any() and red.any():
        assert np.flatnonzero(blue).max() < np.flatnonzero(red).min()
    return 100 * (blue.sum() + (shot.width - blue.sum() - red.sum()) / 2) / shot.width


def _box(page: Any) -> dict[str, float]:
    return page.locator(STAGE).bounding_box()  # type: ignore[no-any-return]


def _spot(page: Any, percent: float, height: float = 0.3) -> tuple[float, float]:
    box = _box(page)
    return box["x"] + box["width"] * percent / 100, box["y"] + box["height"] * height


def _runs(page: Any) -> str:
    return page.get_by_text("runs ").inner_text()  # type: ignore[no-any-return]


def _redder(page: Any) -> None:
    """Change the right picture alone; the script runs again."""
    runs = int(_runs(page).split()[1])
    handle = page.locator(".st-key-red").get_by_role("slider")
    handle.focus()
    handle.press("ArrowRight")
    page.wait_for_selector(f"text=runs {runs + 1}")
    page.wait_for_timeout(GLIDE)
    _loaded(page)


def _range(page: Any) -> Any:
    return page.get_by_role("slider", name="Divider between")


def test_it_begins_where_it_was_told(visit: Visit) -> None:
    page = _open(visit)
    assert _at(page) == pytest.approx(40, abs=0.5)
    assert _range(page).input_value() == "40"
    box = _box(page)
    assert box["width"] / box["height"] == pytest.approx(1.5, abs=0.01)


def test_the_mouse_drags_from_anywhere_and_runs_no_script(visit: Visit) -> None:
    page = _open(visit)
    page.mouse.move(*_spot(page, 85))  # far from the divider
    page.mouse.down()
    page.wait_for_timeout(GLIDE)
    assert _at(page) == pytest.approx(85, abs=0.6)
    page.mouse.move(*_spot(page, 60), steps=5)
    page.mouse.move(*_spot(page, 22, 0.9), steps=5)
    assert _at(page) == pytest.approx(22, abs=0.6)
    page.mouse.move(0, _spot(page, 0)[1])  # out of the picture: to its edge and no further
    assert _at(page) == pytest.approx(0, abs=0.6)
    page.mouse.move(*_spot(page, 70))
    page.mouse.up()
    page.mouse.move(*_spot(page, 10))  # let go: it stays
    assert _at(page) == pytest.approx(70, abs=0.6)
    assert _range(page).get_attribute("aria-valuetext") == "70 % Photo, 30 % Overlay"
    page.wait_for_timeout(500)
    _redder(page)
    assert _runs(page) == "runs 2"  # the drag caused none


def test_the_right_mouse_button_is_the_browsers(visit: Visit) -> None:
    page = _open(visit)
    page.mouse.move(*_spot(page, 85))
    page.mouse.down(button="right")
    page.mouse.up(button="right")
    assert _range(page).input_value() == "40"


def test_keys_move_it_and_the_focus_is_seen(visit: Visit) -> None:
    page = _open(visit)
    calm = page.locator(STAGE).screenshot()
    for _ in range(20):
        page.keyboard.press("Tab")
        if _range(page).evaluate("e => e.getRootNode().activeElement === e"):
            break
    else:
        pytest.fail("the slider cannot be reached with Tab")
    page.wait_for_timeout(GLIDE)
    shown = page.locator(STAGE).screenshot()
    assert _ring(shown) > 100 > _ring(calm)
    for key, at in (("ArrowRight", 41), ("ArrowUp", 42), ("ArrowLeft", 41), ("ArrowDown", 40),
                    ("PageUp", 50), ("Home", 0), ("End", 100)):  # fmt: skip
        page.keyboard.press(key)
        page.wait_for_timeout(GLIDE)
        assert _at(page) == pytest.approx(at, abs=0.6), key
        words = f"{at} % Photo, {100 - at} % Overlay"
        assert _range(page).get_attribute("aria-valuetext") == words


def _ring(shot: bytes) -> int:
    """Number of pixels in the colour of the focus ring."""
    pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)
    return int((np.abs(pixels - (0x0B, 0x69, 0xB7)).max(axis=2) < 12).sum())


def test_arrow_keys_work_after_a_click(visit: Visit) -> None:
    page = _open(visit)
    page.mouse.click(*_spot(page, 30))
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(GLIDE)
    assert _at(page) == pytest.approx(31, abs=0.6)


def test_a_new_right_picture_keeps_the_place_and_is_all_that_is_fetched(visit: Visit) -> None:
    page = _open(visit)
    page.mouse.click(*_spot(page, 63))
    fetched: list[str] = []
    page.on("request", lambda r: fetched.append(r.url) if "/media/" in r.url else None)
    _redder(page)
    page.wait_for_timeout(GLIDE)
    assert _at(page) == pytest.approx(63, abs=0.6)
    assert len(fetched) == 1
    x, y = (round(v) for v in (_box(page)["width"] * 0.9, _box(page)["height"] * 0.8))
    shot = Image.open(io.BytesIO(page.locator(STAGE).screenshot())).convert("RGB")
    np.testing.assert_allclose(shot.getpixel((x, y)), (250, 0, 0), atol=4)


def test_it_comes_back_where_it_was_left(visit: Visit) -> None:
    page = _open(visit)
    page.mouse.click(*_spot(page, 77))
    page.get_by_text("Shown").click()
    page.wait_for_selector(STAGE, state="detached")
    page.get_by_text("Shown").click()
    page.wait_for_selector(STAGE)
    _loaded(page)
    assert _at(page) == pytest.approx(77, abs=0.6)


class Finger:
    """Touches as the browser gets them from a screen: it decides itself what scrolls."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.wire = page.context.new_cdp_session(page)
        self.wire.send("Emulation.setTouchEmulationEnabled", {"enabled": True})

    def _send(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y} for x, y in points]
        self.wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        self.page.wait_for_timeout(30)

    def swipe(self, *, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._send("touchStart", start)
        for part in np.linspace(0.1, 1, 10):
            x, y = (a + float(part) * (b - a) for a, b in zip(start, end, strict=True))
            self._send("touchMove", (x, y))
        self._send("touchEnd")
        self.page.wait_for_timeout(GLIDE)

    def tap(self, point: tuple[float, float]) -> None:
        self._send("touchStart", point)
        self._send("touchEnd")
        self.page.wait_for_timeout(GLIDE)


def _scrolled(page: Any) -> float:
    script = "document.querySelector('[data-testid=stMain]').scrollTop"
    return page.evaluate(script)  # type: ignore[no-any-return]


def test_a_finger_drags_sideways_taps_and_scrolls_the_page(visit: Visit) -> None:
    page = _open(visit, width=390)
    finger = Finger(page)
    finger.swipe(start=_spot(page, 40), end=_spot(page, 80))
    assert _at(page) == pytest.approx(80, abs=1)
    assert _scrolled(page) == 0
    finger.tap(_spot(page, 25))
    assert _at(page) == pytest.approx(25, abs=1)
    x, y = _spot(page, 60, 0.9)
    finger.swipe(start=(x, y), end=(x + 3, y - 150))
    assert _scrolled(page) > 80
    assert _at(page) == pytest.approx(25, abs=1)  # the scroll did not move the divider
    assert _runs(page) == "runs 1"


def test_labels_are_text_and_pictures_are_named(visit: Visit) -> None:
    page = _open(visit, "/?hostile")
    assert page.locator(f"{STAGE} b").count() == 0
    hostile = '<b onclick="alert(1)">**Red** & </b>'
    assert page.locator(f"{STAGE} .after .tag").inner_text() == hostile
    assert _range(page).get_attribute("aria-valuetext") == f"40 % Photo, 60 % {hostile}"
    assert page.get_by_role("img", name="All blue").count() == 1
    assert page.get_by_role("img", name="All red").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_in_both_themes(visit: Visit, width: int, scheme: str) -> None:
    page = _open(visit, width=width, scheme=scheme)
    box = _box(page)
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["width"] > 0.8 * width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tags = [page.locator(f"{STAGE} .{s} .tag").bounding_box() for s in ("before", "after")]
    assert tags[0]["x"] + tags[0]["width"] < tags[1]["x"]
    assert _at(page) == pytest.approx(40, abs=0.6)


def test_an_upright_picture_fits_on_the_screen(visit: Visit) -> None:
    box = _box(_open(visit, "/?tall"))
    assert box["height"] <= 0.81 * 900
    assert box["width"] / box["height"] == pytest.approx(2 / 3, abs=0.01)


def test_calm_where_calm_is_asked_for(visit: Visit) -> None:
    page = _open(visit)
    line = page.locator(f"{STAGE} .line")
    _range(page).press("Home")  # a leap glides
    duration = "e => getComputedStyle(e).transitionDuration"
    assert line.evaluate(duration) == "0.12s"
    page.emulate_media(reduced_motion="reduce")
    assert line.evaluate(duration) == "0s"
