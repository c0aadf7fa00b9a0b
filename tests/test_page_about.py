"""The About page without a browser: what it promises, and the button that deletes photos."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from pages import cases
from rustseg_jax.images import sha256


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
        "The method", "What it learnt from", "Where it fails", "What is kept, and for how long",
        "Run it yourself", "Licences",
    ]  # fmt: skip
    text = _text(app)
    assert "Burton, W. T. Nash and N. Birbilis" in text
    assert "arXiv:2205.05426, 2022" in text
    assert f"{cases.KEEP_HOURS} hours" in text
    assert "Nothing is sent elsewhere" in text
    assert any("make demo" in code.value for code in app.code)
    [image] = [i for element in app.get("imgs") or app.get("image") for i in element.proto.imgs]
    assert "red door" in image.alt


def test_a_photo_of_this_visit_is_deleted_at_once(app: AppTest) -> None:
    app.run()
    place = cases.photos_folder() / sha256(b"gate")
    place.write_bytes(b"gate")
    app.session_state[f"name-{place.name}"] = "gate*1*.png"  # as `keep_upload` leaves it
    button = _open(app).button(key=f"delete-{place.name}")
    assert button.label == "Delete gate\\*1\\*.png"
    button.click().run()
    assert not app.exception
    assert not app.error
    assert not place.exists()
    assert not app.button
    assert "no photo on the server" in _text(app)


def test_nobody_deletes_the_photo_of_somebody_else(app: AppTest) -> None:
    app.run()
    other = cases.photos_folder() / sha256(b"other")
    other.write_bytes(b"other")
    assert not _open(app).button
    app.session_state["name-not-a-digest"] = "x"
    assert not app.run().button
    assert other.is_file()
