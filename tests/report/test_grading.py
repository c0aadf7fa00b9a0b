"""Grades: the standards' tables row by row, intervals, the part of a picture that is steel."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustseg_jax.errors import ConfigError
from rustseg_jax.report.grading import grade, rusted_share

# The tables as the standards print them, in percent.
ISO = [(0, 0), (0.05, 1), (0.5, 2), (1, 3), (8, 4), (40, 5), (50, 5), (100, 5)]
ASTM = [
    (0, 10), (0.01, 10), (0.02, 9), (0.03, 9), (0.05, 8), (0.1, 8), (0.2, 7), (0.3, 7),
    (0.7, 6), (1.0, 6), (2, 5), (3, 5), (7, 4), (10, 4), (13, 3), (16, 3), (20, 2), (33, 2),
    (40, 1), (50, 1), (51, 0), (100, 0),
]  # fmt: skip


@pytest.mark.parametrize(("percent", "wanted"), ISO)
def test_the_pictures_of_iso_4628_3(percent: float, wanted: int) -> None:
    assert grade(percent / 100).iso.value == wanted


@pytest.mark.parametrize(("percent", "wanted"), ASTM)
def test_the_ranges_of_astm_d610(percent: float, wanted: int) -> None:
    assert grade(percent / 100).astm.value == wanted


def test_between_two_pictures_the_worse_grade_counts() -> None:
    assert [grade(p / 100).iso.value for p in (0.001, 0.051, 0.51, 1.01, 8.01)] == [1, 2, 3, 4, 5]


def test_more_rust_is_never_a_better_grade() -> None:
    found = [grade(share) for share in np.linspace(0, 1, 2001)]
    for less, more in pairwise(found):
        assert less.iso.value <= more.iso.value
        assert less.astm.value >= more.astm.value


def test_an_interval_within_one_grade_is_certain() -> None:
    found = grade(0.12, (0.11, 0.15))
    assert found.certain
    assert found.words() == "ISO 4628-3 Ri 5, ASTM D610 grade 3"


def test_an_interval_across_grades_names_them_all() -> None:
    found = grade(0.05, (0.004, 0.2))
    assert (found.iso.least, found.iso.value, found.iso.most) == (2, 4, 5)
    assert (found.astm.least, found.astm.value, found.astm.most) == (6, 4, 2)
    assert not found.certain
    assert found.words() == "ISO 4628-3 Ri 4 (2 to 5), ASTM D610 grade 4 (6 to 2)"


def test_one_scale_alone_may_be_uncertain() -> None:
    found = grade(0.12, (0.11, 0.17))  # Ri 5 throughout; 16 % parts the grades 3 and 2
    assert found.iso.certain
    assert not found.certain
    assert found.words() == "ISO 4628-3 Ri 5, ASTM D610 grade 3 (3 to 2)"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_grade_lies_within_its_span(share: float, a: float, b: float) -> None:
    found = grade(share, (min(a, b), max(a, b)))
    assert found.iso.least <= found.iso.value <= found.iso.most
    assert found.astm.least >= found.astm.value >= found.astm.most
    assert found.interval == (min(a, b), max(a, b))


def test_the_share_of_the_steel_alone() -> None:
    mask = np.zeros((4, 5), bool)
    mask[0] = True  # 5 of 20 pixels
    steel = np.zeros((4, 5), bool)
    steel[:2, :2] = True  # 4 pixels, 2 of them rusted
    assert rusted_share(mask) == 0.25
    assert rusted_share(mask, steel) == 0.5
    assert rusted_share(mask, ~mask) == 0


@pytest.mark.parametrize(
    ("share", "interval", "words"),
    [
        (-0.1, None, "share is -0.1; it must be a share between 0 and 1"),
        (12, None, "share is 12"),
        (float("nan"), None, "share is nan"),
        ("much", None, "share is 'much'"),
        (0.1, (0.2, 0.1), "must not exceed"),
        (0.1, (0.2, 1.1), "interval is 1.1"),
        (0.1, (0.2,), "two shares"),
    ],
)
def test_wrong_shares_are_refused_by_name(share: float, interval: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        grade(share, interval)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mask", "surface", "words"),
    [
        (np.zeros((2, 2)), None, "mask is float64"),
        (np.zeros(4, bool), None, r"mask is bool\(4,\)"),
        (np.zeros((0, 2), bool), None, "must not be empty"),
        (np.zeros((2, 2), bool), np.zeros((2, 3), bool), r"surface is bool\(2, 3\)"),
        (np.zeros((2, 2), bool), np.ones((2, 2)), "surface is float64"),
        (np.zeros((2, 2), bool), np.zeros((2, 2), bool), "surface covers no pixel"),
    ],
)
def test_wrong_surfaces_are_refused_by_name(
    mask: np.ndarray, surface: np.ndarray | None, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        rusted_share(mask, surface)
