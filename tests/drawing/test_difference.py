"""Drawing of differences between masks, and enlargement by whole factors."""

from __future__ import annotations

import numpy as np

from rustseg_jax.drawing.difference import (
    DIFFERENCE_COLOURS,
    Difference,
    difference_picture,
    enlarge,
)
from rustseg_jax.drawing.overlay import MASK_COLOUR


def test_enlarging_repeats_pixels() -> None:
    small = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = enlarge(small, 7)  # 3 times fits, 4 does not
    assert large.shape == (6, 6, 3)
    np.testing.assert_array_equal(large[::3, ::3], small)
    np.testing.assert_array_equal(large[1::3, 2::3], small)
    np.testing.assert_array_equal(enlarge(small, 1), small)


def test_a_difference_by_hand() -> None:
    photo = np.full((1, 4, 3), 100, np.uint8)
    parts = np.eye(3, 4, dtype=bool)[:, None]
    drawn = difference_picture(photo, Difference("crf", 0.3, 0.1, *parts))
    for k, colour in enumerate([MASK_COLOUR, *list(DIFFERENCE_COLOURS.values())[1:]]):
        np.testing.assert_allclose(drawn[0, k], 35 + 0.65 * np.array(colour), atol=1)
    assert drawn[0, 3].tolist() == [100, 100, 100]
