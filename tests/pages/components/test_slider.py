"""The before/after slider: which arguments it takes, and what it sends to the browser."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.components import slider
from pages.components.slider import MAX_SIDE, Encoded, compare_slider, encode
from rustseg_jax.errors import ConfigError, ImageError

PHOTO = np.full((40, 60, 3), (200, 10, 20), np.uint8)


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each slider was mounted with; its files lie under "files"."""
    files: dict[str, bytes] = {}

    def add(data: bytes, mimetype: str, place: str) -> str:
        assert mimetype == "image/jpeg"
        files[place] = data
        return f"/media/{place}.jpg"

    calls: list[dict[str, Any]] = []
    server = SimpleNamespace(media_file_mgr=SimpleNamespace(add=add))
    monkeypatch.setattr(slider.runtime, "get_instance", lambda: server)
    monkeypatch.setattr(slider, "_mount", lambda **call: calls.append({**call, "files": files}))
    return calls


def _decode(file: Encoded) -> np.ndarray:
    image = Image.open(io.BytesIO(file.data))
    assert image.format == "JPEG"
    return np.asarray(image)


def test_the_page_gets_addresses_names_and_the_shape(mounted: list[dict[str, Any]]) -> None:
    compare_slider(
        PHOTO, 255 - PHOTO, key="k", labels=("Photo", "<i>"), alt=("seen", "drawn"), start=30
    )
    (call,) = mounted
    assert call["key"] == "k"
    assert call["data"] == {
        "key": "k",
        "name": "Divider between Photo and <i>",
        "width": 60,
        "height": 40,
        "start": 30,
        "before": {
            "url": "/media/compare_slider.k.before.jpg", "label": "Photo", "alt": "seen",
        },
        "after": {"url": "/media/compare_slider.k.after.jpg", "label": "<i>", "alt": "drawn"},
    }  # fmt: skip
    files = call["files"]
    assert files["compare_slider.k.before"] == encode(PHOTO).data
    assert files["compare_slider.k.after"] == encode(255 - PHOTO).data


def test_labels_stand_in_for_missing_alt_texts(mounted: list[dict[str, Any]]) -> None:
    compare_slider(PHOTO, PHOTO, key="k", labels=("Photo", "Mask"))
    data = mounted[0]["data"]
    assert (data["before"]["alt"], data["after"]["alt"]) == ("Photo", "Mask")


@pytest.mark.parametrize("kind", ["array", "pil", "bytes", "encoded"])
def test_every_kind_of_picture_becomes_the_same_jpeg(kind: str) -> None:
    png = io.BytesIO()
    Image.fromarray(PHOTO).save(png, "PNG")
    given = {
        "array": PHOTO,
        "pil": Image.fromarray(PHOTO),
        "bytes": png.getvalue(),
        "encoded": encode(PHOTO),
    }[kind]
    file = encode(given)  # type: ignore[arg-type]
    assert (file.width, file.height) == (60, 40)
    assert file == encode(PHOTO)
    assert np.abs(_decode(file).astype(int) - PHOTO).max() <= 2


def test_grey_becomes_three_channels() -> None:
    assert _decode(encode(np.full((20, 30), 7, np.uint8))).shape == (20, 30, 3)


def test_thin_coloured_lines_keep_their_colour() -> None:
    lines = np.full((64, 64, 3), 128, np.uint8)
    lines[:, 1::8] = (20, 20, 240)
    drawn = _decode(encode(lines))[:, 1::8].reshape(-1, 3).mean(axis=0)
    # With colour at half resolution they become (32, 34, 118).
    np.testing.assert_allclose(drawn, (20, 20, 240), atol=12)


def test_a_turned_photo_is_sent_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "JPEG", exif=exif)
    sent = encode(file.getvalue())
    assert (sent.width, sent.height) == (40, 60)
    assert _decode(sent).shape == (60, 40, 3)


def test_a_large_photo_is_shrunk_but_tells_its_own_size() -> None:
    file = encode(np.zeros((100, 2 * MAX_SIDE, 3), np.uint8))
    assert (file.width, file.height) == (2 * MAX_SIDE, 100)
    assert _decode(file).shape == (50, MAX_SIDE, 3)


def test_a_photo_of_2000_by_1500_is_sent_at_its_size_in_under_a_megabyte() -> None:
    ramp = np.linspace(0, 255, 2000, dtype=np.float32)
    noise = np.random.default_rng(0).normal(0, 4, (1500, 2000, 3))
    photo = (ramp[None, :, None] + noise).clip(0, 255).astype(np.uint8)
    file = encode(photo)
    assert _decode(file).shape == photo.shape
    assert len(file.data) < 1_000_000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"before": PHOTO.astype(np.float32)}, "before is float32; it must be uint8"),
        ({"after": PHOTO > 0}, "after is bool; it must be uint8"),
        (
            {"after": np.zeros((40, 60, 4), np.uint8)},
            r"after has the shape \(40, 60, 4\); it must be",
        ),
        ({"before": "photo.jpg"}, "before is str; it must be a uint8 array"),
        (
            {"after": PHOTO[:39]},
            "before is 60 x 40 pixels and after is 60 x 39; both must have the same size",
        ),
        ({"labels": "ab"}, "labels is 'ab'; it must be two texts"),
        ({"labels": ("one",)}, "labels is .*; it must be two texts"),
        ({"labels": ("Photo", " ")}, "labels is .*; it must be two texts"),
        ({"alt": ("one", 2)}, "alt is .*; it must be two texts"),
        ({"key": ""}, "key is ''; it must be a non-empty string"),
        ({"key": None}, "key is None; it must be a non-empty string"),
        ({"start": 101}, "start is 101; it must be between 0 and 100"),
        ({"start": float("nan")}, "start is nan; it must be between 0 and 100"),
        ({"start": True}, "start is True; it must be between 0 and 100"),
        ({"start": "50"}, "start is '50'; it must be between 0 and 100"),
    ],
)
def test_bad_arguments_are_named(
    mounted: list[dict[str, Any]], change: dict[str, Any], words: str
) -> None:
    good = {"before": PHOTO, "after": PHOTO, "key": "k"}
    with pytest.raises(ConfigError, match=words):
        compare_slider(**(good | change))
    assert not mounted


def test_damaged_bytes_are_refused_by_name() -> None:
    with pytest.raises(ImageError, match=r"^after is not an image"):
        encode(b"no picture", name="after")


@pytest.mark.parametrize("name", ["slider.html", "slider.css", "slider.js"])
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    text = (Path(slider.__file__).parent / name).read_text(encoding="utf-8")
    assert "\n" in text.strip()  # a single line would be taken for a path
    for word in ("http:", "https:", "@import", "url(//", "setStateValue", "innerHTML"):
        assert word not in text


def test_it_runs_on_a_page_of_the_app_without_a_browser() -> None:
    def page() -> None:
        import numpy as np

        from pages.components.slider import compare_slider

        photo = np.zeros((40, 60, 3), np.uint8)
        compare_slider(photo, photo + 9, key="a")
        compare_slider(photo, photo + 9, key="b")

    at = AppTest.from_function(page, default_timeout=60).run()
    assert not at.exception
    assert len(at.get("bidi_component")) == 2
