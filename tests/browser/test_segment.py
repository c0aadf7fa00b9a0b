"""The first page in a real browser: what no test without one can show."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from hand_made import picture
from PIL import Image

from rustseg_jax.drawing.encode import png

Visit = Callable[..., Any]
SAMPLE = "skimage-rocket"
VERDICT = '.st-key-verdict h2:has-text("orrosion found")'
PICTURES = ".st-key-stage img"
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def _upload(page: Any, name: str, data: bytes) -> None:
    page.set_input_files(
        '[data-testid="stFileUploader"] input[type=file]',
        {"name": name, "mimeType": "image/png", "buffer": data},
    )


def _sources(page: Any) -> list[str]:
    """Where the picture of the result comes from; it is drawn a moment after the words."""
    page.wait_for_selector(PICTURES)
    return [i.get_attribute("src") for i in page.query_selector_all(PICTURES)]


def test_upload_reload_download(visit: Visit) -> None:
    page = visit()
    _upload(page, "gate.png", png(picture(rusty=True)))
    page.wait_for_selector(VERDICT)
    assert "case=" in page.url
    page.reload()
    page.wait_for_selector(VERDICT)
    page.wait_for_selector(IDLE)
    files = {}
    for label in ("Mask (PNG)", "Overlay (PNG)", "Data (JSON)"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=label).click()
        files[label] = Path(waiting.value.path()).read_bytes()
        assert waiting.value.suggested_filename.startswith("photo-")
    mask = np.asarray(Image.open(io.BytesIO(files["Mask (PNG)"])))
    assert mask.shape == (96, 128)
    assert mask.mean() == 255 * 0.25
    assert Image.open(io.BytesIO(files["Overlay (PNG)"])).size == (128, 96)
    assert json.loads(files["Data (JSON)"])["area"] == 0.25


def _press(page: Any, name: str, key: str) -> None:
    """Press a key on a slider and wait until the picture is another one."""
    before = _sources(page)[-1]
    page.get_by_role("slider", name=name).press(key)
    page.wait_for_function(
        "old => [...document.querySelectorAll('.st-key-stage img')].every("
        "image => image.getAttribute('src') !== old && image.complete)",
        arg=before,
    )
    page.wait_for_selector(IDLE)


def _fading() -> bytes:
    """Steel on which rust fades out from left to right, with a little noise."""
    photo = picture(rusty=True).astype(np.float64)
    photo[24:72] = np.linspace(photo[48, 64], photo[0, 0], 128)
    noise = np.random.default_rng(0).normal(0, 6, photo.shape)
    return png(np.clip(photo + noise, 0, 255).astype(np.uint8))


def test_controls_change_picture_words_and_address_and_reload_keeps_them(visit: Visit) -> None:
    page = visit()
    _upload(page, "gate.png", _fading())
    page.wait_for_selector(VERDICT)
    page.wait_for_selector(IDLE)
    first = page.inner_text(VERDICT)
    _press(page, "Less or more rust", "ArrowRight")
    _press(page, "Less or more rust", "ArrowRight")
    assert "rust=2" in page.url
    _press(page, "Looser or tighter edges", "ArrowLeft")
    assert "edges=-1" in page.url
    page.get_by_role("radio", name="Outline").click()
    page.wait_for_url("**style=line**")
    page.wait_for_selector('.st-key-stage :text("Inside the blue outline")')
    turned = page.inner_text(VERDICT)
    assert turned != first
    page.reload()
    page.wait_for_selector(VERDICT)
    page.wait_for_selector(IDLE)
    assert page.inner_text(VERDICT) == turned
    assert page.get_by_role("slider", name="Less or more rust").input_value() == "2"
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Data (JSON)").click()
    facts = json.loads(Path(waiting.value.path()).read_bytes())
    assert facts["turned"] == {"rust": 2, "edges": -1}
    assert facts["config"]["crf"]["bilateral_compat"] == 5
    page.get_by_role("button", name="Reset to defaults").click()
    page.wait_for_function(
        "([where, words]) => document.querySelector(where)?.innerText === words",
        arg=['[class*="st-key-verdict"] h2', first],
    )
    assert "rust=" not in page.url
    page.go_back()  # the steps can be gone back, too
    page.wait_for_url("**rust=2**")
    page.wait_for_selector(IDLE)
    page.wait_for_function(
        "([where, words]) => document.querySelector(where)?.innerText === words",
        arg=['[class*="st-key-verdict"] h2', turned],
    )


def _steel(page: Any) -> Any:
    """The photo on which the steel is marked, in full on the screen."""
    stage = page.locator('[data-testid="stBidiComponentIsolated"]')
    stage.locator("img").wait_for()
    stage.locator(".stage").evaluate("e => e.scrollIntoView({block: 'center'})")
    return stage


def _spot(stage: Any, x: float, y: float) -> tuple[float, float]:
    box = stage.locator(".stage").bounding_box()
    return box["x"] + box["width"] * x, box["y"] + box["height"] * y


def _drag(page: Any, stage: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*_spot(stage, *start))
    page.mouse.down()
    page.mouse.move(*_spot(stage, *end), steps=4)
    page.mouse.up()


def _marked(page: Any, count: int) -> list[int]:
    """The corners in the address once there are so many numbers, in 1/10000."""
    page.wait_for_function(
        "n => (new URL(location).searchParams.get('surface') ?? '').split('.').length === n",
        arg=count,
    )
    page.wait_for_selector(IDLE)
    query = parse_qs(urlsplit(page.url).query)
    return [int(word) for word in query["surface"][0].split(".")]


def test_the_steel_is_marked_with_the_mouse(visit: Visit) -> None:
    page = visit()
    _upload(page, "gate.png", png(picture(rusty=True)))
    page.wait_for_selector(VERDICT)
    page.get_by_role("button", name="Mark the steel").click()
    stage = _steel(page)
    _drag(page, stage, (0.2, 0.2), (0.5, 0.6))
    assert _marked(page, 4) == pytest.approx([2000, 2000, 5000, 6000], abs=40)
    page.wait_for_selector(f'{VERDICT}:has-text("of the marked steel")')
    stage = _steel(page)
    _drag(page, stage, (0.5, 0.6), (0.8, 0.8))  # a corner; the opposite one stays
    page.wait_for_function("!location.search.includes('.6000') && !location.search.includes('.5')")
    assert _marked(page, 4) == pytest.approx([2000, 2000, 8000, 8000], abs=80)
    stage.get_by_role("button", name="Polygon").click()
    for x, y in ((0.1, 0.2), (0.9, 0.2), (0.5, 0.8), (0.1, 0.2)):
        page.mouse.click(*_spot(stage, x, y))
    assert _marked(page, 6) == pytest.approx([1000, 2000, 9000, 2000, 5000, 8000], abs=40)
    page.reload()
    page.wait_for_selector(f'{VERDICT}:has-text("of the marked steel")')
    stage = _steel(page)
    assert stage.locator(".corner:not(.between)").count() == 3
    stage.get_by_role("button", name="Clear").click()
    page.wait_for_function("!location.search.includes('surface')")
    page.wait_for_selector(f'{VERDICT}:has-text("of the photo")')


def test_the_steel_is_marked_with_keys_on_a_phone(visit: Visit) -> None:
    page = visit(width=390, scheme="dark")
    _upload(page, "gate.png", png(picture(rusty=True)))
    page.wait_for_selector(VERDICT)
    page.get_by_role("button", name="Mark the steel").press("Enter")
    stage = _steel(page)
    stage.get_by_role("button", name="Box").press("Enter")
    assert _marked(page, 4) == [2500, 2500, 7500, 7500]
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowDown"):
        page.keyboard.press(key)
    page.wait_for_url("**surface=2300.2510.7500.7500")
    named = "e => e.getRootNode().activeElement.getAttribute('aria-label')"
    assert stage.locator(".stage").evaluate(named).startswith("Corner 1 of 4: 23 %")
    stage.get_by_role("button", name="Polygon").press("Enter")
    stage.get_by_role("button", name="Add a corner after corner 1").press("Enter")
    page.keyboard.press("ArrowUp")
    page.wait_for_url("**surface=2300.2510.4900.2410.7500.2510.7500.7500.2300.7500")
    page.keyboard.press("Delete")
    page.wait_for_url("**surface=2300.2510.7500.7500")  # a box again
    page.wait_for_selector(IDLE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Use the whole photo").click()
    page.wait_for_function("!location.search.includes('surface')")
    stage.locator(".corner").first.wait_for(state="detached")


def test_a_sample_opens_by_keyboard_and_back_again(visit: Visit) -> None:
    page = visit()
    button = page.get_by_role("button", name="Rocket launch")
    button.focus()
    button.press("Enter")
    page.wait_for_selector(VERDICT)
    assert f"sample={SAMPLE}" in page.url


def test_the_picture_of_a_sample_opens_it_too(visit: Visit) -> None:
    page = visit()
    shown = page.wait_for_selector(f".st-key-card-{SAMPLE} img")
    shown.scroll_into_view_if_needed()
    box = shown.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector(VERDICT)
    assert f"sample={SAMPLE}" in page.url


def test_a_bad_file_is_refused_in_words(visit: Visit) -> None:
    page = visit()
    _upload(page, "bad.png", b"no picture")
    page.wait_for_selector('[role="alert"]:has-text("not an image")')
    assert page.query_selector('[data-testid="stException"]') is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_every_picture_is_named(visit: Visit, width: int, scheme: str) -> None:
    page = visit(f"/?sample={SAMPLE}", width=width, scheme=scheme)
    page.wait_for_selector(VERDICT)
    page.wait_for_selector(IDLE)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate(
        "w => [...document.querySelectorAll('h1, h2, p, img, button')]"
        ".filter(e => e.checkVisibility() && e.getBoundingClientRect().right > w + 1).length",
        width,
    )
    assert wide == 0
    unnamed = page.evaluate("[...document.images].filter(i => !i.hasAttribute('alt')).length")
    assert unnamed == 0
    background = page.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    )
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 23, 29)"}[scheme]


def test_the_tab_is_named(visit: Visit) -> None:
    assert visit().title() == "RustSEG"
