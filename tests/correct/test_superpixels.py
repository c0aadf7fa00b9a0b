"""Superpixels: indices, size and adherence to edges."""

from __future__ import annotations

import numpy as np
import pytest

from rustseg_jax.correct.superpixels import WORKING_PIXELS, superpixels
from rustseg_jax.errors import ConfigError


def test_pieces_do_not_cross_a_clear_edge() -> None:
    photo = np.full((60, 90, 3), (150, 150, 155), np.uint8)
    photo[:, 40:] = (150, 75, 35)
    pieces = superpixels(photo, count=40)
    assert (pieces.shape, pieces.dtype) == ((60, 90), np.uint16)
    assert pieces.min() == 0
    assert 15 < len(np.unique(pieces)) <= 60
    left, right = set(pieces[:, :39].ravel()), set(pieces[:, 41:].ravel())
    assert not left & right


def test_a_large_photo_is_cut_at_a_smaller_size() -> None:
    pieces = superpixels(np.zeros((1500, 1000, 3), np.uint8), count=20)
    assert pieces.size <= WORKING_PIXELS
    assert pieces.shape[0] / pieces.shape[1] == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize("count", [0, 20_001])
def test_the_count_has_limits(count: int) -> None:
    with pytest.raises(ConfigError, match=f"count is {count}"):
        superpixels(np.zeros((30, 30, 3), np.uint8), count=count)


def test_the_photo_is_rgb() -> None:
    with pytest.raises(ConfigError, match="image is uint8"):
        superpixels(np.zeros((30, 30), np.uint8))
