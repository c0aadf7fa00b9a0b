"""Polygon filling: hand-worked cases, adjacent polygons, edges on the middle of a row."""

import numpy as np
from labels_made import box

from rustseg_jax.correct.polygon import fill


def test_fill_by_hand():
    square = [(1, 1), (3, 1), (3, 4), (1, 4)]  # corners of pixels: columns 1, 2; rows 1 to 3
    np.testing.assert_array_equal(fill([square], (5, 4)), box(1, 1, 4, 3, (5, 4)))
    half = [(0.5, 0.5), (2.5, 0.5), (2.5, 1.5), (0.5, 1.5)]  # centres: left and top belong
    np.testing.assert_array_equal(fill([half], (3, 4)), box(0, 0, 1, 2, (3, 4)))
    triangle = [(0, 0), (4, 0), (0, 4)]
    wanted = [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert fill([triangle], (4, 4)).astype(int).tolist() == wanted
    np.testing.assert_array_equal(fill([triangle[::-1]], (4, 4)), fill([triangle], (4, 4)))
    outside = [(-5, -5), (2, -5), (2, 99), (-5, 99)]
    np.testing.assert_array_equal(fill([outside], (3, 4)), box(0, 0, 3, 2, (3, 4)))
    assert fill([], (3, 4)).sum() == 0
    assert fill([square, triangle], (5, 4)).sum() == 6 + 6 - 1


def test_neighbours_share_an_edge_but_no_pixel():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.uniform(0, 20, (2, 2))
        left = [(0, 0), (a[0], 0), (b[0], 20), (0, 20)]
        right = [(a[0], 0), (20, 0), (20, 20), (b[0], 20)]
        one, other = fill([left], (20, 20)), fill([right], (20, 20))
        assert not (one & other).any()
        assert (one | other).all()


def test_a_share_on_the_middle_of_a_row_has_that_row():
    assert 0.035 * 100 > 3.5  # in pixels the edge would miss the middle of row 3
    shares = [(0, 0.035), (1, 0.035), (1, 1), (0, 1)]
    np.testing.assert_array_equal(
        fill([shares], (100, 2), scale=(2, 100)), box(3, 0, 100, 2, (100, 2))
    )
