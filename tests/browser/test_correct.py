"""A correction in a real browser: paint, give reasons, save; after a reload it is unchanged."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from browser.canvas_hand import Canvas
from browser.driving import settle

from rustseg_jax.correct.strokes import replay
from rustseg_jax.labels import Store

Visit = Callable[..., Any]
SAMPLE = "skimage-rocket"


def _rows(labels: Path, table: str) -> list[dict[str, Any]]:
    with contextlib.closing(sqlite3.connect(labels / "labels.sqlite")) as conn:
        conn.row_factory = sqlite3.Row
        return [dict(row) for row in conn.execute(f"SELECT * FROM {table} ORDER BY rowid")]


def test_paint_say_why_save_and_find_it_again(visit: Visit, labels: Path) -> None:
    page = visit(f"/correct?sample={SAMPLE}")
    canvas = Canvas(page)
    canvas.drag((20, 30), (120, 60), (60, 110))
    painted = canvas.area()
    canvas.keys("Control+s")
    canvas.wait_saved("Not saved: your name is missing")
    page.get_by_role("textbox", name="Your name").fill("Ada Lovelace")
    page.get_by_role("button", name="Use this name").click()
    page.get_by_text("Ada Lovelace (unverified)").wait_for()
    page.get_by_text("glare", exact=True).click()
    settle(page)
    assert canvas.area() == painted  # the work is still there
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Reopen").wait_for()  # the next sample is open
    assert f"sample={SAMPLE}" not in page.url
    (row,) = _rows(labels, "corrections")
    assert (row["who"], row["verified"], row["verdict"]) == ("Ada Lovelace", 0, "corrosion")
    assert json.loads(row["reasons"]) == ["glare"]
    assert row["seconds"] > 0
    store = Store(labels)
    saved, prediction = store.correction(row["id"]), store.prediction(row["prediction"])
    assert saved.mask is not None
    mask, _ = replay(prediction.mask.decode(), saved.strokes)
    assert (mask == saved.mask.decode()).all()
    assert mask[30, 20]
    assert mask[60, 120]
    share = f"{100 * np.mean(mask):.2f}\N{NO-BREAK SPACE}%"
    assert painted.startswith(f"Rust {share}")
    page.get_by_role("button", name="Reopen").click()
    page.get_by_text("1 correction").wait_for()
    settle(page)
    assert page.get_by_text("glare ·").or_(page.get_by_text("· glare")).count()
    page.reload()
    settle(page)
    canvas = Canvas(page)
    page.get_by_text("1 correction").wait_for()
    assert canvas.area() == painted  # it begins with what was saved
    page.get_by_text("Show changes").click()
    page.get_by_role("img", name="Changes to the model's mask").wait_for()
    assert len(_rows(labels, "corrections")) == 1


def test_a_scribble_and_the_form_survive_another_page_and_a_reload_until_saved(
    visit: Visit, labels: Path
) -> None:
    page = visit("/correct?sample=pipe")
    canvas = Canvas(page)
    canvas.keys("c")
    canvas.drag((200, 210), (230, 220))
    canvas.keys("Enter")
    canvas.page.locator(".note", has_text="of the photo").or_(
        canvas.page.locator(".note", has_text="Your strokes are kept")
    ).wait_for()
    page.get_by_label("Note").fill("under the flange")
    page.get_by_label("Note").blur()
    settle(page)
    kept = canvas.area()
    page.get_by_role("link", name="About").click()
    page.get_by_role("heading", name="About").wait_for()
    page.go_back()
    page.get_by_role("heading", name="Correct the mask").wait_for()
    settle(page)
    assert Canvas(page).area() == kept
    assert page.get_by_label("Note").input_value() == "under the flange"
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_text("red paint", exact=True).click()
    page.get_by_text("Medium", exact=True).click()
    settle(page)
    page.reload()
    chosen = page.locator("[data-selected=true]", has_text="red paint")
    chosen.wait_for()
    settle(page)
    assert page.get_by_label("Note").input_value() == "under the flange"
    assert page.locator("[data-selected=true]", has_text="Medium").count() == 1
    canvas = Canvas(page)
    assert canvas.area() == kept
    page.get_by_role("textbox", name="Your name").fill("Ada Lovelace")
    page.get_by_role("button", name="Use this name").click()
    page.get_by_text("Ada Lovelace (unverified)").wait_for()
    page.locator("[data-do=save]").click()
    page.get_by_role("button", name="Reopen").wait_for()
    page.wait_for_function("localStorage['rustseg-forms'] === '{}'")
    (row,) = [row for row in _rows(labels, "corrections") if row["note"]]
    assert (row["note"], row["confidence"]) == ("under the flange", 0.6)
    assert json.loads(row["reasons"]) == ["red paint"]
    page.goto(page.url.split("/correct")[0] + "/correct?sample=pipe")
    page.get_by_text("1 correction").wait_for()
    settle(page)
    assert page.get_by_label("Note").input_value() == ""
