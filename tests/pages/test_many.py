"""The page of many photos without a browser: each state a visitor can meet."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hand_made import picture
from streamlit.testing.v1 import AppTest

import rustseg_jax as rs
from pages.shared import cases, photo_sets
from rustseg_jax.drawing.encode import png
from rustseg_jax.images import sha256

ROOT = Path(__file__).resolve().parents[2]
RUSTY, CLEAN = png(picture(rusty=True)), png(picture(rusty=False))
OTHER = picture(rusty=True)
OTHER[0, 0] = 0
FIVE = [
    ("site/gate 1.png", RUSTY),
    ("site/gate 10.png", CLEAN),
    ("site/broken.jpg", b"no picture"),
    ("site/gate 2.png", png(OTHER)),
    ("site/again.png", RUSTY),
]


@pytest.fixture(scope="module", autouse=True)
def _compiled(weights: Path) -> None:
    """Compile outside of the time that a run of the app may take in a test."""
    model = rs.load_model(weights)
    rs.measure_uncertainty(rs.segment(RUSTY, model), model)


@pytest.fixture
def many(app: AppTest) -> AppTest:
    """The app on this page; no photo is chosen yet."""
    app.run()
    app.switch_page("pages/many.py").run()
    return app


def _upload(many: AppTest, files: list[tuple[str, bytes]]) -> AppTest:
    many.file_uploader[0].set_value([(name, data, "image/png") for name, data in files])
    return many.run()


def _made(files: list[tuple[str, bytes]]) -> photo_sets.PhotoSet:
    def file(name: str, data: bytes) -> photo_sets.File:
        return photo_sets.File(name, len(data), lambda: data)

    return photo_sets.make_set([file(name, data) for name, data in files])


def _texts(app: AppTest) -> str:
    return "\n".join(e.value for kind in (app.markdown, app.caption) for e in kind)


def _links(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link")]


def _labels(app: AppTest) -> list[str]:
    buttons = [*app.button, *app.get("download_button")]
    return [button.label for button in buttons]


def test_empty(many: AppTest) -> None:
    assert not many.exception
    assert not many.error
    assert many.title[0].value == "Find rust in many photos"
    assert "Up to 200 photos, 400 MB in total" in many.file_uploader[0].label
    assert f"{cases.KEEP_HOURS} hours" in _texts(many)


def test_a_folder_with_one_bad_photo_and_one_twice(many: AppTest) -> None:
    _upload(many, FIVE)
    assert not many.exception
    text = _texts(many)
    assert "**4 of 4** photos analysed" in text
    assert "**2** with corrosion" in text
    assert "**1** without" in text
    assert "**1** failed" in text
    assert "Duplicates, listed once: gate 1.png" in text
    assert "broken.jpg is not an image" in text.replace("\\", "")
    assert "Corrosion found, over 99" in text
    # 25 % of the photo in both: ties are sorted by name, 2 before 10.
    assert _links(many) == ["again.png", "gate 2.png", "gate 10.png"]
    assert "Stop" not in _labels(many)
    assert {"All results (ZIP)", "Table (CSV)", "Retry failed photos"} <= set(_labels(many))
    assert not many.file_uploader  # and so nothing stays in the uploader's memory


def test_it_is_found_again_by_a_new_session_without_computing(
    many: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rustseg_jax.report import results_folder

    _upload(many, FIVE[:3])
    made = many.query_params["set"]
    monkeypatch.setattr(results_folder, "segment", lambda *_: pytest.fail("computed again"))
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    again.switch_page("pages/many.py")
    again.query_params["set"] = made
    again.run()
    assert _links(again) == _links(many)


def test_orders_and_table(many: AppTest) -> None:
    _upload(many, FIVE)
    control = {group.proto.label: group for group in many.get("button_group")}
    assert list(control) == ["Sort by", "View"]
    control["Sort by"].set_value("doubt").run()
    assert not many.exception
    assert "uncertainty" in _texts(many)
    {g.proto.label: g for g in many.get("button_group")}["Sort by"].set_value("name").run()
    {g.proto.label: g for g in many.get("button_group")}["View"].set_value("table").run()
    assert not many.exception
    table = many.dataframe[0].value
    assert list(table["Photo"]) == [
        "again.png", "gate 2.png", "gate 10.png", "broken.jpg",
    ]  # fmt: skip
    assert list(table["Verdict"]) == ["Corrosion", "Corrosion", "No corrosion", "Failed"]
    assert table["Rusted area"][0] == 25
    assert table["Open"][0] == f"/?case={sha256(RUSTY)}"
    assert "is not an image" in table["Note"][3]


def test_stop_keeps_what_is_done_and_go_on_goes_on(many: AppTest) -> None:
    made = _made(FIVE)
    made.stop()
    many.query_params["set"] = made.id
    many.run()
    assert not many.exception
    assert "**0 of 4** photos analysed" in _texts(many)
    assert not many.get("download_button")  # nothing to take away yet
    many.button(key="go-on").click().run()
    assert "**4 of 4** photos analysed" in _texts(many)
    assert not made.stopped


def test_a_stop_in_another_window_is_heeded(many: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    from rustseg_jax.report.results_folder import ResultsFolder

    made, real = _made(FIVE), ResultsFolder.do

    def do(results: ResultsFolder, photo: Any, model: Any) -> Any:
        made.stop()
        return real(results, photo, model)

    monkeypatch.setattr(ResultsFolder, "do", do)
    many.query_params["set"] = made.id
    many.run()
    assert "**1 of 4** photos analysed" in _texts(many)
    assert many.button(key="go-on").label == "Continue (3 remaining)"
    assert _links(many) == ["again.png"]
    assert "All results (ZIP)" in _labels(many)


def test_all_bad(many: AppTest) -> None:
    _upload(many, [("a.jpg", b"x"), ("b.jpg", b"")])
    assert not many.exception
    text = _texts(many)
    assert "**2** failed" in text
    assert "is empty" in text
    assert "All results (ZIP)" not in _labels(many)
    assert "Table (CSV)" in _labels(many)
    many.button(key="again").click().run()
    assert "**2 of 2** photos analysed" in _texts(many)


def test_samples_can_be_picked(many: AppTest) -> None:
    many.get("button_group")[0].set_value("samples").run()
    assert many.button(key="take-samples").disabled
    for name in ("skimage-rocket", "skimage-chelsea"):
        many.checkbox(key=f"pick-{name}").check()
    many.run()
    many.button(key="take-samples").click().run()
    assert not many.exception
    assert "**2 of 2** photos analysed" in _texts(many)
    assert sorted(_links(many)) == ["chelsea.png", "rocket.jpg"]


def test_a_folder_can_be_chosen(many: AppTest) -> None:
    many.get("button_group")[0].set_value("directory").run()
    assert many.file_uploader[0].proto.accept_directory
    assert "Only the photos in the folder are uploaded" in _texts(many)


def test_other_photos(many: AppTest) -> None:
    _upload(many, FIVE[:1])
    many.button(key="other").click().run()
    assert not many.query_params
    assert many.file_uploader


def test_too_many_and_too_large_are_said(many: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_sets, "MAX_PHOTOS", 2)
    _upload(many, FIVE)
    assert "5 photos are too many; choose at most 2," in many.error[0].value
    assert "set" not in many.query_params
    monkeypatch.setattr(photo_sets, "MAX_PHOTOS", 200)
    monkeypatch.setattr(photo_sets, "MAX_BYTES", 100)
    _upload(many, FIVE)
    assert "choose at most 0 MB," in many.error[0].value
    assert many.file_uploader  # to choose others
    with pytest.raises(photo_sets.SetError, match="no photo"):
        photo_sets.make_set([])


@pytest.mark.parametrize("made", ["abcdefghijkl", "../../etc/pwd", "x"])
def test_an_address_that_leads_nowhere(many: AppTest, made: str) -> None:
    many.query_params["set"] = made
    many.run()
    assert not many.exception
    assert "deleted after 24 hours" in many.warning[0].value
    assert many.file_uploader


def test_a_set_is_gone_after_its_time(many: AppTest) -> None:
    made = _made(FIVE)
    list_ = made.folder / "set.json"
    young = made.folder.parent / "set-beingmade000"
    young.mkdir()
    cases.sweep(made.folder.parent)
    assert made.folder.is_dir()
    old = time.time() - cases.KEEP_HOURS * 3600 - 1
    os.utime(list_, (old, old))
    many.query_params["set"] = made.id
    many.run()
    assert "upload them again" in many.warning[0].value
    cases.sweep(made.folder.parent)
    assert not made.folder.exists()
    assert young.is_dir()


def test_many_photos_come_in_pages(many: AppTest) -> None:
    files = [(f"photo {k}.jpg", f"no picture {k}".encode()) for k in range(30)]
    _upload(many, [*files, ("gate.png", RUSTY)])
    assert not many.exception
    assert "**31 of 31** photos analysed" in _texts(many)
    assert _links(many) == ["gate.png"]
    assert "photo 22.jpg" in _texts(many).replace("\\", "")
    assert "photo 23.jpg" not in _texts(many).replace("\\", "")


def test_names_are_never_markup(many: AppTest) -> None:
    _upload(many, [("*a* [b](c) :red[d].png", RUSTY)])
    assert _links(many) == [r"\*a\* \[b\]\(c\) \:red\[d\].png"]


def test_a_photo_opens_on_the_first_page_under_its_name(many: AppTest) -> None:
    made = _made(FIVE[:1])
    many.query_params["set"] = made.id
    many.run()
    [link] = many.get("page_link")
    assert link.proto.query_string == f"case={sha256(RUSTY)}"
    many.switch_page("pages/segment.py")
    many.query_params["case"] = sha256(RUSTY)
    many.run()
    assert "gate 1" in _texts(many)
