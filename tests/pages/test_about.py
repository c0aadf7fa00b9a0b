"""The About page without a browser: its statements, and the button that deletes photos."""

from __future__ import annotations

import json
from pathlib import Path

from streamlit.testing.v1 import AppTest

from pages.server.line import once
from pages.shared import cases
from pages.shared.page import escape
from rustseg_jax.images import sha256
from rustseg_jax.samples import list_samples


def _open(app: AppTest) -> AppTest:
    app.switch_page("pages/about.py").run()
    assert not app.exception
    assert not app.error
    assert app.title[0].value == "About"
    return app


def _text(app: AppTest) -> str:
    return "\n".join(e.value for e in app.markdown)


def test_it_says_what_it_must(app: AppTest) -> None:
    app.run()
    heads = [h.value for h in _open(app).header]
    assert heads == [
        "The method", "Training data", "Limitations", "Privacy", "Run it yourself", "Licences",
    ]  # fmt: skip
    text = _text(app)
    assert "Burton, W. T. Nash and N. Birbilis" in text
    assert "arXiv:2205.05426, 2022" in text
    assert f"{cases.KEEP_HOURS} hours" in text
    assert "Nothing is sent elsewhere" in text
    assert any("make demo" in code.value for code in app.code)
    assert "(https://creativecommons.org/licenses/by/4.0/)" in text
    photos = [s for s in list_samples() if s.kind == "photo"]
    assert all(f"- **{s.title}**: {escape(s.source)}." in text for s in photos)
    assert text.count("The shipped model misses this one.") == 1
    [image] = [i for element in app.get("imgs") or app.get("image") for i in element.proto.imgs]
    assert "no corrosion is found" in image.alt  # also where the picture shows a mistake
    assert "wrong" in image.caption


def _upload(app: AppTest, name: str) -> Path:
    """A photo of this visit, as `cases.keep_upload` leaves it."""
    place = cases.photos_folder() / sha256(name.encode())
    place.write_bytes(name.encode())
    app.session_state[f"name-{place.name}"] = name
    return place


def _set_of(name: str, *photos: Path) -> Path:
    """A set of many photos, as `sets.make_set` leaves it."""
    folder = cases.photos_folder() / f"set-{name}"
    folder.mkdir()
    listed = {"photos": [["x.png", photo.name] for photo in photos], "twice": []}
    (folder / "set.json").write_text(json.dumps(listed))
    return folder


def test_a_photo_of_this_visit_is_deleted_at_once(app: AppTest) -> None:
    app.run()
    place = _upload(app, "gate*1*.png")
    key = place.name, "some weights"
    once("report", key, lambda: "what was found", size=16)
    button = _open(app).button(key="delete")
    assert button.label == "Delete gate\\*1\\*.png"
    button.click().run()
    assert not app.exception
    assert not app.error
    assert not place.exists()
    assert once("report", key, lambda: "nothing", size=16) == "nothing"
    assert not app.button
    assert "no photos from this visit on the server" in _text(app)


def test_many_go_with_their_sets_and_nothing_of_others_does(app: AppTest) -> None:
    app.run()
    others = cases.photos_folder() / sha256(b"other")
    others.write_bytes(b"other")
    mine = [_upload(app, "a.png"), _upload(app, "b.png")]
    gone, stays = _set_of("mine", *mine), _set_of("other", others)
    button = _open(app).button(key="delete")
    assert button.label == "Delete all 2 photos"
    button.click().run()
    assert not app.error
    assert not any(place.exists() for place in (*mine, gone))
    assert others.exists()
    assert (stays / "set.json").exists()


def test_nobody_is_offered_the_photos_of_others(app: AppTest) -> None:
    app.run()
    (cases.photos_folder() / sha256(b"other")).write_bytes(b"other")
    app.session_state["name-not-a-digest"] = "x"
    app.session_state[f"called-{sha256(b'other')}"] = "named by a set"
    assert not _open(app).button
