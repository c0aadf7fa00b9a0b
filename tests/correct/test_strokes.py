"""Replay of strokes: small grids by hand, then plain geometry on random strokes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rustseg_jax.correct.strokes import CorrectionError, check_strokes, replay, replayable


def draw(stroke: dict[str, Any], picture: str = "", *, width: int = 5, height: int = 5) -> str:
    """Draw on a picture of # (rust), . (clean) and ? (can't tell); one row a word."""
    rows = picture.split() or ["." * width] * height
    cells = np.array([list(row) for row in rows])
    mask, ignore = replay(cells == "#", [stroke], ignore=cells == "?")
    drawn = np.where(mask, "#", np.where(ignore, "?", "."))
    return " ".join("".join(row) for row in drawn)


def paint(d: int, *points: int, value: int = 1) -> dict[str, Any]:
    return {"op": "paint", "value": value, "d": d, "points": list(points)}


def outline(*points: int, value: int = 1) -> dict[str, Any]:
    return {"op": "outline", "value": value, "points": list(points)}


@pytest.mark.parametrize(
    ("d", "drawn"),
    [
        (1, "..... ..... ..#.. ..... ....."),
        (2, "..... ..#.. .###. ..#.. ....."),
        (3, "..... .###. .###. .###. ....."),
        (4, "..#.. .###. ##### .###. ..#.."),
        (5, ".###. ##### ##### ##### .###."),
    ],
)
def test_round_brushes(d: int, drawn: str) -> None:
    assert draw(paint(d, 2, 2)) == drawn


def test_a_line_has_round_ends_and_no_gaps() -> None:
    # Where the line passes between two pixels, 0.447 from both, it takes both.
    thin = draw(paint(1, 0, 0, 6, 3), width=7, height=4)
    assert thin == "##..... .###... ...###. .....##"
    bent = draw(paint(3, 1, 1, 4, 1, 4, 9), width=6)
    assert bent == "###### ###### ###### ...### ...###"
    assert draw(paint(3, -9, -9), width=3, height=2) == "... ..."


def test_outlines_take_the_pixels_whose_middle_they_wind_around() -> None:
    assert draw(outline(1, 1, 3, 1, 3, 3, 1, 3), width=4, height=4) == ".... .##. .##. ...."
    assert draw(outline(0, 0, 3, 0, 3, 3), width=3, height=3) == "### .## ..#"
    twice = outline(0, 0, 3, 0, 3, 1, 0, 1, 0, 0, 3, 0, 3, 1, 0, 1)
    assert draw(twice, width=3, height=1) == "###"
    assert draw(outline(0, 0, 3, 2), width=3, height=2) == "... ..."
    assert draw(outline(0, 5, 3, 5), width=3, height=2) == "... ..."


def test_patches_go_through_corners_of_rust_only() -> None:
    drop = {"op": "patch", "value": 0, "x": 0, "y": 0}
    assert draw(drop, "##. ..# #.#") == "... ... #.."
    fill = {"op": "patch", "value": 1, "x": 1, "y": 2}
    assert draw(fill, "##. ..# #.#") == "##. ### ###"
    tell = {"op": "patch", "value": 0, "x": 2, "y": 0}
    assert draw(tell, "#.? .?.") == "#.. .?."


def test_pixels_and_changes_are_runs_through_the_rows() -> None:
    pixels = {"op": "pixels", "tool": "smart", "value": 2, "runs": [1, 2, 3, 1]}
    assert draw(pixels, "#### ####") == "#??# ##?#"
    change = {"op": "change", "tool": "crf", "runs": [1, 2, 1, 3, 1, 3]}
    assert draw(change, "#.#? ?.#?") == "##.? ?.??"


def test_later_strokes_win_and_nothing_is_rust_and_unsure() -> None:
    strokes = [paint(1, 0, 0, 3, 0), paint(1, 1, 0, value=2), paint(1, 2, 0, value=0)]
    mask, ignore = replay(np.zeros((1, 4), bool), strokes)
    assert mask.tolist() == [[True, False, False, True]]
    assert ignore.tolist() == [[False, True, False, False]]
    both = np.ones((1, 4), bool)
    mask, ignore = replay(both, [], ignore=both)
    assert not mask.any()
    assert ignore.all()


def test_the_brush_is_plain_geometry() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:30, :40]
    for _ in range(60):
        ax, ay, bx, by = rng.integers(-12, 50, 4).tolist()
        d = int(rng.integers(1, 18))
        along = np.array([bx - ax, by - ay], float)
        w = np.stack([x - ax, y - ay], axis=-1)
        t = np.clip(w @ along / max(along @ along, 1), 0, 1)
        far = np.linalg.norm(w - t[..., None] * along, axis=-1)
        mask, _ = replay(np.zeros((30, 40), bool), [paint(d, ax, ay, bx, by)])
        sure = np.abs(far - d / 2) > 1e-6  # on the rim only whole numbers tell
        assert (mask == (far < d / 2))[sure].all()


def test_what_was_too_large_is_told() -> None:
    lost = {"op": "lost", "tool": "crf"}
    assert replayable([paint(1, 0, 0)])
    assert not replayable([paint(1, 0, 0), lost])
    with pytest.raises(CorrectionError, match="too large to be stored"):
        replay(np.zeros((2, 2), bool), [lost])


@pytest.mark.parametrize(
    ("strokes", "words"),
    [
        ("paint", "strokes is str"),
        ([3], "stroke 0 has an unknown type; must be one of change, lost"),
        ([{"op": "erase"}], "stroke 0 has an unknown type; must be one of change, lost"),
        (
            [paint(1, 0, 0), paint(0, 0, 0)],
            "d of stroke 1 is 0; must be a whole number from 1 to 1000",
        ),
        ([paint(1, 0, 0, value=3)], "value of stroke 0 is 3; must be a whole number from 0 to 2"),
        ([paint(1, 0, 0, value=True)], "value of stroke 0 is True"),
        ([paint(1, 0)], "groups of 2"),
        ([paint(1)], "the list is empty"),
        ([paint(1, 0, 1 << 20)], "too far outside"),
        ([{"op": "paint", "value": 1, "d": 3, "points": [0.5, 1]}], "must be whole"),
        ([{"op": "paint", "value": 1, "d": 3, "points": "ab"}], "groups of 2"),
        (
            [{"op": "patch", "value": 1, "x": 5, "y": 0}],
            "x of stroke 0 is 5; must be a whole number from 0 to 4",
        ),
        ([{"op": "pixels", "value": 1, "runs": [0, 0]}], "out of range"),
        ([{"op": "pixels", "value": 1, "runs": [-1, 2]}], "out of range"),
        ([{"op": "pixels", "value": 1, "runs": [20, 1]}], "end outside"),
        ([{"op": "change", "runs": [0, 1, 4]}], "out of range"),
        ([{"op": "change", "runs": [0, 1]}], "groups of 3"),
    ],
)
def test_what_is_no_stroke_is_named(strokes: Any, words: str) -> None:
    with pytest.raises(CorrectionError, match=words):
        check_strokes(strokes, shape=(4, 5))


def test_a_change_to_no_label_is_refused() -> None:
    with pytest.raises(CorrectionError, match="unknown label"):
        replay(np.ones((1, 1), bool), [{"op": "change", "runs": [0, 1, 2]}])
