"""The part of a photo that is steel: outlines by hand, an oracle, what was found within."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.draw import polygon2mask

import rustseg_jax as rs
from rustseg_jax.report.surface import MOST_CORNERS, Surface, measure_part, surface_overlay

TRIANGLE = Surface(((0, 0), (1, 0), (0, 1)))


def test_a_box_by_hand() -> None:
    # Of 4 x 8 pixels the centres are at 1/8, 3/8 ... down and 1/16, 3/16 ... across.
    found = Surface.box(0.25, 0.5, 0.75, 1).mask((4, 8))
    wanted = np.zeros((4, 8), bool)
    wanted[2:, 2:6] = True
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(Surface.box(0.75, 1, 0.25, 0.5).mask((4, 8)), wanted)
    assert Surface.box(0, 0, 1, 1).mask((3, 5)).all()


def test_a_triangle_by_hand() -> None:
    # Centres with x + y < 1: of 4 x 4 those left of the diagonal; on it none is inside.
    np.testing.assert_array_equal(
        TRIANGLE.mask((4, 4)),
        [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]],
    )


def test_a_bow_tie_follows_the_even_odd_rule() -> None:
    tie = Surface(((0, 0), (1, 1), (1, 0), (0, 1))).mask((100, 100))
    assert tie[50, 5]
    assert tie[50, 95]
    assert not tie[5, 50]
    assert not tie[95, 50]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)), min_size=3, max_size=8),
    st.integers(3, 40),
    st.integers(3, 40),
)
@example([(0.5, 0.5), (0.5, 0.25), (0.25, 0.5)], 3, 13)  # four centres on one level edge
def test_it_agrees_with_scikit_image(
    corners: list[tuple[float, float]], height: int, width: int
) -> None:
    points = np.array([(y * height - 0.5, x * width - 0.5) for x, y in corners])
    wanted = polygon2mask((height, width), points)
    try:
        found = Surface(tuple(corners)).mask((height, width))
    except rs.ConfigError:
        found = np.zeros((height, width), bool)
    # Centres that lie on an edge may fall either way; a level edge can carry a whole row of them.
    assert not (found != wanted)[~_on_an_edge(points, (height, width))].any()


def _on_an_edge(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the pixels within a millionth of a pixel of the outline."""
    centres = np.stack(np.indices(shape), axis=-1).astype(float)
    near = np.zeros(shape, bool)
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        along = end - start
        length = max(float(along @ along), 1e-300)  # two corners in one place
        share = np.clip((centres - start) @ along / length, 0, 1)[..., None]
        near |= np.linalg.norm(centres - start - share * along, axis=-1) < 1e-6
    return near


def test_addresses_are_short_and_lead_back() -> None:
    assert Surface.box(0.1, 0.2, 0.9, 0.8).text() == "1000.2000.9000.8000"
    assert Surface.parse("1000.2000.9000.8000") == Surface.box(0.1, 0.2, 0.9, 0.8)
    assert TRIANGLE.text() == "0.0.10000.0.0.10000"
    assert Surface.parse(TRIANGLE.text()) == TRIANGLE


@pytest.mark.parametrize(
    "text",
    ["", "1.2", "1.2.3", "1.2.3.4.5", "0.0.10001.1", "-1.0.5.5", "a.b.c.d", "1.2.3.4<script>",
     "\u0661.2.3.4", "99999999999999999999.1.1.1", ".".join(["1"] * (2 * MOST_CORNERS + 2))],
)  # fmt: skip
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(rs.ConfigError):
        Surface.parse(text)


def test_outlines_that_are_none() -> None:
    with pytest.raises(rs.ConfigError, match="corners has 2 entries; it must have 3 to 64"):
        Surface(((0, 0), (1, 1)))
    with pytest.raises(rs.ConfigError, match="outside the photo"):
        Surface(((0, 0), (1, 0), (0, 1.1)))
    with pytest.raises(rs.ConfigError, match="outside the photo"):
        Surface(((0, 0), (1, 0), (0, float("nan"))))
    with pytest.raises(rs.ConfigError, match="covers no pixel"):
        Surface.box(0.1, 0.1, 0.1, 0.9).mask((10, 10))


def test_what_was_found_on_it_by_hand() -> None:
    mask = np.zeros((4, 8), bool)
    mask[2, 2:6] = True  # 4 of the 8 pixels of the box, and none elsewhere: 1/8 of the picture
    box = Surface.box(0.25, 0.5, 0.75, 1)
    found = measure_part(mask, box, interval=(0.1, 0.2))
    assert (found.share, found.area) == (0.25, 0.5)
    assert found.grading.words().startswith("ISO 4628-3 Ri 5, ASTM D610 grade 1 (")
    # Odds 1/7 became 1: those of 0.1 and 0.2, 1/9 and 1/4, are times seven.
    assert found.interval == pytest.approx((7 / 16, 7 / 11), abs=3e-3)
    assert measure_part(mask, box).interval is None
    empty = measure_part(mask, Surface.box(0, 0, 1, 0.5), interval=(0.1, 0.2))
    assert (empty.area, empty.interval) == (0, (0, 0.4))
    plain = found.to_json()
    assert plain["corners"] == [[0.25, 0.5], [0.75, 0.5], [0.75, 1], [0.25, 1]]
    assert plain["grades"]["iso_4628_3"]["value"] == 5


def test_it_is_drawn() -> None:
    photo = np.full((100, 200, 3), 28, np.uint8)
    drawn = surface_overlay(photo, Surface.box(0.25, 0.25, 0.75, 0.75))
    assert (photo == 28).all()
    np.testing.assert_array_equal(drawn[50, 100], [28] * 3)  # inside: the photo
    np.testing.assert_array_equal(drawn[5, 5], [88] * 3)  # 128 + 0.4 (28 - 128)
    line = drawn[50, 45:56].max(axis=1)
    assert line.max() == 255  # light
    assert line.min() < 28 or (drawn[50, 45:56] == (20, 30, 40)).all(axis=1).any()  # and dark
