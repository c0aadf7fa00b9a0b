"""The canvas as a hand uses it: strokes, keys and saves in pixels of the photo."""

from __future__ import annotations

from typing import Any

from browser.driving import IDLE

SAVED = ".status .saved"


class Canvas:
    """A canvas on a page, in pixels of the photo."""

    def __init__(self, page: Any) -> None:
        self.page = page
        page.wait_for_selector(IDLE)
        page.wait_for_selector(".app")
        page.wait_for_selector(".app .loading", state="hidden")
        page.locator(".stage").scroll_into_view_if_needed()
        page.locator(".stage").focus()

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where the middle of a pixel is on the screen."""
        where = """(image, [x, y]) => {
          const box = image.getBoundingClientRect(), scale = box.width / image.offsetWidth
          return [box.left + (x + 0.5) * scale, box.top + (y + 0.5) * scale]
        }"""
        return tuple(self.page.locator(".photo").evaluate(where, [x, y]))

    def drag(self, *points: tuple[float, float], button: str = "left") -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(*points[0]))
        mouse.down(button=button)
        for point in points[1:]:
            mouse.move(*self.at(*point), steps=5)
        mouse.up(button=button)

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))

    def fill(self, x: float, y: float) -> None:
        """Click with the fill tool and wait for its result: large fills let the page breathe."""
        before = self.area()
        self.click(x, y)
        self.page.locator(".area .now").filter(has_not_text=before).wait_for()

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def area(self) -> str:
        return self.page.locator(".area .now").inner_text()

    def wait_saved(self, text: str = "Saved") -> None:
        self.page.locator(SAVED).get_by_text(text, exact=text == "Saved").wait_for()

    def save(self) -> None:
        self.keys("Control+s")
        self.wait_saved()

    def runs(self) -> str:
        return self.page.get_by_text("runs ").inner_text()
