"""The threshold of a heat map and the rough mask: by hand, and against scikit-image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_otsu

from rustseg_jax.config import ThresholdConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.refine import (
    find_threshold,
    foreground_probability,
    moved_by,
    moved_threshold,
    rough_mask,
)


def test_a_threshold_is_moved_in_log_odds_by_hand() -> None:
    # Odds 1 times e^ln 3 are 3 to 1; of 0.2, odds 1/4, times 4 are even.
    assert moved_threshold(0.5, np.log(3)) == pytest.approx(0.75)
    assert moved_threshold(0.2, np.log(4)) == pytest.approx(0.5)
    assert moved_threshold(0.37, 0) == 0.37
    assert 0.99 < moved_threshold(1.0, 0.5) < 1
    assert moved_by(0.75, 0.5) == pytest.approx(np.log(3))
    assert moved_by(0.37, 0.37) == 0
    with pytest.raises(ConfigError, match="threshold is 0"):
        moved_threshold(0.0, 1)


def test_thresholds_by_hand() -> None:
    # Two far humps: Otsu lies between 0 and 1, all variance is between the classes,
    # so the dynamic rule trusts it fully.
    spot = np.zeros((4, 4), np.float32)
    spot[0, :2] = 1
    assert find_threshold(spot, ThresholdConfig("otsu")) == 0.5
    assert find_threshold(spot, ThresholdConfig("dynamic", value=0.2)) == pytest.approx(0.5)
    assert find_threshold(spot, ThresholdConfig("fixed", value=0.2)) == 0.2
    # 0, 1, 2, 3 quarters: Otsu cuts in the middle; variance 5/64, between classes 4/64,
    # so eta is 4/5 and the trust (4/5 - 2/pi) / (1 - 2/pi).
    ramp = np.array([[0.0, 0.25], [0.5, 0.75]], np.float32)
    assert find_threshold(ramp, ThresholdConfig("otsu")) == 0.375
    trust = (0.8 - 2 / np.pi) / (1 - 2 / np.pi)
    expected = 0.2 + trust * (0.375 - 0.2)
    rule = ThresholdConfig("dynamic", value=0.2, low=0.15)
    assert find_threshold(ramp, rule) == pytest.approx(expected)
    assert find_threshold(ramp, replace(rule, low=0.3)) == 0.3


def test_otsu_agrees_with_skimage() -> None:
    rng = np.random.default_rng(0)
    heat = np.clip(np.r_[rng.normal(0.2, 0.08, 500), rng.normal(0.8, 0.1, 284)], 0, 1)
    heat = heat.reshape(28, 28).astype(np.float32)
    ours = find_threshold(heat, ThresholdConfig("otsu"))
    theirs = threshold_otsu(heat, nbins=1024)
    # The values between two neighbouring cuts are the same classes.
    assert abs(((heat >= ours) != (heat > theirs)).sum()) <= 1


def test_a_photo_that_is_all_rust_stays_whole() -> None:
    rng = np.random.default_rng(1)
    heat = np.clip(rng.normal(0.9, 0.04, (28, 28)), 0, 1).astype(np.float32)
    otsu = find_threshold(heat, ThresholdConfig("otsu"))
    assert (heat >= otsu).mean() < 0.7
    assert (heat >= find_threshold(heat)).all()


def test_constant_and_empty_heat_maps() -> None:
    for rule in ("dynamic", "otsu", "fixed"):
        config = ThresholdConfig(rule)
        empty = np.zeros((28, 28), np.float32)
        assert not rough_mask(empty, find_threshold(empty, config), (40, 50)).any()
        full = np.ones((28, 28), np.float32)
        assert rough_mask(full, find_threshold(full, config), (40, 50)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.3, 4))
def test_the_dynamic_threshold_keeps_its_bounds(seed: int, power: float) -> None:
    heat = np.random.default_rng(seed).random((8, 8)).astype(np.float32) ** power
    config = ThresholdConfig(low=0.3, high=0.45)
    assert 0.3 <= find_threshold(heat, config) <= 0.45


def test_threshold_refusals() -> None:
    with pytest.raises(ConfigError, match="rule is 'best'"):
        ThresholdConfig("best")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="value is 0"):
        ThresholdConfig(value=0)
    with pytest.raises(ConfigError, match=r"low is .*must not be above high"):
        ThresholdConfig(low=0.6, high=0.5)
    with pytest.raises(ConfigError, match="heatmap has values from nan"):
        find_threshold(np.full((3, 3), np.nan, np.float32))
    with pytest.raises(ConfigError, match="heatmap has values from"):
        find_threshold(np.full((3, 3), 1.5, np.float32))
    with pytest.raises(ConfigError, match="threshold is 0"):
        rough_mask(np.zeros((3, 3), np.float32), 0, (6, 6))


def test_rough_mask_by_hand() -> None:
    heat = np.array([[0.0, 1.0]], np.float32)
    # Enlarged to 0, 1/4, 3/4, 1.
    np.testing.assert_array_equal(rough_mask(heat, 0.75, (1, 4)), [[False, False, True, True]])
    np.testing.assert_array_equal(rough_mask(heat, 0.2, (1, 4)), [[False, True, True, True]])


def test_probability_by_hand() -> None:
    heat = np.array([[0.0, 0.1, 0.2, 0.6, 1.0]], np.float32)
    probability = foreground_probability(heat, 0.2, confidence=0.9)
    np.testing.assert_allclose(probability, [[0.1, 0.3, 0.5, 0.7, 0.9]], atol=1e-6)
    ends = foreground_probability(np.array([[0.0, 0.5, 1.0]], np.float32), 1.0, confidence=0.9)
    np.testing.assert_allclose(ends, [[0.1, 0.3, 0.5]], atol=1e-6)
    with pytest.raises(ConfigError, match="confidence is 1"):
        foreground_probability(heat, 0.2, confidence=1)


def test_probability_and_rough_mask_share_their_border() -> None:
    heat = np.random.default_rng(2).random((28, 28), np.float32)
    rough = rough_mask(heat, 0.37, (150, 99))
    probability = foreground_probability(heat, 0.37, shape=(150, 99))
    assert ((probability >= 0.5) == rough).mean() > 0.9999
