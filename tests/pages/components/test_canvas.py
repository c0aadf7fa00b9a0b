"""The canvas's Python side: what it sends, and what it lets in."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
import zlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.components import canvas as face
from pages.components.canvas import (
    Ask,
    CorrectionError,
    Save,
    Suggestion,
    base_of,
    canvas,
    encode_photo,
)
from pages.components.canvas.pictures import doubt_png, pack_mask, pack_pieces
from pages.components.canvas.wire import read_ask, read_save
from rustseg_jax.errors import ConfigError, ImageError

SHAPE = (20, 30)
PHOTO = np.full((*SHAPE, 3), (150, 75, 35), np.uint8)
MASK = np.zeros(SHAPE, bool)
MASK[2:8, 3:9] = True
NONE = np.zeros(SHAPE, bool)


class Browser:
    """Stands for Streamlit: keeps what is mounted and served, answers with triggers."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.data: dict[str, Any] = {}
        self.answer: dict[str, Any] = {}
        self.media_file_mgr = SimpleNamespace(add=self.add)

    def add(self, data: bytes, kind: str, place: str) -> str:
        self.files[place] = data
        return f"/media/{place}"

    def mount(self, *, key: str, data: dict[str, Any], **callbacks: Any) -> dict[str, Any]:
        assert set(callbacks) == {"on_save_change", "on_ask_change"}
        self.data = json.loads(json.dumps(data))  # what cannot be sent fails here
        return self.answer


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    fake = Browser()
    monkeypatch.setattr(face.runtime, "get_instance", lambda: fake)
    monkeypatch.setattr(face, "_mount", fake.mount)
    return fake


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def packed(strokes: object) -> str:
    return text(zlib.compress(json.dumps(strokes).encode()))


def sent(**changes: Any) -> dict[str, Any]:
    """A save as the browser sends it."""
    whole = {
        "nonce": "0123456789abcdef" * 2, "case": "c", "base": "30x20-0", "width": 30, "height": 20,
        "mask": text(pack_mask(MASK)), "ignore": None, "strokes": packed([]), "seconds": 1.5,
        "undos": 2,
    }  # fmt: skip
    return whole | changes


def asked(**changes: Any) -> dict[str, Any]:
    marks = {name: text(pack_mask(bits)) for name, bits in (("rust", MASK), ("clean", NONE))}
    return sent(kind="crf", **marks) | changes


def test_the_browser_gets_addresses_not_pixels(browser: Browser) -> None:
    suggestion = Suggestion("n", ~MASK, "words", [(np.int64(1), 2, 3, 4)])
    event = canvas(
        PHOTO, MASK, key="k", case="c", heatmap=np.zeros((4, 6), np.float32), saved="s",
        superpixels=np.arange(6).reshape(2, 3), suggestion=suggestion, grades=[(0, "Ri 0")],
        doubt=np.full((4, 6), 0.5, np.float32), ignore=np.eye(20, 30, dtype=bool),
    )  # fmt: skip
    assert event is None
    data = browser.data
    assert (data["width"], data["height"], data["saved"]) == (30, 20, "s")
    assert [u["name"] for u in data["underlays"]] == ["Heat map", "Uncertainty map"]
    assert data["suggestion"]["boxes"] == [[1, 2, 3, 4]]
    assert data["pieces"] == {"url": "/media/canvas.k.pieces", "width": 3, "height": 2}
    assert len(json.dumps(data)) < 1500
    photo = Image.open(io.BytesIO(browser.files["canvas.k.photo"]))
    assert (photo.format, photo.size) == ("JPEG", (30, 20))
    start = read_save(sent(mask=text(browser.files["canvas.k.mask"])), case="c", shape=SHAPE)
    np.testing.assert_array_equal(start.mask, MASK & ~np.eye(20, 30, dtype=bool))


def test_without_extras_nothing_more_is_sent(browser: Browser) -> None:
    canvas("/media/photo.jpg", MASK, key="k", case="c")
    data = browser.data
    assert data["photo"] == "/media/photo.jpg"
    assert (data["ignore"], data["pieces"], data["suggestion"], data["refused"]) == (None,) * 4
    assert (data["underlays"], data["grades"]) == ([], [])
    assert list(browser.files) == ["canvas.k.mask"]


def test_a_suggestion_for_another_photo_is_not_sent(browser: Browser) -> None:
    canvas(PHOTO, MASK, key="k", case="c", suggestion=Suggestion("n", np.zeros((9, 9), bool)))
    assert browser.data["suggestion"] is None


def test_saves_and_questions_come_back(browser: Browser) -> None:
    browser.answer = {"save": sent(), "ask": None}
    save = canvas(PHOTO, MASK, key="k", case="c")
    assert isinstance(save, Save)
    np.testing.assert_array_equal(save.mask, MASK)
    assert not save.ignore.any()
    assert (save.seconds, save.undos, save.strokes) == (1.5, 2, ())
    browser.answer = {"save": None, "ask": asked()}
    ask = canvas(PHOTO, MASK, key="k", case="c")
    assert isinstance(ask, Ask)
    np.testing.assert_array_equal(ask.rust, MASK)
    assert not ask.clean.any()
    np.testing.assert_array_equal(ask.scribbled, MASK)  # nothing is said of it: all of it spreads


def test_what_was_scribbled_is_part_of_what_was_marked() -> None:
    half = np.zeros(SHAPE, bool)
    half[:10] = True
    ask = read_ask(asked(scribbled=text(pack_mask(half))), case="c", shape=SHAPE)
    np.testing.assert_array_equal(ask.scribbled, MASK & half)


def test_who_may_not_save_does_not(browser: Browser) -> None:
    browser.answer = {"save": sent(), "ask": None}
    assert canvas(PHOTO, MASK, key="k", case="c", can_save=False) is None
    assert canvas(PHOTO, MASK, key="k", case="c", readonly=True) is None
    browser.answer = {"save": None, "ask": asked()}
    assert isinstance(canvas(PHOTO, MASK, key="k", case="c", can_save=False), Ask)


def test_what_comes_late_for_another_photo_is_dropped(browser: Browser) -> None:
    browser.answer = {"save": sent(case="before", width=7), "ask": asked(case="before")}
    assert canvas(PHOTO, MASK, key="k", case="c") is None


def test_a_name_tells_masks_apart() -> None:
    other = MASK.copy()
    other[0, 0] = True
    names = {base_of(MASK, NONE), base_of(other, NONE), base_of(MASK, other & ~MASK)}
    assert len(names | {base_of(MASK, NONE)}) == 3
    # The browser computes it, too: crc32 of 40 rows of nothing, 4 bytes each.
    assert base_of(NONE, NONE) == "30x20-" + 2 * f"{zlib.crc32(bytes(80)):08x}"


def test_files_are_exact() -> None:
    numbers = np.array([[0, 255], [256, 65535]])
    assert zlib.decompress(pack_pieces(numbers)) == bytes([0, 0, 255, 0, 0, 1, 255, 255])
    corner = np.zeros((2, 9), bool)
    corner[0, 0] = corner[0, 8] = corner[1, 7] = True
    assert zlib.decompress(pack_mask(corner)) == bytes([0x80, 0x80, 0x01, 0x00])
    doubt = np.asarray(Image.open(io.BytesIO(doubt_png(np.array([[0.0, 1.0]])))))
    np.testing.assert_array_equal(doubt[..., 3], [[0, 255]])


def test_a_turned_photo_is_sent_upright_and_without_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    exif[0x010E] = "Somebody's garden"
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "JPEG", exif=exif)
    encoded = encode_photo(file.getvalue())
    assert (encoded.width, encoded.height) == (20, 30)
    assert b"garden" not in encoded.data
    assert encode_photo(encoded) is encoded
    with pytest.raises(ImageError, match=r"^photo is not an image"):
        encode_photo(b"no picture")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mask": MASK.astype(np.uint8)}, "mask is uint8"),
        ({"mask": MASK[0]}, "mask is bool"),
        ({"mask": np.zeros((0, 3), bool)}, "mask is bool"),
        ({"ignore": MASK[1:]}, "ignore has the shape"),
        ({"key": ""}, "key is ''"),
        ({"case": None}, "case is None"),
        ({"photo": PHOTO[1:]}, "photo is 30 x 19 pixels and mask is 30 x 20"),
        ({"heatmap": np.ones((2, 2), int)}, "heatmap is int64"),
        ({"heatmap": np.full((2, 2), 1.5)}, "heatmap has invalid values"),
        ({"doubt": np.full((2, 2), np.nan)}, "doubt has invalid values"),
        ({"superpixels": np.zeros((21, 30), int)}, "superpixels is"),
        ({"superpixels": np.full((2, 2), 1 << 16)}, "between 0 and 65535"),
        ({"superpixels": np.zeros((2, 2))}, "superpixels is float64"),
    ],
)
def test_bad_arguments_are_named(browser: Browser, change: dict[str, Any], words: str) -> None:
    arguments = {"photo": PHOTO, "mask": MASK, "key": "k", "case": "c"} | change
    with pytest.raises(ConfigError, match=words):
        canvas(arguments.pop("photo"), arguments.pop("mask"), **arguments)
    assert not browser.data


ROWS = np.packbits(MASK, axis=1).tobytes()
PACKED = zlib.compress(ROWS)


def png() -> bytes:
    """A mask as canvases of earlier versions sent it."""
    file = io.BytesIO()
    Image.fromarray(MASK).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nonce": "x"}, "nonce is not"),
        ({"nonce": 7}, "nonce is not"),
        ({"case": "d"}, "another photo"),
        ({"width": 31}, "does not fit the photo, 30 x 20"),
        ({"mask": None}, "mask is NoneType"),
        ({"mask": "&&&"}, "mask is not base64"),
        ({"mask": "A" * 8_000_001}, "mask is larger"),
        ({"mask": text(b"plain")}, "mask is damaged and cannot be unpacked"),
        ({"mask": text(png())}, "mask is damaged and cannot be unpacked"),
        ({"mask": text(zlib.compress(b""))}, "mask has 0 bytes unpacked; 30 x 20 pixels need 80"),
        ({"mask": text(zlib.compress(ROWS[:-1]))}, "mask has 79 bytes unpacked"),
        ({"mask": text(zlib.compress(ROWS + b"\0"))}, "mask is larger than 80 bytes unpacked"),
        ({"mask": text(zlib.compress(bytes(99_999_999), 9))}, "mask is larger than 80 bytes"),
        ({"mask": text(PACKED[:-1])}, "mask is cut short"),
        ({"mask": text(b"")}, "mask is cut short"),
        ({"mask": text(PACKED + b"more")}, "mask has extra data after its end"),
        ({"mask": text(PACKED[:-1] + b"!")}, "mask is damaged and cannot be unpacked"),
        ({"mask": text(zlib.compress(b"\0\0\0\1" * 20))}, "mask marks pixels right of .* 30 col"),
        ({"ignore": text(PACKED)}, "mask and ignore overlap"),
        ({"ignore": text(PACKED[:9])}, "ignore is cut short"),
        ({"base": None}, "base is not the name"),
        ({"strokes": None}, "strokes is NoneType"),
        ({"strokes": text(b"plain")}, "strokes is damaged and cannot be unpacked"),
        ({"strokes": text(zlib.compress(b"[1,"))}, "strokes is not valid JSON"),
        ({"strokes": text(zlib.compress(b"[" * 99_999))}, "strokes is not valid JSON"),
        ({"strokes": text(zlib.compress(bytes(17_000_000)))}, "strokes is larger than 16,000,000"),
        ({"strokes": text(zlib.compress(b"[]")[:-3])}, "strokes is cut short"),
        ({"strokes": text(zlib.compress(b"[]") + b"1")}, "strokes has extra data after"),
        ({"strokes": packed([{"op": "paint"}])}, "value of stroke 0"),
        ({"seconds": -1}, "seconds is -1"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"undos": "many"}, "undos is 'many'"),
    ],
)
def test_what_a_browser_may_not_send(change: dict[str, Any], words: str) -> None:
    with pytest.raises(CorrectionError, match=words):
        read_save(sent(**change), case="c", shape=SHAPE)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(1 << 28), 9)
    tracemalloc.start()
    with pytest.raises(CorrectionError, match="mask is larger than 80 bytes unpacked"):
        read_save(sent(mask=text(bomb)), case="c", shape=SHAPE)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 * len(bomb)  # of 268 megabytes


@pytest.mark.parametrize("whole", [None, [], "save"])
def test_a_save_is_an_object(whole: object) -> None:
    with pytest.raises(CorrectionError, match="it must be an object"):
        read_save(whole, case="c", shape=SHAPE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "magic"}, "kind is 'magic'"),
        ({"clean": text(PACKED)}, "rust and clean overlap"),
        ({"rust": None}, "rust is NoneType"),
    ],
)
def test_what_a_question_may_not_hold(change: dict[str, Any], words: str) -> None:
    with pytest.raises(CorrectionError, match=words):
        read_ask(asked(**change), case="c", shape=SHAPE)


def test_it_runs_on_a_page_of_the_app_without_a_browser() -> None:
    def page() -> None:
        import numpy as np

        from pages.components.canvas import canvas

        canvas(np.zeros((40, 60, 3), np.uint8), np.zeros((40, 60), bool), key="a", case="c")

    at = AppTest.from_function(page, default_timeout=60).run()
    assert not at.exception
    assert len(at.get("bidi_component")) == 1
