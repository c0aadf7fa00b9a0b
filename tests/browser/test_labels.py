"""The Labels page in a real browser: every look of each view, a review, an export."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser.driving import ROOT, serving, settings_of_app, settle
from browser.looking import look_at, unreachable
from hand_made import picture, red_model, save_redness
from labels_made import save

import rustseg_jax as rs
from rustseg_jax.drawing.encode import png
from rustseg_jax.labels import Filters, Store, list_corrections
from rustseg_jax.manifest import load_manifest, read_mask

Visit = Callable[..., Any]
RUSTY = picture(rusty=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two experts of one photo, one of another; the model was asked."""
    made = Store(tmp_path_factory.mktemp("labels") / "labels")
    seg = rs.segment(RUSTY, red_model())
    for k, experts in enumerate((["Ada", "Ben"], ["Ada"])):
        pixels = RUSTY.copy()
        pixels[0, 0] = k
        photo = made.add_photo(png(pixels), origin=f"gate_{k}.png")
        prediction = made.add_prediction(photo, seg)
        for shift, who in enumerate(experts):
            mask = np.roll(seg.mask, 9 * shift, axis=1)
            save(made, photo, who, mask=mask, prediction=prediction.id, note="edges")
    return made


@pytest.fixture(scope="module")
def server(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app of its own, on that store; what `visit` opens."""
    folder = tmp_path_factory.mktemp("app")
    settings = settings_of_app(folder, save_redness(folder / "tiny.safetensors"))
    settings["RUSTSEG_LABELS"] = str(store.folder)
    log = folder / "log.txt"
    with serving(ROOT / "app.py", log, settings) as url:
        yield url
    assert "Traceback" not in log.read_text(), log.read_text()


def test_every_view_at_every_look(visit: Visit, store: Store) -> None:
    page = visit("/labels")
    wrong = unreachable(page) + look_at(page, "list")
    page.get_by_role("button", name="gate_0.png", exact=True).first.click()
    page.get_by_role("heading", name="Agreement between experts").wait_for()
    settle(page)
    wrong += unreachable(page) + look_at(page, "photo")
    for view, heading in (
        ("experts", "Pairs of experts"),
        ("stages", "Labels"),
        ("export", "Labels"),
    ):
        page.goto(f"{page.url.split('?')[0]}?view={view}")
        page.get_by_role("heading", name=heading).wait_for()
        settle(page)
        wrong += look_at(page, view)
    assert not wrong, "\n".join(dict.fromkeys(wrong))


def test_approve_review_the_next_and_export(visit: Visit, store: Store, tmp_path: Path) -> None:
    page = visit("/labels?status=open")
    page.get_by_role("button", name="gate_1.png", exact=True).click()
    page.get_by_role("textbox", name="Your name").fill("Rita")
    page.get_by_role("button", name="Use this name").click()
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("Approved by Rita").wait_for()
    page.get_by_role("button", name="Next to review").click()
    page.get_by_text("gate_0.png", exact=True).wait_for()
    page.get_by_role("button", name="All corrections").click()
    page.get_by_text("2 corrections").wait_for()  # of status=open, which the address kept
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download (ZIP)").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        packed.extractall(tmp_path)
    (record,) = load_manifest(tmp_path / "labels-folder")
    mask, _ = read_mask(record, RUSTY.shape[:2])
    (approved,) = list_corrections(store, Filters(status="approved")).entries
    found = store.correction(approved.id)
    assert found.mask is not None
    np.testing.assert_array_equal(mask, found.mask.decode())
