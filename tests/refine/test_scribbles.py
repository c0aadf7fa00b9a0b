"""Strokes as examples for similar pixels around them, on hand-made images."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made import PAINT, RUST
from scipy.special import logit

from rustseg_jax.refine.crf import Lattice
from rustseg_jax.refine.scribbles import FREE, REACH_MOST, WEIGHTS, features_of, spread

SHAPE = (150, 448)
PATCH, FAR = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
PATCH[50:100, 40:90] = True
FAR[50:100, 340:390] = True  # 250 pixels on
BOTH = PATCH | FAR
STROKE = np.zeros(SHAPE, bool)
STROKE[72:79, 48:82] = True
UNSURE = np.full(SHAPE, 0.3, np.float32)  # nothing found


def picture(seed: int = 0) -> np.ndarray:
    """Two patches of rust on paint, with the grain of a photo."""
    grain = np.random.default_rng(seed).normal(0, 4, (*SHAPE, 3))
    return np.clip(np.where(BOTH[..., None], RUST, PAINT) + grain, 0, 255).astype(np.uint8)


def completed(evidence: np.ndarray, **marks: np.ndarray) -> np.ndarray:
    """What the CRF then makes of it."""
    photo = picture()
    return mask(Lattice(photo).infer(spread(photo, evidence, **marks), **marks))


def mask(evidence: np.ndarray) -> np.ndarray:
    return evidence >= 0.5


def test_without_strokes_the_evidence_stays() -> None:
    none = np.zeros(SHAPE, bool)
    for marks in ((None, None), (none, None), (none, none)):
        after = spread(picture(), UNSURE, rust=marks[0], clean=marks[1])
        np.testing.assert_array_equal(after, UNSURE)
        assert after is not UNSURE


def test_a_stroke_takes_in_its_patch_and_no_other() -> None:
    found = completed(UNSURE, rust=STROKE)
    assert found[STROKE].all()
    assert found[PATCH].mean() > 0.98
    assert not found[FAR].any()
    assert found[~BOTH].mean() < 0.005
    # That is not the CRF's doing alone.
    assert not mask(Lattice(picture()).infer(UNSURE, rust=STROKE))[PATCH & ~STROKE].any()


def test_a_clean_stroke_drops_its_patch_and_no_other() -> None:
    marked = np.where(BOTH, 0.8, 0.2).astype(np.float32)
    found = completed(marked, clean=STROKE)
    assert not found[STROKE].any()
    assert found[PATCH].mean() < 0.02
    assert found[FAR].mean() > 0.98
    assert found[~BOTH].mean() < 0.005
    alone = mask(Lattice(picture()).infer(marked, clean=STROKE))
    assert alone[PATCH & ~STROKE].mean() > 0.9


def test_out_of_reach_nothing_changes_at_all() -> None:
    after = spread(picture(), UNSURE, rust=STROKE)
    columns = np.arange(SHAPE[1]) >= 82 + REACH_MOST
    np.testing.assert_array_equal(after[:, columns], UNSURE[:, columns])


def test_beyond_a_limit_only_what_hangs_together_with_the_stroke_changes() -> None:
    # A long stroke reaches 0.35 of the side; a second patch lies 70 pixels beyond its end.
    photo, stroke = np.full((*SHAPE, 3), PAINT, np.uint8), np.zeros(SHAPE, bool)
    stroke[72:79, 20:180] = True
    photo[60:90, 10:190] = photo[60:90, 250:280] = RUST
    assert FREE < 250 - 180
    apart = mask(spread(photo, UNSURE, rust=stroke))
    assert apart[66:84, 20:180].all()
    assert not apart[:, 240:].any()
    photo[60:90, 190:250] = RUST  # a bridge
    joined = mask(spread(photo, UNSURE, rust=stroke))
    assert joined[66:84, 180:275].all()


def test_both_kinds_part_a_patch_between_them() -> None:
    # Left and right halves look alike; only where the strokes lie tells them apart.
    rust, clean = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    rust[55:95, 45:49] = clean[55:95, 81:85] = True
    found = mask(spread(picture(), UNSURE, rust=rust, clean=clean))
    assert found[50:100, 44:52].mean() > 0.9
    assert found[50:100, 78:86].mean() < 0.1


def test_the_same_twice_and_nothing_is_written_to() -> None:
    photo, evidence, stroke = picture(), UNSURE.copy(), STROKE.copy()
    first = spread(photo, evidence, rust=stroke)
    np.testing.assert_array_equal(first, spread(photo, evidence, rust=stroke))
    np.testing.assert_array_equal(photo, picture())
    np.testing.assert_array_equal(evidence, UNSURE)
    np.testing.assert_array_equal(stroke, STROKE)
    assert first.dtype == np.float32
    assert (first >= 0).all()
    assert (first <= 1).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_a_mirrored_photo_gives_the_mirrored_answer(axis: int) -> None:
    there = spread(picture(), UNSURE, rust=STROKE)
    back = spread(np.flip(picture(), axis).copy(), UNSURE, rust=np.flip(STROKE, axis).copy())
    np.testing.assert_allclose(np.flip(back, axis), there, atol=1e-4)


def test_features_of_a_piece_by_hand() -> None:
    photo = np.full((*SHAPE, 3), PAINT, np.uint8)
    dots = np.zeros(SHAPE, bool)
    dots[40:43, 40:44] = dots[40:43, 46:50] = True  # 2 pixels apart: one piece, 3 by 10
    dots[120, 300] = True
    one, other = features_of(photo, UNSURE, rust=None, clean=dots)
    assert (one.rust, int(one.stroke.sum()), int(other.stroke.sum())) == (False, 24, 1)
    u = -float(logit(0.3))  # counted for clean
    np.testing.assert_allclose(one.values[0], u, rtol=1e-5)
    np.testing.assert_allclose(one.values[1], u, rtol=1e-5)
    row, column = 40 - one.window[0].start, 50 - one.window[1].start
    assert one.distance[row, column + 2] == pytest.approx(3, abs=0.01)
    assert one.values[2][row, column + 2] == pytest.approx(np.log1p(3 / 6), abs=1e-3)
    assert (one.values[5] == 0).all()  # no roughness anywhere
    assert (one.values[6] == 1).all()
    assert (one.values[7] == -1).all()
    assert len(WEIGHTS.vector()) == len(one.values)


def test_lengths_follow_the_size_of_the_picture() -> None:
    half = spread(picture()[::2, ::2], UNSURE[::2, ::2], rust=STROKE[::2, ::2])
    assert mask(half)[PATCH[::2, ::2]].mean() > 0.9
    assert not mask(half)[FAR[::2, ::2]].any()
    tiny = spread(picture()[:5, :7], UNSURE[:5, :7], rust=STROKE[70:75, 45:52])
    assert tiny.shape == (5, 7)


def test_many_dots_are_taken_together() -> None:
    dots = np.zeros(SHAPE, bool)
    dots[52:98:6, 42:88:6] = True
    assert len(list(features_of(picture(), UNSURE, rust=dots, clean=None))) <= 16
    assert mask(spread(picture(), UNSURE, rust=dots))[PATCH].mean() > 0.9
