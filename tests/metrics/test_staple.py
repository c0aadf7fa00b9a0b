from __future__ import annotations

import numpy as np
import pytest

from rustseg_jax.labels import majority, staple


def masks(*text: str) -> list[np.ndarray]:
    return [np.array([[c == "1" for c in one]]) for one in text]


def test_majority_by_hand():
    mask, ignore = majority(masks("11100", "11000", "10000"), [None] * 3)
    assert mask.astype(int).tolist() == [[1, 1, 0, 0, 0]]
    assert not ignore.any()
    # Two experts, split on one pixel; nobody can tell of another.
    first = np.array([[False, False, True, False]])
    second = np.array([[False, False, True, True]])
    mask, ignore = majority(masks("1100", "1000"), [first, second])
    assert mask.astype(int).tolist() == [[1, 0, 0, 0]]
    assert ignore.astype(int).tolist() == [[0, 1, 1, 0]]


def test_one_step_of_staple_by_hand():
    """Two raters, four pixels: 11, 10, 00, 00. From p = q = 0.99999 and prior 3/8."""
    found = staple(masks("1100", "1000"))
    # The pixel on which they differ: g p (1-q') / ... with both equal the prior decides, then the
    # first's sensitivity and the second's specificity drift apart, or the other way round.
    assert found.probability[0, 0] == pytest.approx(1, abs=1e-6)
    assert found.probability[0, 2] == pytest.approx(0, abs=1e-6)
    w = found.probability.ravel()
    yes = np.array([[1, 1, 0, 0], [1, 0, 0, 0]])
    np.testing.assert_allclose(found.sensitivity, (yes * w).sum(1) / w.sum(), atol=1e-6)
    np.testing.assert_allclose(
        found.specificity, ((1 - yes) * (1 - w)).sum(1) / (1 - w).sum(), atol=1e-6
    )


def simulated() -> list[np.ndarray]:
    true = np.zeros((12, 16), bool)
    true[3:9, 4:12] = True
    found = []
    for seed, (sensitivity, specificity) in enumerate([(0.9, 0.95), (0.8, 0.9), (0.6, 0.99)]):
        chance = np.random.default_rng(seed).random(true.shape)
        found.append(np.where(true, chance < sensitivity, chance > specificity))
    return found


def test_staple_as_simpleitk_finds_it():
    """SimpleITK 2.5.7, STAPLEImageFilter with at most 500 iterations, on the same masks."""
    found = staple(simulated())
    sensitivity = (0.8185893328265439, 0.7457597357080084, 0.6941771783763453)
    specificity = (0.9078111701690752, 0.8752549641511654, 1.0)
    np.testing.assert_allclose(found.sensitivity, sensitivity, atol=2e-6)
    np.testing.assert_allclose(found.specificity, specificity, atol=2e-6)


def test_staple_trusts_the_reliable():
    rng = np.random.default_rng(0)
    true = rng.random((40, 40)) < 0.3
    good = [true ^ (rng.random(true.shape) < 0.02) for _ in range(2)]
    bad = [true ^ (rng.random(true.shape) < 0.4) for _ in range(3)]
    found = staple([*good, *bad])
    assert found.sensitivity[:2].min() > 0.9 > found.sensitivity[2:].max()
    ours = (found.probability > 0.5) == true
    votes, _ = majority([*good, *bad], [None] * 5)
    assert ours.mean() > (votes == true).mean() + 0.02


def test_staple_where_there_is_nothing_to_estimate():
    empty = np.zeros((3, 4), bool)
    assert staple([empty, empty]).probability.max() == 0
    assert staple([~empty, ~empty]).probability.min() == 1
    one = staple([np.eye(4, dtype=bool)])
    assert ((one.probability > 0.5) == np.eye(4)).all()


def test_staple_does_not_ask_who_cannot_tell():
    rng = np.random.default_rng(1)
    true = rng.random((30, 30)) < 0.4
    raters = [true ^ (rng.random(true.shape) < 0.05) for _ in range(3)]
    wild = raters[0].copy()
    ignore = np.zeros_like(true)
    ignore[:, :10] = True
    wild[:, :10] = ~wild[:, :10]
    found = staple([wild, *raters[1:]], [ignore, None, None])
    other = staple([raters[0], *raters[1:]], [ignore, None, None])
    np.testing.assert_array_equal(found.probability, other.probability)
    everybody = staple(raters, [ignore] * 3).probability[:, :10]
    assert np.ptp(everybody) == 0
