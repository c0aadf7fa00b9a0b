"""The guided tour without a browser: every stop, its number in the address."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.compare import lessons, true_masks
from rustseg_jax.teaching.tour import SCENES, TOUR


def _open(app: AppTest, step: str | None = None) -> AppTest:
    app.switch_page("pages/tour.py")
    if step:
        app.query_params["step"] = step
    app.run()
    assert not app.exception
    assert not app.error
    return app


def _texts(app: AppTest) -> str:
    return "\n".join(e.value for kind in (app.markdown, app.caption) for e in kind)


def _images(app: AppTest) -> list[Any]:
    return [image for element in app.get("image") for image in element.proto.imgs]


def test_every_stop_is_drawn_with_words_for_its_pictures(app: AppTest) -> None:
    for number, stop in enumerate(TOUR, 1):
        _open(app, str(number))
        assert app.title[0].value == stop.title
        assert f"{number} of {len(TOUR)}" in _texts(app)
        assert "{" not in _texts(app)
        assert all(image.alt for image in _images(app))
        if stop.show == "outcomes":
            assert len(_images(app)) == 2 * len(stop.subjects)
            words = _texts(app)
            verdicts = ("**Right.**", "**Found.**", "**Missed.**", "**False alarm.**")
            assert sum(words.count(v) for v in verdicts) == len(stop.subjects)


def test_next_and_back_move_the_address(app: AppTest) -> None:
    _open(app)
    assert app.title[0].value == TOUR[0].title
    assert "back" not in [b.key for b in app.button]
    app.button(key="next").click().run()
    assert app.query_params["step"] == "2"
    assert app.title[0].value == TOUR[1].title
    app.button(key="back").click().run()
    assert "step" not in app.query_params
    _open(app, str(len(TOUR)))
    assert "next" not in [b.key for b in app.button]


def test_a_stop_that_is_not_there(app: AppTest) -> None:
    for step in ("0", "13", "-1", "two", "²", "<i>", "9" * 50):
        _open(app, step)
        assert app.title[0].value == TOUR[0].title
        assert f"use a number from 1 to {len(TOUR)}" in app.warning[0].value


def test_a_scene_is_a_case_that_links_can_open(app: AppTest) -> None:
    case = lessons.tour_case("small")
    assert case.path.read_bytes().startswith(b"\x89PNG")
    true = true_masks.true_mask(case)
    assert true is not None
    assert 0 < true.mean() < 0.02
    assert true_masks.true_mask(lessons.tour_case("timber")) is None
    app.switch_page("pages/compare.py")
    app.query_params.update(case=case.digest, step="truth")
    app.run()
    assert not app.exception
    assert app.header[0].value.endswith("Comparison with the true mask")
    assert SCENES["small"] not in _texts(app)  # another visitor does not know its name


def test_missing_weights_say_what_to_do(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTSEG_MODEL", "/none.safetensors")
    app.switch_page("pages/tour.py").run()
    assert not app.exception
    assert "RUSTSEG_MODEL" in app.error[0].value
