"""Shares as a person reads them."""

from __future__ import annotations

import pytest

from rustseg_jax.wording import percent, setting


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0.0 %"),
        (1e-5, "under 0.1 %"),
        (0.00049, "under 0.1 %"),
        (0.0006, "0.1 %"),
        (0.034, "3.4 %"),
        (0.99949, "99.9 %"),
        (0.99951, "over 99.9 %"),
        (1, "100.0 %"),
    ],
)
def test_a_tenth_of_a_percent_of_what_was_counted(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "under 1 %"),
        (0.0049, "under 1 %"),
        (0.0051, "1 %"),
        (0.123, "12 %"),
        (0.9949, "99 %"),
        (0.995, "over 99 %"),
        (1, "over 99 %"),
    ],
)
def test_a_whole_percent_of_what_is_never_certain(share: float, words: str) -> None:
    assert percent(share, digits=0, sure=False) == words


def test_no_share_is_rounded_to_all_or_nothing() -> None:
    for digits in range(4):
        for k in range(1, 1000):
            for share in (k / 200_000, 1 - k / 200_000):
                assert float(percent(share, digits=digits).split()[-2]) not in (0, 100)


def test_what_was_set_is_written_as_it_was_set() -> None:
    assert setting(0.3) == "30 %"
    assert setting(0.125) == "12.5 %"
    assert setting(0.07) == "7 %"  # 100 * 0.07 is 7.000000000000001
