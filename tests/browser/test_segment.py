"""The first page in a real browser: what no test without one can show."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_made import picture
from PIL import Image

from rustseg_jax.report import png

Visit = Callable[..., Any]
SAMPLE = "skimage-rocket"
VERDICT = '.st-key-verdict h2:has-text("orrosion found")'
PICTURES = "figure img, img[alt]:not([alt=''])"
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def _upload(page: Any, name: str, data: bytes) -> None:
    page.set_input_files(
        '[data-testid="stFileUploader"] input[type=file]',
        {"name": name, "mimeType": "image/png", "buffer": data},
    )


def _sources(page: Any) -> list[str]:
    """Where the two pictures of the result come from; they are drawn a moment after the words."""
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


def test_the_slider_redraws_by_keyboard(visit: Visit) -> None:
    page = visit(f"/?sample={SAMPLE}")
    page.wait_for_selector(VERDICT)
    page.wait_for_selector(IDLE)
    before = _sources(page)
    handle = page.get_by_role("slider")
    handle.focus()
    handle.press("ArrowRight")
    page.wait_for_function(
        "(old) => [...document.querySelectorAll('img')].every(i => i.src !== old)",
        arg=page.evaluate("(src) => new URL(src, location).href", before[-1]),
    )
    assert handle.input_value() == "55"


def test_a_sample_opens_by_keyboard_and_back_again(visit: Visit) -> None:
    page = visit()
    button = page.get_by_role("button", name="Rocket launch")
    button.focus()
    button.press("Enter")
    page.wait_for_selector(VERDICT)
    assert f"sample={SAMPLE}" in page.url


def test_the_picture_of_a_sample_opens_it_too(visit: Visit) -> None:
    page = visit()
    box = page.wait_for_selector(f".st-key-card-{SAMPLE} img").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector(VERDICT)
    assert f"sample={SAMPLE}" in page.url


def test_a_bad_file_is_refused_in_words(visit: Visit) -> None:
    page = visit()
    _upload(page, "bad.png", b"no picture")
    page.wait_for_selector('[role="alert"]:has-text("not a picture")')
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
