"""Stages and tour in a real browser: addresses, sliders, the player, files, phones."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Visit = Callable[..., Any]
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
STRIP = "nav a"


def _settled(page: Any) -> None:
    page.wait_for_selector(IDLE)
    page.wait_for_function("[...document.images].every(image => image.complete)")


def _gone_to(page: Any, words: str) -> None:
    page.wait_for_selector(f'h2:has-text("{words}")')
    page.wait_for_selector(IDLE)


def test_the_strip_goes_to_a_step_and_its_address_opens_afresh(visit: Visit) -> None:
    page = visit("/compare?sample=pipe&rule=otsu")
    link = page.locator(STRIP, has_text="Threshold")
    assert "rule=otsu" in link.get_attribute("href")
    assert "step=threshold" in link.get_attribute("href")
    link.focus()
    link.press("Enter")
    _gone_to(page, "Threshold and rough mask")
    assert "step=threshold" in page.url
    assert page.locator(f"{STRIP}[aria-current=step]").inner_text().endswith("Threshold")
    page.go_back()
    _gone_to(page, "What the network sees")
    page.go_forward()
    _gone_to(page, "Threshold and rough mask")
    again = visit(page.url.removeprefix(page.evaluate("location.origin")))
    assert again.locator("h2").inner_text() == "5. Threshold and rough mask"
    assert "otsu rule" in again.locator("p", has_text="At the threshold").inner_text()


def test_the_player_shows_each_update_and_keeps_it_in_the_address(visit: Visit) -> None:
    page = visit("/compare?sample=pipe&step=crf&update=0")
    range_ = page.get_by_role("slider", name="CRF update")
    caption = page.locator("figcaption[aria-live]")
    assert range_.input_value() == "0"
    assert "Before the first update" in caption.inner_text()
    last = int(range_.get_attribute("max"))
    assert page.locator(".frames img.on").count() == 1
    range_.focus()
    range_.press("ArrowRight")
    page.wait_for_url("**update=1")
    assert "After update 1" in caption.inner_text()
    page.wait_for_selector(IDLE)
    assert range_.input_value() == "1"  # the run that followed left it there
    page.get_by_role("button", name="Play").click()
    page.wait_for_url(f"**update={last}")
    assert range_.input_value() == str(last)
    assert page.locator(".frames img.on").get_attribute("alt").startswith(f"After update {last}")


def test_two_stages_with_a_slider_from_a_link(visit: Visit) -> None:
    page = visit("/compare?sample=pipe&view=side&left=heat&right=diff-verdict")
    page.wait_for_selector("input[type=range]")
    tags = page.locator(".stage .tag").all_inner_texts()
    assert set(tags) == {"Heat map, enlarged", "Difference, mask"}
    divider = page.get_by_role("slider", name="Divider between")
    divider.focus()
    divider.press("ArrowRight")
    assert divider.input_value() == "51"
    page.get_by_role("combobox", name="Left").click()
    page.get_by_role("option", name="Rough mask", exact=True).click()
    page.wait_for_url("**left=rough**")
    page.wait_for_selector(IDLE)
    assert "Rough mask" in page.locator(".stage .tag").all_inner_texts()
    assert "right=diff-verdict" in page.url


def test_the_figure_comes_as_png_and_pdf(visit: Visit) -> None:
    page = visit("/compare?sample=pipe")
    page.get_by_role("button", name="Download figure").click()
    files = {}
    for form in ("PNG", "PDF"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=form, exact=True).click()
        assert waiting.value.suggested_filename == f"pipe.stages.{form.lower()}"
        files[form] = Path(waiting.value.path()).read_bytes()
    assert Image.open(io.BytesIO(files["PNG"])).width == 2200
    assert files["PDF"].startswith(b"%PDF-")
    assert files["PDF"].rstrip().endswith(b"%%EOF")


def test_formulas_are_set_without_an_outside_request(visit: Visit) -> None:
    page = visit("/compare?step=scores")  # `visit` fails on any request to another host
    page.get_by_text("Formula", exact=True).click()
    page.wait_for_selector(".katex")
    assert page.evaluate("document.fonts.ready.then(() => true)")
    drawing = page.locator('[role="img"] svg')
    colour = drawing.locator("text").first.evaluate("e => getComputedStyle(e).fill")
    assert colour == "rgb(13, 24, 35)"  # the theme's


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_it_fits_and_every_picture_is_named(visit: Visit, width: int, scheme: str) -> None:
    for path in (
        "/compare?step=truth", "/compare?view=side&layout=grid", "/compare?step=threshold",
        "/tour?step=8", "/tour?step=5",
    ):  # fmt: skip
        page = visit(path, width=width, scheme=scheme)
        _settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide = page.evaluate(
            "w => [...document.querySelectorAll('h1, h2, p, img, button, svg')]"
            ".filter(e => e.checkVisibility() && e.getBoundingClientRect().right > w + 1)"
            ".map(e => e.outerHTML.slice(0, 200))",
            width,
        )
        assert wide == []
        assert page.evaluate("[...document.images].every(i => i.hasAttribute('alt'))")


def test_the_tour_goes_on_by_keyboard_and_leads_to_the_stages(visit: Visit) -> None:
    page = visit("/tour?step=8")
    assert page.locator("h1").inner_text() == "Where it fails: look-alikes"
    onward = page.get_by_role("button", name="Next")
    onward.focus()
    onward.press("Enter")
    page.wait_for_url("**step=9")
    page.wait_for_selector('h1:has-text("small rust")')
    page.wait_for_selector(IDLE)
    page.get_by_role("link", name="See every stage").click()
    page.wait_for_selector('h1:has-text("stage by stage")')
    page.locator(STRIP, has_text="True mask").wait_for()  # its true mask is known
    assert "/compare?case=" in page.url
