from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from rustseg_jax import metrics
from rustseg_jax.errors import ConfigError
from rustseg_jax.metrics.calibration import operating_points, reliability, wilson


def test_bins_by_hand():
    """Two bins: 0.1, 0.1, 0.4 below (one of three corroded), 0.5, 0.9, 1.0 from the edge on."""
    p, labels = [0.1, 0.5, 0.1, 0.4, 0.9, 1.0], [0, 1, 1, 0, 1, 0]
    low, high = reliability(p, labels, bins=2)
    assert low == {"low": 0.0, "high": 0.5, "n": 3} | {
        "probability": pytest.approx(0.2),
        "share": pytest.approx(1 / 3),
    }
    assert high == {"low": 0.5, "high": 1.0, "n": 3} | {
        "probability": pytest.approx(0.8),
        "share": pytest.approx(2 / 3),
    }


def test_an_empty_bin_says_nothing():
    bins = reliability([0.1, 0.9], [0, 1], bins=3)
    assert [b["n"] for b in bins] == [1, 0, 1]
    assert (bins[1]["probability"], bins[1]["share"]) == (None, None)


def test_bins_sum_up_to_the_calibration_error():
    rng = np.random.default_rng(0)
    p = np.concatenate([rng.random(200), np.arange(16) / 15])  # edges of bins among them
    labels = rng.integers(0, 2, p.size)
    filled = [b for b in reliability(p, labels) if b["n"]]
    gaps = sum(b["n"] * abs(b["probability"] - b["share"]) for b in filled)
    assert sum(b["n"] for b in filled) == p.size
    assert gaps / p.size == pytest.approx(metrics.ece(p, labels))


def test_points_by_hand():
    found = operating_points([0.3, 0.9, 0.8, 0.8, 0.0], [0, 1, 0, 1, 0])
    assert found == {
        "corroded": 2,
        "clean": 3,
        "threshold": [0.9, 0.8, 0.3, 0.0],
        "tp": [1, 2, 2, 2],
        "fp": [0, 1, 2, 3],
    }
    assert str(found["threshold"][-1]) == "0.0"


def test_points_enclose_the_area_under_the_curve():
    rng = np.random.default_rng(1)
    p, labels = rng.integers(0, 30, 300) / 30, rng.integers(0, 2, 300)
    points = operating_points(p, labels)
    tpr = np.array([0, *points["tp"]]) / points["corroded"]
    fpr = np.array([0, *points["fp"]]) / points["clean"]
    assert np.trapezoid(tpr, fpr) == pytest.approx(metrics.auc(p, labels))


def test_intervals_by_hand():
    """Published values for 95 %: 0.4902 to 0.9433 for 8 of 10 (Agresti and Coull 1998's formula).

    For 0 of n the upper end is z^2 / (n + z^2): 3.8415 / 6.8415 for three pictures.
    """
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 3) == pytest.approx((0.0, 3.841459 / 6.841459), abs=1e-6)
    assert wilson(3, 3) == pytest.approx((3 / 6.841459, 1.0), abs=1e-6)


@pytest.mark.parametrize("n", [1, 3, 10, 763, 10_000])
def test_intervals_are_those_of_scipy(n):
    for right in sorted({0, 1, n // 3, n - 1, n}):
        theirs = binomtest(right, n).proportion_ci(method="wilson")
        # Our quantile has seven digits.
        assert wilson(right, n) == pytest.approx((theirs.low, theirs.high), abs=1e-8)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: reliability([0.5], [0, 1]), "shape"),
        (lambda: reliability([1.5], [1]), "P\\(corrosion\\), not logits"),
        (lambda: reliability([float("nan")], [1]), "P\\(corrosion\\), not logits"),
        (lambda: reliability([0.5], [1], bins=0), "bins is 0"),
        (lambda: operating_points([0.5], [2]), "other than 0"),
        (lambda: wilson(1, 0), "n is 0"),
        (lambda: wilson(4, 3), "right is 4"),
    ],
)
def test_misuse(call, said):
    with pytest.raises(ConfigError, match=said):
        call()
