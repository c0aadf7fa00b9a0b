"""The canvas in a real browser: exact strokes, saves that arrive once, work that survives."""

from __future__ import annotations

import base64
import io
import json
import signal
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser.canvas_hand import SAVED, Canvas
from browser.driving import IDLE, Server, settings_of_canvas
from PIL import Image

from pages.components.canvas import base_of
from rustseg_jax.correct.strokes import replay

Visit = Callable[..., Any]
SCRIPT = Path(__file__).with_name("canvas_app.py")


@dataclass(frozen=True)
class Saves:
    """The folder that canvas_app.py saves in."""

    folder: Path

    def saves(self) -> dict[str, Any]:
        """Everything that was saved, by nonce."""
        found = {}
        for path in self.folder.glob("?" * 32 + ".npz"):
            with np.load(path) as file:
                found[path.stem] = dict(file)
        return found


@pytest.fixture
def running(parts: Any) -> Saves:
    return Saves(parts.saves)


@pytest.fixture
def server(parts: Any) -> str:
    """The address of canvas_app.py; what `visit` opens."""
    return f"{parts.url}/canvas"


def _differing(save: Any) -> int:
    """Pixels in which the saved masks and the replay of the saved strokes differ."""
    strokes = json.loads(str(save["strokes"]))
    mask, ignore = replay(save["base"], strokes)
    return int((mask != save["mask"]).sum() + (ignore != save["ignore"]).sum())


def _only(running: Saves, known: set[str]) -> tuple[str, Any]:
    """The one save that was not known before."""
    (new,) = set(running.saves()) - known
    return new, running.saves()[new]


def test_every_tool_is_exact_after_undo_and_redo(visit: Visit, running: Saves) -> None:
    known = set(running.saves())
    canvas = Canvas(visit("/?case=exact"))
    before = canvas.runs()
    canvas.drag((100, 60), (300, 40), (330, 120))
    canvas.drag((20, 350), (80, 395), button="right")  # no rust there: marked as clean
    canvas.keys("e")
    canvas.drag((280, 200), (340, 260))
    canvas.keys("b", "3", "]", "]")
    canvas.drag((-20, 300), (120, 320))  # from outside the photo
    canvas.keys("s", "1")
    canvas.page.wait_for_timeout(300)  # the photo is decoded for it
    canvas.drag((260, 190), (200, 240))
    canvas.keys("o")
    canvas.drag((420, 50), (500, 40), (520, 130), (430, 120), (470, 60))
    canvas.keys("2")
    for corner in ((440, 70), (480, 70), (480, 100)):
        canvas.click(*corner)
    canvas.keys("Enter", "f", "1")
    canvas.fill(465, 80)  # the hole again
    canvas.fill(599, 0)  # all of the background
    canvas.keys("Control+z", "p")
    canvas.click(560, 300)
    canvas.keys("c")
    canvas.drag((200, 210), (210, 220))
    assert canvas.runs() == before  # painting has run no script
    canvas.keys("Enter")
    canvas.page.locator(".note", has_text="of the photo").or_(
        canvas.page.locator(".note", has_text="Your strokes are kept")
    ).wait_for()
    canvas.keys("b", *["Control+z"] * 4, *["Control+y"] * 3)
    shown = canvas.area()
    canvas.save()
    _, save = _only(running, known)
    strokes = json.loads(str(save["strokes"]))
    tools = [stroke.get("tool", stroke["op"]) for stroke in strokes]
    assert tools == [*["paint"] * 4, "smart", *["outline"] * 2, "patch", "superpixel", "scribble"]
    assert _differing(save) == 0
    assert save["ignore"].sum() > 1000
    share = save["mask"].sum() / (~save["ignore"]).sum()
    assert shown.split(",")[0] == f"Rust {100 * share:.2f}\N{NO-BREAK SPACE}%"
    case, base, seconds, undos = json.loads(str(save["about"]))
    assert (case, undos) == ("exact", 5)
    assert base == base_of(save["base"], np.zeros_like(save["base"]))
    assert 0 < seconds < 300
    # Now the completion too, and strokes after the save, which begin from what was saved.
    canvas.keys("Control+y")
    canvas.drag((300, 300), (320, 310))
    first = save["mask"]
    known = set(running.saves())
    canvas.save()
    _, save = _only(running, known)
    strokes = json.loads(str(save["strokes"]))
    assert [stroke.get("tool", stroke["op"]) for stroke in strokes] == ["crf", "paint"]
    mask, ignore = replay(first, strokes, ignore=save["ignore"])
    assert (mask != save["mask"]).sum() + (ignore != save["ignore"]).sum() == 0


def test_fingers_paint_and_pinch_and_the_pen_ignores_the_palm(visit: Visit, running: Saves) -> None:
    known = set(running.saves())
    page = visit("/?case=touch")
    canvas = Canvas(page)
    devtools = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        spots = [dict(zip("xy", canvas.at(*p), strict=True), id=i) for i, p in enumerate(points)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})

    touch("touchStart", (50, 50))
    for x in range(60, 160, 20):
        touch("touchMove", (x, 50))
    touch("touchEnd")
    painted = canvas.area()
    width = page.locator(".photo").bounding_box()["width"]
    touch("touchStart", (250, 200))
    touch("touchStart", (250, 200), (350, 200))
    spots = [canvas.at(x, 200) for x in (250, 350)]
    for step in range(1, 6):
        points = [
            {"x": x + side * 12 * step, "y": y, "id": i}
            for i, ((x, y), side) in enumerate(zip(spots, (-1, 1), strict=True))
        ]
        devtools.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
    touch("touchEnd")
    assert page.locator(".photo").bounding_box()["width"] > 1.3 * width
    assert canvas.area() == painted  # the first of two fingers has painted nothing
    canvas.save()
    _, save = _only(running, known)
    (stroke,) = json.loads(str(save["strokes"]))
    assert stroke["points"][:2] == [50, 50]
    assert stroke["points"][-2:] == [140, 50]
    assert _differing(save) == 0


def test_a_save_without_an_answer_comes_again_under_the_same_nonce(
    visit: Visit, running: Saves
) -> None:
    known = set(running.saves())
    page = visit("/?case=deaf&deaf")
    page.clock.install()
    page.reload()
    canvas = Canvas(page)
    canvas.drag((50, 50), (90, 60))
    canvas.wait_saved("Not saved; stored in this browser")
    canvas.keys("Control+s")
    canvas.wait_saved("Saving")
    page.clock.run_for(8_500)
    canvas.wait_saved("Not saved yet")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(IDLE)
    end = time.monotonic() + 60
    while max((s["count"] for n, s in running.saves().items() if n not in known), default=0) < 2:
        assert time.monotonic() < end
        page.wait_for_timeout(100)
    nonce, _ = _only(running, known)
    page.goto(page.url.replace("&deaf", ""))  # unsaved: the page may ask, the test may go
    canvas = Canvas(page)
    canvas.wait_saved()  # sent once more by itself, and now there is an answer
    assert set(running.saves()) - known == {nonce}
    canvas.keys("Control+z")
    assert page.locator("[data-do=undo]").is_disabled()  # what is saved is the new beginning


GONE_AT_FIRST = """
const get = window.fetch
window.gone = new Set()
window.fetch = (url, ...rest) => {
  if (!String(url).includes("/media/") || window.gone.has(url)) return get(url, ...rest)
  window.gone.add(url)
  return Promise.resolve(new Response("", { status: 404 }))
}
"""


def test_files_that_come_late_are_waited_for(visit: Visit) -> None:
    page = visit("/?case=exact")
    page.add_init_script(GONE_AT_FIRST)
    page.goto(page.url.replace("exact", "late"))
    canvas = Canvas(page)  # the mask and the pieces were not there at first
    before = canvas.area()
    canvas.drag((50, 50), (90, 60))
    assert canvas.area() != before
    assert page.evaluate("window.gone.size") >= 2


def test_a_refusal_is_told(visit: Visit) -> None:
    canvas = Canvas(visit("/?case=refused&mind"))
    canvas.drag((50, 50), (90, 60))
    canvas.keys("Control+s")
    canvas.wait_saved("Not saved: this page takes nothing")


def test_unsaved_work_survives_reruns_page_switches_and_reload(visit: Visit) -> None:
    page = visit("/?case=kept")
    canvas = Canvas(page)
    canvas.drag((50, 50), (90, 60))
    canvas.drag((50, 350), (90, 360))
    canvas.keys("Control+z")
    kept = canvas.area()
    runs = canvas.runs()
    page.get_by_role("button", name="Run again").click()
    page.get_by_text(runs, exact=True).wait_for(state="detached")
    page.wait_for_selector(IDLE)
    assert canvas.area() == kept
    page.get_by_text("Shown").click()
    page.wait_for_selector(".app", state="detached")
    page.get_by_text("Shown").click()
    canvas = Canvas(page)
    assert canvas.area() == kept
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    canvas = Canvas(page)
    assert asked == ["beforeunload"]
    assert page.locator(".note").inner_text().startswith("Unsaved changes of ")
    assert canvas.area() == kept
    canvas.keys("Control+y")
    assert canvas.area() != kept
    canvas.keys("Control+z", "Control+z")
    assert "before" not in page.locator(".area").inner_text()
    page.goto(page.url.replace("kept", "other"))
    assert "before" not in Canvas(page).page.locator(".area").inner_text()
    assert asked == ["beforeunload"]  # all was undone: nothing to lose


def test_work_on_an_earlier_mask_is_offered_and_neither_is_lost(
    visit: Visit, running: Saves
) -> None:
    known = set(running.saves())
    page = visit("/?case=earlier")
    page.on("dialog", lambda dialog: dialog.accept())
    offer = page.locator(".offer")
    canvas = Canvas(page)
    canvas.drag((50, 50), (90, 60))
    canvas.wait_saved("Not saved; stored in this browser")
    old = canvas.area()
    page.goto(page.url + "&newer")  # somebody else has saved a correction
    canvas = Canvas(page)
    offer.get_by_text("You have unsaved changes to an earlier mask").wait_for()
    newer = canvas.area()
    assert newer != old
    canvas.drag((50, 350), (90, 360))
    both = canvas.area()
    page.get_by_role("button", name="Continue with them").click()
    offer.get_by_text("You have unsaved changes to the newer mask").wait_for()
    assert canvas.area() == old
    page.get_by_role("button", name="Run again").click()
    page.wait_for_selector(IDLE)
    assert canvas.area() == old
    page.get_by_role("button", name="Continue with them").click()
    offer.get_by_text("You have unsaved changes to an earlier mask").wait_for()
    assert canvas.area() == both
    page.get_by_role("button", name="Discard them").click()
    offer.wait_for(state="hidden")
    page.goto(page.url.replace("&newer", ""))
    canvas = Canvas(page)
    page.get_by_role("button", name="Continue with them").click()
    offer.get_by_text("These are your changes to an earlier mask").wait_for()
    assert Canvas(page).area() == both  # once it is there: the offer comes before the mask
    page.get_by_role("button", name="Go to the newer mask").click()
    page.get_by_role("button", name="Continue with them").click()
    offer.get_by_text("These are your changes to an earlier mask").wait_for()
    canvas.save()
    assert offer.is_hidden()
    _, save = _only(running, known)
    base = np.roll(save["base"], 30, axis=1)  # the mask that it began from, not the one sent
    assert json.loads(str(save["about"]))[1] == base_of(base, np.zeros_like(base))
    mask, ignore = replay(base, json.loads(str(save["strokes"])))
    assert (mask != save["mask"]).sum() + (ignore != save["ignore"]).sum() == 0


def test_damaged_and_foreign_drafts_do_no_harm(visit: Visit) -> None:
    page = visit("/?case=damaged")
    canvas = Canvas(page)
    canvas.drag((50, 50), (90, 60))
    canvas.wait_saved("Not saved; stored in this browser")
    damage = """() => new Promise((resolve) => {
      const request = indexedDB.open("rustseg-canvas")
      request.onsuccess = () => {
        const steps = request.result.transaction("steps", "readwrite").objectStore("steps")
        steps.getAll().onsuccess = (event) => {
          for (const step of event.target.result) {
            step.runs[0] = 4e9
            steps.put(step)
          }
          steps.transaction.oncomplete = () => (request.result.close(), resolve())
        }
      }
    })"""
    page.evaluate(damage)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    canvas = Canvas(page)
    assert "were damaged" in page.locator(".note").inner_text()
    canvas.drag((50, 50), (90, 60))
    canvas.wait_saved("Not saved; stored in this browser")


KEPT = """() => new Promise((resolve) => {
  const request = indexedDB.open("rustseg-canvas")
  request.onsuccess = () => {
    const tx = request.result.transaction(["bases", "saves"])
    const found = {}
    for (const name of ["bases", "saves"]) {
      tx.objectStore(name).getAll().onsuccess = ({ target }) => (found[name] = target.result)
    }
    tx.oncomplete = () => {
      request.result.close()
      const [{ files }] = found.bases
      const [{ save }] = found.saves
      resolve({ base: [...files.mask], mask: save.payload.mask, ignore: save.payload.ignore })
    }
  }
})"""
REPLACE = """({ base, mask, ignore }) => new Promise((resolve) => {
  const request = indexedDB.open("rustseg-canvas")
  request.onsuccess = () => {
    const tx = request.result.transaction(["bases", "saves"], "readwrite")
    const change = (name, edit) => {
      const store = tx.objectStore(name)
      store.getAll().onsuccess = ({ target }) => target.result.forEach((row) => {
        edit(row)
        store.put(row)
      })
    }
    change("bases", (row) => (row.files.mask = Uint8Array.from(base)))
    change("saves", (row) => Object.assign(row.save.payload, { mask, ignore }))
    tx.oncomplete = () => (request.result.close(), resolve())
  }
})"""
NOISE = """
const real = CanvasRenderingContext2D.prototype.getImageData
CanvasRenderingContext2D.prototype.getImageData = function (...box) {
  const picture = real.apply(this, box)
  picture.data[0] ^= 255
  return picture
}
"""


def _png(packed: bytes) -> bytes:
    """The PNG in which earlier versions kept a mask of 600 x 400 pixels."""
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(400, 75)
    file = io.BytesIO()
    Image.fromarray(np.unpackbits(rows, axis=1).astype(bool)).save(file, "PNG")
    return file.getvalue()


def _kept_as_png(page: Any) -> str:
    """Leave a save without an answer, and one stroke more, as an earlier version kept them.

    Returns the area that was shown.
    """
    page.on("dialog", lambda dialog: dialog.accept())
    canvas = Canvas(page)
    canvas.drag((50, 50), (90, 60))
    canvas.keys("3")
    canvas.drag((50, 350), (90, 360))
    canvas.keys("Control+s", "1")
    canvas.wait_saved("Saving")
    page.wait_for_selector(IDLE)
    canvas.drag((550, 350), (590, 360))
    shown = canvas.area()
    kept = page.evaluate(KEPT)
    base = list(_png(bytes(kept["base"])))
    masks = {
        name: base64.b64encode(_png(base64.b64decode(kept[name]))).decode()
        for name in ("mask", "ignore")
    }
    page.evaluate(REPLACE, {"base": base, **masks})
    return shown


def test_drafts_of_earlier_versions_are_gone_on_with(visit: Visit, running: Saves) -> None:
    known = set(running.saves())
    page = visit("/?case=png&deaf")
    shown = _kept_as_png(page)
    (nonce,) = set(running.saves()) - known
    sent = running.saves()[nonce]
    page.goto(page.url.replace("&deaf", "&newer"))
    canvas = Canvas(page)
    page.get_by_role("button", name="Continue with them").click()
    canvas = Canvas(page)
    canvas.wait_saved("Not saved; stored in this browser")  # the save came again and was taken
    assert canvas.area() == shown
    assert set(running.saves()) - known == {nonce}
    again = running.saves()[nonce]
    assert again["count"] == 2
    for name in ("mask", "ignore"):
        np.testing.assert_array_equal(again[name], sent[name])
    assert again["ignore"].any()
    canvas.save()
    assert len(set(running.saves()) - known) == 2


def test_a_browser_that_changes_pixels_is_found_out(visit: Visit, running: Saves) -> None:
    page = visit("/?case=noise&deaf")
    shown = _kept_as_png(page)
    page.add_init_script(NOISE)
    page.goto(page.url.replace("&deaf", "&newer"))
    Canvas(page)
    page.locator(".offer").get_by_text("this browser cannot read them").wait_for()
    assert page.locator("[data-do=other]").is_hidden()
    assert page.get_by_role("button", name="Discard them").is_visible()
    page.goto(page.url.replace("&newer", ""))  # its own mask comes from the server
    canvas = Canvas(page)
    page.locator(".note", has_text="save once more").wait_for()
    assert canvas.area() == shown
    canvas.save()


def test_a_killed_server_loses_nothing(browser: Any, tmp_path: Path) -> None:
    """A server of its own, with the canvas as its only page."""
    kept = Saves(tmp_path / "saves")
    server = Server(SCRIPT, tmp_path / "log.txt", settings_of_canvas(kept.folder))
    page = browser.new_page()
    try:
        page.goto(f"{server.url}/?case=killed")
        canvas = Canvas(page)
        canvas.drag((50, 50), (90, 60))
        server.stop(signal.SIGKILL)
        canvas.drag((150, 50), (190, 60))
        canvas.keys("Control+s")
        canvas.wait_saved("Saving")
        canvas.drag((250, 50), (290, 60))
        canvas.wait_saved("Not saved yet")
        assert kept.saves() == {}
        server.start()
        canvas.wait_saved("Not saved; stored in this browser")  # the third stroke
        (save,) = kept.saves().values()
        assert len(json.loads(str(save["strokes"]))) == 2
        assert _differing(save) == 0
        canvas.save()
        assert len(kept.saves()) == 2
    finally:
        page.context.close()
        server.stop()


def _longest_task(trace: bytes) -> float:
    """Milliseconds of the longest task of a page's main thread, in processor time.

    The clock on the wall, which `longtask` of a PerformanceObserver reads, also counts what
    other programs of a busy machine take away.
    """
    events = json.loads(trace)["traceEvents"]
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        event["tdur"] / 1000
        for event in events
        if "RunTask" in event.get("name", "") and (event["pid"], event["tid"]) in main
        if "tdur" in event
    ]
    assert len(tasks) > 100
    return max(tasks)


def test_twelve_megapixels_stay_awake_and_small(visit: Visit, browser: Any, running: Saves) -> None:
    known = set(running.saves())
    page = visit("/?case=large&size=4000x3000")
    sent: list[int] = []
    page.on("websocket", lambda s: s.on("framesent", lambda data: sent.append(len(data))))
    page.reload()
    canvas = Canvas(page)
    browser.start_tracing(page=page, categories=["toplevel"])
    for row in range(6):
        y = 300 + 400 * row
        canvas.drag((300, y), (1500, y + 200), (2700, y - 100), (3800, y + 150))
    canvas.keys("o")
    canvas.drag((2500, 300), (3900, 400), (3700, 1500), (2600, 1300))
    canvas.keys("f")
    canvas.click(3990, 2990)  # floods the background
    page.locator(".stage.busy").wait_for(state="detached")
    canvas.keys("Control+z", "Control+z", "Control+y", "Control+z", "+", "+", "+", "0", "b", "3")
    canvas.drag((100, 2900), (2000, 2800))
    canvas.save()
    assert _longest_task(browser.stop_tracing()) < 200
    assert 10_000 < max(sent) < 200_000
    _, save = _only(running, known)
    assert save["mask"].shape == (3000, 4000)
    assert _differing(save) == 0


@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "dark"), (390, "light"), (820, "light"), (1280, "dark")]
)
def test_it_fits_and_everything_has_a_name(visit: Visit, width: int, scheme: str) -> None:
    page = visit("/?case=look", width=width, scheme=scheme)
    canvas = Canvas(page)
    canvas.keys("c")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator(".app").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    wide = "(app) => [...app.querySelectorAll('button, input, select, p')].filter(e => e.checkVisibility() && e.getBoundingClientRect().right > app.getBoundingClientRect().right + 1).map(e => e.outerHTML)"  # noqa: E501
    assert page.locator(".app").evaluate(wide) == []
    for button in page.locator(".app button:visible").all():
        name = button.get_attribute("aria-label") or button.inner_text()
        assert name.strip(), button.evaluate("b => b.outerHTML")


def test_keys_wheel_help_and_calm(visit: Visit) -> None:
    page = visit("/?case=keys")
    canvas = Canvas(page)
    stage = page.locator(".stage")
    before = canvas.area()
    stage.focus()
    canvas.keys("ArrowLeft", "Shift+ArrowDown", "e", "Enter")
    assert canvas.area() != before
    canvas.keys("Control+z")
    assert canvas.area() == before
    size = page.locator(".size output").inner_text()
    canvas.keys("]", "]", "[")
    assert page.locator(".size output").inner_text() != size
    # The wheel scrolls the page; only with Ctrl it zooms.
    zoom = page.locator(".percent").inner_text()
    page.mouse.move(*canvas.at(300, 200))
    scrolled = "document.querySelector('[data-testid=stMain]').scrollTop"
    top = page.evaluate(scrolled)
    page.mouse.wheel(0, 120)
    page.wait_for_function(f"{scrolled} !== {top}")
    assert page.locator(".percent").inner_text() == zoom
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    page.locator(".percent", has_not_text=zoom).wait_for()
    stage.focus()
    page.keyboard.down("h")
    assert page.locator(".labels").evaluate("e => getComputedStyle(e).visibility") == "hidden"
    page.keyboard.up("h")
    assert page.locator(".labels").evaluate("e => getComputedStyle(e).visibility") == "visible"
    canvas.keys("?")
    assert page.get_by_role("dialog", name="Keyboard shortcuts and gestures").is_visible()
    for button in page.locator("[data-key]").all():  # every key of a button is on the list
        for key in button.get_attribute("data-key").split():
            assert key in page.locator(".keys").inner_text()
    canvas.keys("Escape")
    note = page.get_by_label("Note")
    note.fill("b]e")  # letters go to where the reader writes
    page.mouse.move(*canvas.at(300, 200))
    page.keyboard.type("s3")
    assert note.input_value() == "b]es3"
    page.emulate_media(reduced_motion="reduce", forced_colors="active")
    assert page.locator(".saved i").evaluate("e => getComputedStyle(e).animationName") == "none"
    assert page.locator(".tools button").first.evaluate("e => getComputedStyle(e).borderStyle")


def test_to_look_at_only_and_a_trial(visit: Visit) -> None:
    canvas = Canvas(visit("/?case=look&readonly"))
    before = canvas.area()
    canvas.drag((50, 50), (90, 60))
    assert canvas.area() == before
    assert not canvas.page.locator("[data-do=save]").is_visible()
    canvas = Canvas(visit("/?case=look&trial"))
    canvas.drag((50, 50), (90, 60))
    assert canvas.area() != before
    assert not canvas.page.locator("[data-do=save]").is_visible()
    assert "cannot be saved" in canvas.page.locator(SAVED).inner_text()
