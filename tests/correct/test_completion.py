"""The check of a completion: strokes with which the CRF disagrees, changes far away."""

from __future__ import annotations

import numpy as np
import pytest

from rustseg_jax.correct.completion import judge_completion
from rustseg_jax.errors import ConfigError

SHAPE = (100, 200)
NONE = np.zeros(SHAPE, bool)


def box(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_a_stroke_that_grew_is_agreed_with() -> None:
    stroke = box(40, 40, 44, 60)
    said = judge_completion(NONE, box(30, 30, 60, 70), rust=stroke, clean=NONE)
    assert said.boxes == ()
    assert said.elsewhere == 0
    assert said.words == "Completed: 6.0 % of the photo changed."  # 30 x 40 of 20,000 pixels


def test_a_stroke_that_was_only_kept_is_framed() -> None:
    lonely, dot = box(40, 40, 44, 60), box(80, 150, 82, 152)
    rust = box(10, 100, 90, 190)
    said = judge_completion(rust, (rust | lonely) & ~dot, rust=lonely, clean=dot)
    assert said.boxes == ((40, 40, 60, 44), (150, 80, 152, 82))
    assert said.words == "Your strokes are kept, but the CRF disagrees in 2 places (framed)."


def test_only_the_part_of_a_stroke_that_is_not_agreed_with_is_framed() -> None:
    stroke = box(50, 20, 52, 180)
    ((left, top, right, bottom),) = judge_completion(
        NONE, box(30, 10, 70, 100) | stroke, rust=stroke, clean=NONE
    ).boxes
    assert (top, right, bottom) == (50, 180, 52)
    assert 95 <= left <= 110


def test_a_stroke_along_an_edge_is_agreed_with() -> None:
    stroke = box(50, 20, 52, 180)
    said = judge_completion(NONE, box(50, 10, 90, 190), rust=stroke, clean=NONE)
    assert said.boxes == ()


def test_a_scrap_among_other_strokes_is_not_framed() -> None:
    scrap = box(50, 50, 51, 51)
    around = box(46, 46, 55, 55) & ~scrap
    said = judge_completion(NONE, scrap, rust=scrap, clean=around)
    assert (50, 50, 51, 51) not in said.boxes


def test_changes_far_from_every_stroke_are_told() -> None:
    stroke = box(40, 10, 44, 20)
    after = stroke | box(36, 6, 48, 24) | box(0, 150, 50, 200)
    said = judge_completion(NONE, after, rust=stroke, clean=NONE)
    assert said.elsewhere == pytest.approx(2500 / 20000)
    assert "12 % of the photo changed far from your strokes" in said.words


def test_a_large_photo_is_judged_alike() -> None:
    grow = np.ones((8, 8), bool)
    big = {
        name: np.kron(mask, grow)
        for name, mask in {"b": NONE, "a": box(40, 40, 44, 60), "n": NONE}.items()
    }
    said = judge_completion(big["b"], big["a"], rust=big["a"], clean=big["n"])
    assert len(said.boxes) == 1
    left, top, right, bottom = said.boxes[0]
    assert abs(left - 320) < 9
    assert abs(top - 320) < 9
    assert abs(right - 480) < 9
    assert abs(bottom - 352) < 9


def test_masks_of_one_shape() -> None:
    with pytest.raises(ConfigError, match="rust is bool"):
        judge_completion(NONE, NONE, rust=NONE[1:], clean=NONE)
