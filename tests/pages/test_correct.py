"""The Correct page without a browser: saving, and what prevents it."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_made import picture
from labels_made import LATER_STEP
from streamlit.testing.v1 import AppTest

import rustseg_jax as rs
from pages.components import canvas
from pages.components.canvas import base_of
from pages.parts.correct import opening, prefetch, saving, workbench
from pages.parts.correct.form import read_form
from pages.parts.correct.help import EXAMPLES, _pictures
from pages.shared import cases, people
from rustseg_jax import labels
from rustseg_jax.correct.strokes import replay
from rustseg_jax.drawing.encode import png
from rustseg_jax.images import read, sha256
from rustseg_jax.labels.store import Store
from rustseg_jax.scenes import render

PHOTO = png(picture(rusty=True))  # a quarter of it is rust, to the pixel, and found as such
DIGEST = sha256(PHOTO)


class Desk:
    """The page with one photo open, and a canvas that sends what a test hands it."""

    def __init__(self, app: AppTest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app, self.folder = app, folder
        app.user = {}  # no login is configured
        self.drawn: list[dict[str, Any]] = []
        self.queue: list[Callable[[dict[str, Any]], Any]] = []
        monkeypatch.setattr(canvas, "canvas", self._canvas)

    def _canvas(self, photo: object, mask: np.ndarray, **given: Any) -> Any:
        self.drawn.append({"mask": mask, **given})
        return self.queue.pop(0)(self.drawn[-1]) if self.queue else None

    def open(self, **query: str) -> None:
        self.app.switch_page("pages/correct.py")
        self.app.query_params.update(query)
        self.app.run()
        assert not self.app.exception

    def name(self, name: str = "Ada") -> None:
        self.app.text_input(key="who-typed").set_value(name)
        self.app.button(key="FormSubmitter:who-Use this name").click().run()

    def send(self, change: Callable[[np.ndarray], Any] | None = None, **other: Any) -> canvas.Save:
        """Save what is shown, with `change` drawn into it."""
        sent: list[canvas.Save] = []

        def event(shown: dict[str, Any]) -> canvas.Save:
            mask, ignore = shown["mask"].copy(), shown["ignore"].copy()
            base = base_of(mask, ignore)
            if change:
                change(mask)
            values = {
                "nonce": uuid.uuid4().hex, "case": shown["case"], "base": base, "mask": mask,
                "ignore": ignore, "strokes": (), "seconds": 12.5, "undos": 0, **other,
            }  # fmt: skip
            sent.append(canvas.Save(**values))
            return sent[-1]

        self.queue.append(event)
        self.app.run()
        assert not self.app.exception
        return sent[0]

    def rows(self, table: str = "corrections") -> list[dict[str, Any]]:
        path = self.folder / "labels.sqlite"
        if not path.exists():
            return []
        with sqlite3.connect(path) as conn:
            conn.row_factory = sqlite3.Row
            return [dict(row) for row in conn.execute(f"SELECT * FROM {table} ORDER BY rowid")]

    def words(self) -> str:
        kinds = (self.app.markdown, self.app.caption, self.app.info, self.app.warning)
        return "\n".join(e.value for kind in kinds for e in kind)


@pytest.fixture
def page(app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    folder = tmp_path / "labels"
    for name in ("RUSTSEG_EXPERTS", "RUSTSEG_REVIEWERS", "RUSTSEG_DEMO", "RUSTSEG_EXIF"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUSTSEG_LABELS", str(folder))
    app.run()
    (cases.photos_folder() / DIGEST).write_bytes(PHOTO)
    yield Desk(app, folder, monkeypatch)
    _join()


def _join() -> None:
    """Wait for the photo that is made ready ahead."""
    for thread in threading.enumerate():
        if thread.name == "ahead":
            thread.join()


def _stroke(mask: np.ndarray) -> None:
    mask[:10, :20] = True


STROKE = {"op": "outline", "value": 1, "points": [0, 0, 20, 0, 20, 10, 0, 10]}


def test_it_begins_with_samples_and_nothing_is_written_by_looking(page: Desk) -> None:
    page.open()
    assert "Samples" in [h.value for h in page.app.header]
    page.open(case=DIGEST)
    assert not page.folder.exists()
    shown = page.drawn[-1]
    assert shown["mask"].mean() == pytest.approx(0.25, abs=0.01)
    assert shown["can_save"]
    assert shown["case"] == DIGEST
    assert [name for _, name in shown["grades"]] == [f"Ri {n}" for n in range(6)]
    assert shown["grades"][-1][0] == 1


def test_a_save_is_stored_with_everything_and_acknowledged(page: Desk) -> None:
    page.open(case=DIGEST)
    page.name()
    found = page.drawn[-1]["mask"].copy()
    page.app.pills(key=f"correct-reasons-{DIGEST[:16]}").set_value(["brick", "glare"])
    page.app.checkbox(key=f"correct-wrong_reason-{DIGEST[:16]}").check()
    page.app.segmented_control(key=f"correct-confidence-{DIGEST[:16]}").set_value("High")
    page.app.text_area(key=f"correct-note-{DIGEST[:16]}").set_value("by the gate")
    sent = page.send(_stroke, strokes=(STROKE,))
    (row,) = page.rows()
    store = Store(page.folder)
    saved = store.correction(row["id"])
    assert (saved.who, saved.verified, saved.verdict) == ("Ada", False, "corrosion")
    assert saved.reasons == ("brick", "glare")
    assert (saved.wrong_reason, saved.note, saved.confidence) == (True, "by the gate", 0.9)
    assert (saved.seconds, saved.nonce, saved.parent) == (12.5, sent.nonce, None)
    assert saved.mask is not None
    assert (saved.mask.decode() == sent.mask).all()
    (prediction,) = page.rows("predictions")
    assert saved.prediction == prediction["id"]
    assert (store.prediction(prediction["id"]).mask.decode() == found).all()
    assert store.photo_path(DIGEST).read_bytes() == PHOTO
    mask, _ = replay(found, saved.strokes)
    assert (mask == sent.mask).all()
    assert page.drawn[-1]["saved"] == sent.nonce
    assert "Saved: " in page.words()
    assert "grade unchanged (Ri 5)" in page.words()
    # What was saved is the new beginning, and the next save its child.
    assert (page.drawn[-1]["mask"] == sent.mask).all()
    page.send(lambda mask: mask.fill(True))
    assert [r["parent"] for r in page.rows()] == [None, saved.id]
    assert len(page.rows("predictions")) == 1
    assert page.drawn[-1]["refused"] is None


def test_the_same_save_again_is_one_row_whatever_the_form_says_by_then(page: Desk) -> None:
    page.open(case=DIGEST)
    page.name()
    sent = page.send(_stroke)
    page.app.pills(key=f"correct-reasons-{DIGEST[:16]}").set_value(["soil"])
    page.send(nonce=sent.nonce, mask=sent.mask, base=sent.base)
    assert len(page.rows()) == 1
    assert page.drawn[-1]["saved"] == sent.nonce
    page.send(nonce=sent.nonce, mask=~sent.mask, base=sent.base)  # something else: refused
    assert len(page.rows()) == 1
    nonce, why = next(d["refused"] for d in reversed(page.drawn) if d["refused"])
    assert nonce == sent.nonce
    assert "was already used for different content" in why


def test_a_save_after_a_reload_finds_what_it_began_from(page: Desk) -> None:
    page.open(case=DIGEST)
    page.name()
    found = page.drawn[-1]["mask"].copy()
    page.send(_stroke)
    late = found.copy()
    late[-5:, -5:] = ~late[-5:, -5:]
    page.send(mask=late, base=base_of(found, np.zeros_like(found)))
    assert [row["parent"] for row in page.rows()] == [None, None]


def test_none_clears_the_mask_and_its_strokes_say_so(page: Desk) -> None:
    page.open(case=DIGEST)
    page.name()
    found = page.drawn[-1]["mask"].copy()
    page.app.segmented_control(key=f"correct-verdict-{DIGEST[:16]}").set_value("none").run()
    assert not page.drawn[-1]["mask"].any()
    page.app.segmented_control(key=f"correct-verdict-{DIGEST[:16]}").set_value(None).run()
    assert (page.drawn[-1]["mask"] == found).all()
    page.app.segmented_control(key=f"correct-verdict-{DIGEST[:16]}").set_value("none").run()
    sent = page.send(_stroke)
    assert "the verdict is 'none'" in page.drawn[-1]["refused"][1]
    assert not page.rows()
    page.send()
    (row,) = page.rows()
    saved = Store(page.folder).correction(row["id"])
    assert (saved.verdict, saved.area) == ("none", 0)
    mask, _ = replay(found, saved.strokes)
    assert not mask.any()
    assert sent.nonce != saved.nonce
    assert "grade changed from Ri 5 to Ri 0" in page.words()


def test_cant_tell_without_a_stroke_says_nothing_of_pixels(page: Desk) -> None:
    page.open(case=DIGEST)
    page.name()
    page.app.segmented_control(key=f"correct-verdict-{DIGEST[:16]}").set_value("can't tell").run()
    page.send()
    (row,) = page.rows()
    assert (row["verdict"], row["mask"], row["area"]) == ("can't tell", None, None)


def test_nobody_saves_without_a_name_and_the_same_save_goes_through_with_one(page: Desk) -> None:
    page.open(case=DIGEST)
    sent = page.send(_stroke)
    assert "your name is missing" in page.drawn[-1]["refused"][1]
    assert not page.folder.exists()
    page.name("  Grace   Hopper ")
    assert page.drawn[-1]["refused"] is None  # told once
    page.send(nonce=sent.nonce, mask=sent.mask, base=sent.base)
    assert [row["who"] for row in page.rows()] == ["Grace Hopper"]
    assert "Grace Hopper (unverified)" in page.words()


def test_what_the_store_cannot_do_is_told_and_then_works(
    page: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.open(case=DIGEST)
    page.name()
    (page.folder).mkdir()
    (page.folder / "labels.sqlite").write_bytes(b"not a database at all" * 10)
    page.send(_stroke)
    assert "is not an SQLite database" in page.drawn[-1]["refused"][1]
    assert "The labels cannot be read" in page.words()
    (page.folder / "labels.sqlite").unlink()
    Store(page.folder)
    conn = sqlite3.connect(page.folder / "labels.sqlite", isolation_level=None)
    monkeypatch.setattr(
        labels, "Store", lambda folder, create=True: Store(folder, create=create, busy_seconds=0.01)
    )
    conn.execute("BEGIN IMMEDIATE")
    sent = page.send(_stroke)
    assert "is locked by another program" in page.drawn[-1]["refused"][1]
    conn.execute("ROLLBACK")
    conn.execute(LATER_STEP)
    conn.close()
    assert not page.rows()
    page.send(nonce=sent.nonce, mask=sent.mask, base=sent.base)
    assert page.drawn[-1]["refused"][0] == sent.nonce


def test_a_bug_while_saving_keeps_its_text_to_itself(
    page: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    page.open(case=DIGEST)
    page.name()
    monkeypatch.setattr(saving, "save", broken)
    page.send(_stroke)
    assert "secret" not in page.drawn[-1]["refused"][1]
    assert "secret detail" in caplog.text


def test_the_next_photo_comes_at_once_and_the_last_is_a_link_away(page: Desk) -> None:
    store = Store(page.folder)
    other = store.add_photo(png(picture(rusty=False)), origin="plate.png")
    page.open(case=DIGEST)
    page.name()
    page.app.text_area(key=f"correct-note-{DIGEST[:16]}").set_value("only of this one")
    sent = page.send(_stroke)
    assert page.app.query_params["case"] == other.sha256
    assert page.drawn[-1]["case"] == other.sha256
    assert page.drawn[-1]["saved"] == sent.nonce
    assert page.app.text_area(key=f"correct-note-{other.sha256[:16]}").value == ""
    assert "plate.png" in page.words().replace("\\", "")
    # The last of the queue: it stays, and says so by what it shows.
    page.send()
    assert page.app.query_params["case"] == other.sha256
    assert [row["verdict"] for row in page.rows()] == ["corrosion", "none"]
    page.open(case=DIGEST)
    page.app.button(key="back").click().run()
    assert page.app.query_params["case"] == other.sha256


def test_the_next_photo_is_made_ready_ahead_for_who_may_save(
    page: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = workbench.make_bench
    monkeypatch.setattr(
        workbench, "make_bench", lambda case: made.append(case.digest) or make(case)
    )
    other = Store(page.folder).add_photo(png(picture(rusty=False)), origin="plate.png").sha256
    page.open(case=DIGEST)
    _join()
    assert made == [DIGEST]  # nobody knows yet who that is
    page.name()
    page.app.run()
    _join()
    assert made == [DIGEST, other]
    page.send(_stroke)
    assert page.drawn[-1]["case"] == other
    _join()
    assert made == [DIGEST, other]  # it was there, and no other photo waits
    monkeypatch.setenv("RUSTSEG_DEMO", "1")
    page.app.query_params.clear()
    page.open(sample="pipe")
    _join()
    assert len(made) == 3  # what is open, not the sample that is next


def test_only_the_last_wish_is_made_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go, done = threading.Event(), threading.Event(), []

    def make(case: str, given_up: Callable[[], bool]) -> None:
        done.append(case)
        begun.set()
        go.wait(20)
        done.append(given_up())
        if case == "last":
            raise rs.ImageError("told to whoever opens it")

    monkeypatch.setattr(workbench, "bench_ahead", make)
    wishes: Any = prefetch.Ahead()
    wishes.want("first")
    assert begun.wait(20)
    for case in ("second", "last"):
        wishes.want(case)
    go.set()
    wishes.join()
    assert done == ["first", True, "last", False]


def test_the_next_sample_follows_a_sample_and_skipping_saves_nothing(page: Desk) -> None:
    page.open(sample="pipe")
    page.app.button(key="skip").click().run()
    first = page.app.query_params["sample"]
    assert first != "pipe"
    page.app.button(key="skip").click().run()
    assert page.app.query_params["sample"] not in ("pipe", first)
    assert not page.folder.exists()


def test_an_old_photo_comes_again_without_what_was_said_of_it(
    page: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.open(case=DIGEST)
    page.name()
    found = page.drawn[-1]["mask"].copy()
    page.send(lambda mask: mask.fill(True))
    store = Store(page.folder)
    other = store.add_photo(png(picture(rusty=False)), origin="plate.png")
    asked = []
    monkeypatch.setattr(opening, "REPEAT_EVERY", 2)
    monkeypatch.setattr(
        labels, "repeats", lambda store, who, **_: asked.append(who) or (other.sha256, DIGEST)
    )
    page.open(case=other.sha256)
    page.send()  # the second of this visit; of the two, the one that is not open comes
    assert set(asked) == {"Ada"}  # once ahead, and once more when it is opened
    assert page.app.query_params["case"] == DIGEST
    assert (page.drawn[-1]["mask"] == found).all()  # and not what Ada said then
    assert not [e for e in page.app.expander if "History" in e.label]
    page.send(_stroke)
    assert [row["parent"] for row in page.rows()] == [None, None, None]
    assert [e for e in page.app.expander if "2 corrections" in e.label]


def test_the_history_says_who_what_and_goes_on_from_any(page: Desk) -> None:
    page.open(case=DIGEST)
    page.name()
    found = page.drawn[-1]["mask"].copy()
    first = page.send(_stroke)
    page.send(lambda mask: mask.fill(True))
    one, two = (row["id"] for row in page.rows())
    words = page.words().replace("\N{NO-BREAK SPACE}", " ")
    assert "**Ada (unverified)**" in words
    assert "Corrosion · 100.0 % · Ri 5 · 12 s" in words
    assert page.app.button(key=f"from-{two}").disabled
    page.app.toggle(key=f"looks-{two}").set_value(True).run()
    share = float(first.mask.mean())
    words = page.words().replace("\N{NO-BREAK SPACE}", " ")
    assert f"{100 * (1 - share):.1f} % of the photo added, 0.0 % removed" in words
    page.app.button(key=f"from-{one}").click().run()
    assert (page.drawn[-1]["mask"] == first.mask).all()
    page.app.button(key="from-model").click().run()
    assert (page.drawn[-1]["mask"] == found).all()
    Store(page.folder).withdraw(two, nonce=uuid.uuid4().hex, who="Ada")
    page.open(case=DIGEST)
    assert "withdrawn" in page.words()


def test_it_begins_with_the_latest_correction_that_counts(page: Desk) -> None:
    page.open(case=DIGEST)
    page.name()
    found = page.drawn[-1]["mask"].copy()
    sent = page.send(_stroke)
    assert (sent.mask != found).any()
    store, [row] = Store(page.folder), page.rows()
    for action, mask in (("flag", sent.mask), ("reject", found), ("approve", sent.mask)):
        store.review(row["id"], action, nonce=uuid.uuid4().hex, who="Ben")
        page.open(case=DIGEST)
        assert (page.drawn[-1]["mask"] == mask).all()


def test_only_scribbles_spread(page: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, np.ndarray]] = []

    def completed(_: object, **given: np.ndarray) -> np.ndarray:
        told.append(given)
        return given["rust"]

    monkeypatch.setattr("pages.parts.correct.events.completed", completed)
    page.open(case=DIGEST)
    shape = page.drawn[-1]["mask"].shape
    rust, scribbled, nothing = (np.zeros(shape, bool) for _ in range(3))
    rust[:4], scribbled[:2] = True, True
    ask = canvas.Ask("c" * 32, DIGEST, "crf", nothing, rust, nothing, scribbled)
    page.queue.append(lambda _: ask)
    page.app.run()
    (given,) = told
    assert (given["settled"] == (rust & ~scribbled)).all()


def test_a_question_is_answered_by_the_crf_and_keeps_every_stroke(page: Desk) -> None:
    page.open(case=DIGEST)
    shape = page.drawn[-1]["mask"].shape
    rust, clean = np.zeros(shape, bool), np.zeros(shape, bool)
    rust[:4, :30], clean[-4:, :] = True, True
    ask = canvas.Ask("a" * 32, DIGEST, "crf", page.drawn[-1]["mask"], rust, clean, rust)
    page.queue.append(lambda _: ask)
    page.app.run()
    answer = page.drawn[-1]["suggestion"]
    assert answer.nonce == "a" * 32
    assert answer.mask[rust].all()
    assert not answer.mask[clean].any()
    assert answer.words
    # After a correction, what it set is kept like a stroke.
    page.name()
    page.send(lambda mask: mask.fill(False))
    nothing = np.zeros(shape, bool)
    dot = nothing.copy()
    dot[0, 0] = True
    page.queue.append(lambda _: canvas.Ask("b" * 32, DIGEST, "crf", nothing, dot, nothing, dot))
    page.app.run()
    answer = page.drawn[-1]["suggestion"]
    assert answer.mask[0, 0]
    found = labels.history(Store(page.folder), DIGEST).predictions[0].mask.decode()
    assert not answer.mask[found & ~dot].any()


def test_the_browser_keeps_a_form_until_it_is_saved(
    page: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Any] = {}

    def browser(photo: str, form: Any, *, ask: str, saved: Any = ()) -> Any:
        for done in saved:
            kept.pop(done, None)
        if ask:
            return kept.get(photo, {})
        kept.pop(photo, None)
        if form:
            kept[photo] = json.loads(json.dumps(form))
        return None

    def fields() -> list[Any]:
        app = page.app
        kinds = {"verdict": app.segmented_control, "confidence": app.segmented_control,
                 "reasons": app.pills, "note": app.text_area}  # fmt: skip
        return [kind(key=f"correct-{name}-{key}").value for name, kind in kinds.items()]

    key = DIGEST[:16]
    monkeypatch.setattr("pages.parts.correct.form.remembered_form", browser)
    page.open(case=DIGEST)
    page.name()
    page.app.segmented_control(key=f"correct-verdict-{key}").set_value("corrosion")
    page.app.pills(key=f"correct-reasons-{key}").set_value(["glare", "brick"])
    page.app.segmented_control(key=f"correct-confidence-{key}").set_value("Low")
    page.app.text_area(key=f"correct-note-{key}").set_value("by the gate").run()
    filled = ["corrosion", "Low", ["brick", "glare"], "by the gate"]
    page.app = AppTest.from_file(
        page.app._script_path, default_timeout=60
    )  # another session: a reload
    page.app.user = {}
    page.app.run()
    page.open(case=DIGEST)
    assert fields() == filled
    page.name()
    page.send(_stroke)
    assert [row["note"] for row in page.rows()] == ["by the gate"]
    page.app.run()
    assert kept == {}
    assert fields() == filled  # for as long as this visit lasts
    page.app.text_area(key=f"correct-note-{key}").set_value("no, by the wall").run()
    assert kept[DIGEST]["note"] == "no, by the wall"


def test_what_a_browser_keeps_is_taken_as_far_as_the_form_allows_it() -> None:
    wrong = {"verdict": "maybe", "reasons": ["brick", "<b>"], "note": 5, "confidence": 0.99,
             "wrong_reason": "yes", "consent": None, "who": "Eve"}  # fmt: skip
    assert read_form(wrong) == saving.Said(reasons=("brick",))
    assert read_form({"reasons": "brick", "verdict": []}) == saving.Said()


def test_a_demo_writes_nothing_whatever_is_sent(
    page: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUSTSEG_DEMO", "1")
    page.open(case=DIGEST)
    assert not page.drawn[-1]["can_save"]
    assert "Nothing is saved" in page.words()
    assert not page.app.text_input
    assert page.app.text_area[0].disabled
    page.send(_stroke)  # a browser that was made to send it all the same
    assert not page.folder.exists()
    assert "you may not save" in page.drawn[-1]["refused"][1]


def test_a_demo_shows_no_names_and_no_photo_of_the_queue(
    page: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.open(case=DIGEST)
    page.name("Ada")
    page.send(_stroke)
    Store(page.folder).add_photo(png(picture(rusty=False)), origin="plate.png")
    before = (page.folder / "labels.sqlite").read_bytes()
    monkeypatch.setenv("RUSTSEG_DEMO", "1")
    page.open(case=DIGEST)
    assert "An expert" in page.words()
    assert "**Ada" not in page.words()
    page.app.button(key="another").click().run()
    assert "next" not in [b.key for b in page.app.button]
    assert (page.folder / "labels.sqlite").read_bytes() == before


def test_exif_is_stripped_where_that_is_set(page: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTSEG_EXIF", "stripped")
    page.open(case=DIGEST)
    page.name()
    page.app.selectbox(key=f"correct-consent-{DIGEST[:16]}").set_value("given").run()
    page.send(_stroke)
    (photo,) = page.rows("photos")
    assert (photo["exif"], photo["original"], photo["consent"]) == ("stripped", DIGEST, "given")
    assert "1 correction" in page.app.expander[-1].label
    monkeypatch.setenv("RUSTSEG_EXIF", "maybe")
    page.send(_stroke)
    assert "it must be 'kept' or 'stripped'" in page.drawn[-1]["refused"][1]


@pytest.mark.parametrize(
    ("login", "typed", "settings", "wanted"),
    [
        ({}, "", {}, ("", False, "reviewer")),
        ({}, "Ada", {}, ("Ada", False, "reviewer")),
        ({"is_logged_in": False}, "Ada", {}, ("Ada", False, "viewer")),
        ({"is_logged_in": True, "email": "a@b.c"}, "", {}, ("a@b.c", True, "reviewer")),
        ({"email": "A@b.c"}, "", {"RUSTSEG_EXPERTS": "x@y.z, a@B.c"}, ("A@b.c", True, "expert")),
        ({"email": "a@b.c"}, "", {"RUSTSEG_EXPERTS": "x@y.z"}, ("a@b.c", True, "viewer")),
        ({"email": "a@b.c"}, "", {"RUSTSEG_REVIEWERS": "a@b.c", "RUSTSEG_EXPERTS": "a@b.c"},
         ("a@b.c", True, "reviewer")),
        ({"email": "a@b.c"}, "", {"RUSTSEG_EXPERTS": "*"}, ("a@b.c", True, "expert")),
        ({}, "a@b.c", {"RUSTSEG_EXPERTS": "a@b.c,*"}, ("a@b.c", False, "viewer")),
        ({}, "Ada", {"RUSTSEG_DEMO": "1"}, ("Ada", False, "viewer")),
        ({}, "Ada", {"RUSTSEG_DEMO": "0"}, ("Ada", False, "reviewer")),
        ({"email": "a@b.c"}, "", {"RUSTSEG_DEMO": "1", "RUSTSEG_REVIEWERS": "a@b.c"},
         ("a@b.c", True, "reviewer")),
    ],
)  # fmt: skip
def test_who_somebody_is(
    login: dict[str, Any], typed: str, settings: dict[str, str], wanted: tuple[str, bool, str]
) -> None:
    person = people.person_of(login, typed, settings)
    assert (person.name, person.verified, person.role) == wanted


def test_the_examples_show_what_they_say() -> None:
    masks = {}
    for words, kind, seed, mark in EXAMPLES:
        scene = render(kind, seed, size=(120, 160))
        masks[words] = (scene, mark(scene))
    for words, (scene, mask) in masks.items():
        good = words.startswith("Good")
        assert scene.corroded or mask.all()
        assert (mask == scene.mask).all() == good
    pictures = _pictures()
    assert len({bytes(p) for p in pictures}) == len(EXAMPLES)
    assert read(pictures[0]).shape == (240, 320, 3)
