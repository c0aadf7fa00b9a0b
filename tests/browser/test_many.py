"""Many photos in a real browser: the whole way with real files, stop, sort, ZIP, phone."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hand_made import RUST, picture, save_redness
from PIL import Image

from rustseg_jax.cli import main

Visit = Callable[..., Any]
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
INPUT = '[data-testid="stFileUploader"] input[type=file]'
PHOTOS = 60  # enough that a click on Stop comes before the last
# A click through the driver may come after the last photo on a busy machine.
STOP_AT_ONCE = """() => new MutationObserver((_, observer) => {
    const button = document.querySelector(".st-key-stop button");
    if (button) { observer.disconnect(); button.click(); }
}).observe(document.body, { childList: true, subtree: true })"""
CARD = '[class*="st-key-photo-"]'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five photos, one in a sub-folder, one broken; rust in whole cells of the heat map."""
    site = tmp_path / "site"
    (site / "east").mkdir(parents=True)
    for name, rows in (("a.png", 24), ("b.png", 48), ("east/c.png", 72)):
        pixels = picture(rusty=False)
        pixels[:rows] = RUST
        Image.fromarray(pixels).save(site / name)
    Image.fromarray(picture(rusty=False)).save(site / "clean.jpg", quality=95)
    (site / "broken.jpg").write_bytes(b"no picture")
    return site


def _open(page: Any) -> None:
    page.wait_for_selector("text=/photos analysed/")


def _done(page: Any) -> int:
    """Number of analysed photos as shown on the page."""
    return int(page.locator(".st-key-progress p").first.inner_text().split()[0])


def _names(page: Any) -> list[str]:
    page.wait_for_selector(IDLE)
    return [c.inner_text() for c in page.locator(f"{CARD} a").all()]


def test_a_folder_from_upload_to_zip(
    visit: Visit, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit("/many")
    page.get_by_role("radio", name="Folder").click()
    page.wait_for_selector(f"{INPUT}[webkitdirectory]", state="attached")
    page.set_input_files(INPUT, folder)
    page.wait_for_selector("text=/5 of 5.* photos analysed/", timeout=150_000)  # compiles first
    page.wait_for_selector(".st-key-other")
    assert "set=" in page.url
    by_area = _names(page)
    assert page.locator('[class*="st-key-failed-"]').count() == 1
    page.reload()  # the set is in the address, the results on disk
    _open(page)
    page.get_by_role("radio", name="Name").click()
    page.wait_for_function(
        "card => document.querySelector(card)?.innerText?.includes('a.png')", arg=f"{CARD} a"
    )
    with page.expect_download() as waiting:
        page.get_by_role("button", name="All results (ZIP)").click()
    archive = zipfile.ZipFile(io.BytesIO(Path(waiting.value.path()).read_bytes()))
    rows = _same_as_the_command_line(archive, folder, tmp_path, monkeypatch)
    done = [row for row in rows if row["status"] == "done"]
    assert len({row["area"] for row in done}) == len(done) == len(by_area)
    assert by_area == [row["photo"] for row in sorted(done, key=lambda row: -float(row["area"]))]


def _same_as_the_command_line(
    archive: zipfile.ZipFile, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, str]]:
    """Compare a ZIP with what the command line writes; the rows of the table."""
    monkeypatch.setattr("rustseg_jax.runtime.enable_compilation_cache", lambda: None)
    monkeypatch.chdir(folder)
    weights, out = save_redness(tmp_path / "tiny.safetensors"), tmp_path / "out"
    assert main(["segment", ".", "--out", str(out), "--model", str(weights)]) == 1
    written = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert set(archive.namelist()) == set(written)
    for name, data in written.items():
        if name.endswith(".png"):
            assert archive.read(name) == data, name
        elif name.endswith(".json"):
            ours, theirs = json.loads(archive.read(name)), json.loads(data)
            assert ours["area"] == theirs["area"]
            assert ours["photo"]["sha256"] == theirs["photo"]["sha256"]
    rows = [
        sorted(csv.DictReader(io.StringIO(data.decode())), key=lambda row: row["photo"])
        for data in (archive.read("summary.csv"), written["summary.csv"])
    ]
    assert rows[0] == rows[1]
    return rows[0]


def test_stop_go_on_and_a_photo_opened_from_its_card(visit: Visit) -> None:
    page = visit("/many", width=390, scheme="dark")
    files = []
    for k in range(PHOTOS):  # each another one
        pixels = picture(rusty=k % 2 == 0)
        pixels[-1, -1] = k
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        files.append({"name": f"{k}.png", "mimeType": "image/png", "buffer": file.getvalue()})
    page.evaluate(STOP_AT_ONCE)
    page.set_input_files(INPUT, files)
    page.wait_for_selector(".st-key-go-on")
    page.wait_for_selector(IDLE)
    done = _done(page)
    assert done < PHOTOS
    page.reload()
    page.wait_for_selector(".st-key-go-on")  # still stopped
    assert _done(page) - done in (0, 1)  # the one in hand when Stop was pressed is kept, too
    page.locator(".st-key-go-on button").click()
    page.wait_for_selector(f"text=/{PHOTOS} of {PHOTOS}.* photos analysed/")
    page.wait_for_selector(".st-key-other")
    assert len(_names(page)) == 24  # a page of them
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = page.evaluate(
        "[...document.querySelectorAll('h1, p, img, button, a')].filter(e => e.checkVisibility()"
        " && e.getBoundingClientRect().right > 391).map(e => e.outerHTML.slice(0, 200))"
    )
    assert wide == []
    name = page.locator(f"{CARD} a").first.inner_text()
    box = page.locator(f"{CARD} img").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector('.st-key-verdict h2:has-text("orrosion found")')
    assert "/?case=" in page.url
    page.wait_for_selector(f"text={name}")
    page.wait_for_selector(IDLE)
    page.go_back()
    page.wait_for_selector(CARD)
    assert "/many?set=" in page.url


def test_a_cards_link_opened_by_itself_leads_to_the_photo(visit: Visit) -> None:
    page = visit("/many?case=" + "0" * 64)
    page.wait_for_selector("text=no longer available")
    assert page.get_by_role("heading", name="Find rust in a photo").count() == 1
