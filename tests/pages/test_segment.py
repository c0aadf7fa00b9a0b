"""The first page without a browser: each state a visitor can meet."""

from __future__ import annotations

import io
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_made import picture, save_redness
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.server import results
from pages.server.results import make_report, overlay_file, report
from pages.shared import cases
from rustseg_jax.drawing.encode import png
from rustseg_jax.images import sha256
from rustseg_jax.samples import list_samples

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = "skimage-rocket"  # ships with scikit-image; the redness network finds a little in it


def _upload(app: AppTest, name: str, data: bytes) -> AppTest:
    app.run()
    app.file_uploader[0].upload(name, data)
    return app.run()


def _texts(app: AppTest) -> str:
    return "\n".join(e.value for kind in (app.header, app.markdown, app.caption) for e in kind)


def _figures(app: AppTest) -> dict[str, str]:
    return {m.label: m.value for m in app.metric}


def _images(app: AppTest) -> list[Any]:
    return [image for element in app.get("image") for image in element.proto.imgs]


def test_empty(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert not app.header
    assert [b.label for b in app.button] == [s.title for s in list_samples()]
    assert f"{cases.KEEP_HOURS} hours" in _texts(app)


def test_a_sample_goes_into_the_address_and_is_judged(app: AppTest) -> None:
    app.run()
    app.button(key=f"sample-{SAMPLE}").click().run()
    assert not app.exception
    assert app.query_params["sample"] == SAMPLE
    assert app.header[0].value.startswith(":material/")
    assert "orrosion found" in app.header[0].value
    assert [m.label for m in app.metric][:2] == ["Probability of corrosion", "Rusted area"]


def test_an_upload_is_judged_kept_and_found_again_by_a_new_session(app: AppTest) -> None:
    data = png(picture(rusty=True))
    _upload(app, "gate*1*.png", data)
    assert not app.exception
    assert app.query_params["case"] == sha256(data)
    words = ":material/flag: Corrosion found, over 99 % confidence, about 25 % of the photo ("
    assert app.header[0].value.replace("\N{NO-BREAK SPACE}", " ").startswith(words)
    figures = _figures(app)
    assert figures["Probability of corrosion"] == "over 99.9\N{NO-BREAK SPACE}%"
    assert figures["Rusted area"] == "25.0\N{NO-BREAK SPACE}%"
    assert figures["ISO 4628-3"] == "Ri 5"  # a quarter of the picture
    assert figures["ASTM D610"] == "Grade 2"
    assert "range over variants" in _texts(app)  # these weights have no calibration
    assert "mark the steel" in _texts(app)
    assert r"gate\*1\*\.png" in _texts(app) or r"gate\*1\*.png" in _texts(app)
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    again.query_params["case"] = sha256(data)
    again.run()
    assert again.header[0].value == app.header[0].value
    assert "Your photo" in _texts(again)


def test_no_corrosion_says_what_that_means(app: AppTest) -> None:
    _upload(app, "plate.png", png(picture(rusty=False)))
    assert app.header[0].value.startswith(":material/check_circle: No corrosion found, 88")
    assert app.metric[0].value == "11.9\N{NO-BREAK SPACE}%"  # 1 / (1 + e^2)
    assert "check the photo yourself" in _texts(app)
    assert app.metric[1].value == "0.0\N{NO-BREAK SPACE}%"
    assert "no rust marked" in _images(app)[-1].caption
    assert "ISO 4628-3" not in _figures(app)
    assert not app.slider  # nothing to adjust, nothing to draw
    assert "Nothing to adjust" in _texts(app)
    assert "Steel" not in _texts(app)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no picture at all", "not an image"),
        (b"", "empty"),
        (png(picture(rusty=True))[:200], "cannot be decoded"),
        (png(np.zeros((8, 300, 3), np.uint8)), "at least 16"),
    ],
)
def test_a_bad_file_gets_the_librarys_message(app: AppTest, data: bytes, message: str) -> None:
    _upload(app, "bad.jpg", data)
    assert not app.exception
    assert not app.header
    assert message in app.error[0].value
    # And the page is not stuck: a sample opens, the bad file is forgotten.
    app.button(key=f"sample-{SAMPLE}").click().run()
    assert app.header
    assert not app.error
    assert "case" not in app.query_params
    assert not app.file_uploader[0].value


def test_back_to_another_photo_empties_the_uploader(app: AppTest) -> None:
    first, second = (png(picture(rusty=rusty)) for rusty in (True, False))
    _upload(app, "gate.png", first)
    _upload(app, "plate.png", second)
    assert app.file_uploader[0].value.name == "plate.png"
    app.query_params["case"] = sha256(first)
    app.run()
    assert "gate" in _texts(app)
    assert not app.file_uploader[0].value


def test_removing_the_upload_goes_back_to_the_start(app: AppTest) -> None:
    _upload(app, "gate.png", png(picture(rusty=True)))
    app.file_uploader[0].set_value(None)
    app.run()
    assert not app.header
    assert not app.query_params


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"sample": "no_such*thing*"}, "no sample called"),
        ({"case": "f" * 64}, "deleted after 24 hours"),
        ({"case": "../../etc/passwd"}, "deleted after 24 hours"),
    ],
)
def test_an_address_that_leads_nowhere(app: AppTest, query: dict[str, str], message: str) -> None:
    app.query_params.update(query)
    app.run()
    assert not app.exception
    assert message in app.warning[0].value
    assert "*thing" not in app.warning[0].value.replace(r"\*", "")
    assert app.button  # the samples are there to go on with


def test_a_photo_is_gone_after_its_time(app: AppTest) -> None:
    data = png(picture(rusty=True))
    _upload(app, "gate.png", data)
    path = cases.photos_folder() / sha256(data)
    old = time.time() - cases.KEEP_HOURS * 3600 - 1
    os.utime(path, (old, old))
    app.run()
    assert "upload it again" in app.warning[0].value
    (path.parent / "fresh").write_bytes(b"new")
    cases.sweep(path.parent)
    assert [p.name for p in path.parent.iterdir()] == ["fresh"]


def test_missing_weights_say_what_to_do(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "later.safetensors"
    monkeypatch.setenv("RUSTSEG_MODEL", str(place))
    app.query_params["sample"] = SAMPLE
    app.run()
    assert not app.exception
    assert "RUSTSEG_MODEL" in app.error[0].value
    save_redness(place)  # put there while the app runs: the next visit works
    app.run()
    assert not app.error
    assert app.header


def test_replaced_weights_give_a_new_answer(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = save_redness(tmp_path / "own.safetensors")
    monkeypatch.setenv("RUSTSEG_MODEL", str(place))
    _upload(app, "plate.png", png(picture(rusty=False)))
    assert app.metric[0].value == "11.9\N{NO-BREAK SPACE}%"
    save_redness(place, lean=-3.0)
    os.utime(place, (1, 1))  # even if the clock is coarse
    app.run()
    assert app.metric[0].value == "4.7\N{NO-BREAK SPACE}%"  # 1 / (1 + e^-3)


def test_a_bug_shows_a_number_and_never_its_text(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("pages.server.results.make_report", broken)
    app.query_params["sample"] = SAMPLE
    app.run()
    assert not app.exception
    assert "secret" not in app.error[0].value
    number = app.error[0].value.split()[-1].rstrip(".")
    assert any(number in record.getMessage() for record in caplog.records)
    assert "secret detail" in caplog.text


def test_the_same_photo_is_computed_once(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = make_report
    monkeypatch.setattr(results, "make_report", lambda *a, **k: calls.append(1) or real(*a, **k))
    _upload(app, "gate.png", png(picture(rusty=True)))
    app.slider(key="strength").set_value(80).run()
    app.segmented_control(key="view").set_value("heat").run()
    app.segmented_control(key="view").set_value("doubt").run()
    app.run()
    assert len(calls) == 1


@pytest.mark.parametrize("view", ["overlay", "heat", "doubt"])
def test_every_picture_has_a_text_or_is_marked_as_decoration(app: AppTest, view: str) -> None:
    app.query_params.update({"sample": SAMPLE, "view": view})
    app.run()
    shown = _images(app)
    assert len(shown) == len(list_samples()) + 1
    assert all(image.HasField("alt") for image in shown)
    assert shown[-1].alt
    assert shown[-1].caption


def test_a_large_photo_says_what_it_costs_and_can_be_looked_at_whole(app: AppTest) -> None:
    # The hand-made network's input is 64 pixels, a window 448 of the photo, 4 cells: 200 x 1600
    # pixels are 4 x 15 cells, and a step of 3 cells gives windows from 0, 3, 6, 8 and 11 on.
    _upload(app, "wall.png", png(picture(rusty=True, size=(200, 1600))))
    assert not app.exception
    cost = "5 tiles at full resolution (about 1 s)"  # 6 passes of 0.11 s
    assert cost in _texts(app)
    assert re.search(r"probability as a whole .*%, in 5 tiles at full resolution .*%", _texts(app))
    assert "the interval" not in _texts(app).lower()  # it would cost five times as much
    app.segmented_control(key="view").set_value("doubt").run()
    assert "5 variants" in _texts(app)
    assert "(about 3 s)" in _texts(app)  # 30 passes
    app.button(key="measure").click().run()
    assert not app.exception
    assert "Yellow" in _images(app)[-1].caption
    assert "range over variants" in _texts(app)
    assert app.radio(key="mode").value == "auto"
    app.radio(key="mode").set_value("whole").run()
    assert not app.exception
    assert app.query_params["mode"] == "whole"
    assert "analysed as a whole ·" in _texts(app)
    assert cost in _texts(app)  # still there to choose


def test_a_small_photo_leaves_no_choice(app: AppTest) -> None:
    _upload(app, "gate.png", png(picture(rusty=True)))
    assert not app.radio
    assert "analysed as a whole ·" in _texts(app)


def test_downloads(app: AppTest) -> None:
    _upload(app, "gate.png", png(picture(rusty=True)))
    assert [b.label for b in app.get("download_button")] == [
        "Mask (PNG)", "Overlay (PNG)", "Data (JSON)",
    ]  # fmt: skip


def test_what_is_downloaded(app: AppTest) -> None:
    data = png(picture(rusty=True))
    _upload(app, "gate.png", data)
    case = cases.ChosenPhoto("gate", "gate", cases.photos_folder() / sha256(data), sha256(data))
    found = report(case)
    mask = np.asarray(Image.open(io.BytesIO(found.mask_png)))
    assert mask.mean() == 255 * 0.25
    overlay = np.asarray(Image.open(io.BytesIO(overlay_file(case, found, 0.5))))
    assert overlay.shape == (96, 128, 3)
    assert json.loads(json.dumps(found.facts))["area"] == 0.25


# Controls


def _noisy() -> bytes:
    """Rust that fades out, so that every step of the controls moves the mask."""
    photo = picture(rusty=True).astype(np.float64)
    fade = np.linspace(1, 0, 128)[:, None] * (photo[48, 64] - photo[0, 0]) + photo[0, 0]
    photo[24:72] = fade
    noise = np.random.default_rng(0).normal(0, 6, photo.shape)
    return png(np.clip(photo + noise, 0, 255).astype(np.uint8))


def _shares(app: AppTest) -> tuple[str, str]:
    """What the words and the figures say of the area."""
    words = app.header[0].value.replace("\N{NO-BREAK SPACE}", " ")
    found = re.search(r"about (\d+ %)", words)
    return found.group(1) if found else "", _figures(app)["Rusted area"]


def test_the_answer_follows_the_controls_and_the_address_holds_them(app: AppTest) -> None:
    _upload(app, "gate.png", _noisy())
    before = _shares(app)
    app.slider(key="rust").set_value(2).run()
    assert not app.exception
    more = _shares(app)
    assert float(more[1].split("\N{NO-BREAK SPACE}")[0]) > float(
        before[1].split("\N{NO-BREAK SPACE}")[0]
    )
    assert more[0] != before[0]
    assert app.query_params["rust"] == "2"
    assert "estimated from the changed settings" in _texts(app)
    app.slider(key="edges").set_value(-3).run()
    assert _shares(app) != more
    both = _shares(app)
    assert app.query_params["edges"] == "-3"
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    again.query_params.update(dict(app.query_params))
    again.run()
    assert (again.slider(key="rust").value, again.slider(key="edges").value) == (2, -3)
    assert _shares(again) == both  # a link shows the same
    app.button(key="reset").click().run()
    assert _shares(app) == before
    assert set(app.query_params) == {"case"}
    assert app.slider(key="rust").value == 0
    assert "reset" not in [b.key for b in app.button]


def test_the_controls_go_on_from_what_was_kept(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    real = results.rs.segment
    monkeypatch.setattr(results.rs, "segment", lambda *a: calls.append(1) or real(*a))
    _upload(app, "gate.png", _noisy())
    for rust in (1, 2, 3):
        app.slider(key="rust").set_value(rust).run()
    app.segmented_control(key="view").set_value("doubt").run()
    assert not app.exception
    assert len(calls) == 1
    app.query_params.update({"surface": "0.0.5000.5000"})
    app.run()
    assert len(calls) == 1


def test_another_photo_begins_with_the_defaults(app: AppTest) -> None:
    _upload(app, "gate.png", _noisy())
    app.slider(key="rust").set_value(3).run()
    app.button(key=f"sample-{SAMPLE}").click().run()
    assert set(app.query_params) == {"sample"}
    assert not app.slider or app.slider(key="rust").value == 0


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (
            {"rust": "6", "edges": "²", "mode": "tiles; drop", "view": "no", "style": ""},
            {"rust", "edges", "mode", "view"},
        ),
        ({"rust": "x", "edges": "-", "strength": "101"}, {"rust", "edges", "strength"}),
        ({"rust": "-5", "edges": "3", "strength": "0", "mode": "whole"}, set()),
    ],
)
def test_what_is_not_allowed_in_the_address_is_told_and_counts_for_nothing(
    app: AppTest, query: dict[str, str], told: set[str]
) -> None:
    app.query_params.update({"sample": SAMPLE, **query})
    app.run()
    assert not app.exception
    assert not app.error
    assert app.header
    assert app.segmented_control(key="view").value == "overlay"
    said = "\n".join(warning.value for warning in app.warning).replace("\\", "")
    assert set(re.findall(r"^- (\w+)=.* is not known: use ", said, re.MULTILINE)) == told


def test_an_outline_needs_no_strength(app: AppTest) -> None:
    _upload(app, "gate.png", png(picture(rusty=True)))
    app.segmented_control(key="style").set_value("line").run()
    assert "outline" in _images(app)[-1].caption
    assert "strength" not in [s.key for s in app.slider]
    assert app.query_params["style"] == "line"


def test_before_and_after_is_drawn(app: AppTest) -> None:
    _upload(app, "gate.png", png(picture(rusty=True)))
    app.segmented_control(key="view").set_value("compare").run()
    assert not app.exception
    assert not app.error
    assert "Drag the divider" in _texts(app)


# The marked steel


def test_the_marked_steel_is_what_counts(app: AppTest) -> None:
    # Rust covers the middle, half of each side: of the left half a quarter, of its upper left
    # quarter a quarter, and of the middle itself everything.
    _upload(app, "gate.png", png(picture(rusty=True)))
    app.query_params["surface"] = "2500.2500.7500.7500"
    app.run()
    assert not app.exception
    assert "all of the marked steel" in app.header[0].value
    assert _figures(app)["Rust on the marked steel"] == "100.0\N{NO-BREAK SPACE}%"
    assert _figures(app)["ASTM D610"] == "Grade 0"
    assert "25.0\N{NO-BREAK SPACE}% of the photo" in _texts(app)
    assert "Dimmed" in _images(app)[-1].caption
    app.query_params["surface"] = "0.0.2000.2000"
    app.run()
    assert "none on the marked steel" in app.header[0].value
    assert _figures(app)["ISO 4628-3"] == "Ri 0"
    app.button(key="unmark").click().run()
    assert "surface" not in app.query_params
    assert "of the photo" in app.header[0].value


def test_marking_is_a_view_of_its_own(app: AppTest) -> None:
    _upload(app, "gate.png", png(picture(rusty=True)))
    app.button(key="mark").click().run()
    assert not app.exception
    assert not app.error
    assert app.query_params["view"] == "steel"
    assert "mark" not in [b.key for b in app.button]


@pytest.mark.parametrize(
    ("surface", "words"),
    [("1.2.3", "must be the corners"), ("5000.1000.5000.9000", "covers no pixel")],
)
def test_a_part_that_is_none_is_said_and_left_out(app: AppTest, surface: str, words: str) -> None:
    _upload(app, "gate.png", png(picture(rusty=True)))
    app.query_params["surface"] = surface
    app.run()
    assert not app.exception
    assert words in app.warning[0].value
    assert "of the photo" in app.header[0].value


def test_a_clean_photo_has_no_steel_to_mark(app: AppTest) -> None:
    _upload(app, "plate.png", png(picture(rusty=False)))
    app.query_params["view"] = "steel"
    app.run()
    assert not app.exception
    control = app.segmented_control(key="view")
    assert control.value == "overlay"
    assert "Mark the steel" not in control.options


# The camera


def test_the_camera_is_off_until_it_is_asked_for(app: AppTest) -> None:
    app.run()
    assert not app.get("camera_input")
    app.toggle(key="camera").set_value(True).run()
    assert not app.exception
    assert len(app.get("camera_input")) == 1


def test_an_upload_that_cannot_be_kept_is_said_on_the_page(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(name: str, data: bytes) -> str:
        raise OSError(28, "No space left on device")

    app.run()
    monkeypatch.setattr(cases, "keep_upload", full)
    app.file_uploader[0].upload("gate.png", png(picture(rusty=True)))
    app.run()
    assert "error number" in app.error[0].value  # what a callback draws itself would be lost
    app.run()
    assert not app.error
