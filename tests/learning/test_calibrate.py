"""Calibration: against brute force, within its bounds, and moved into the head exactly."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import random_network, red_network

from rustseg_jax.classify import Classifier, Network
from rustseg_jax.errors import ConfigError
from rustseg_jax.learning.calibrate import calibrate, shift_head, shift_map


def logits_of(margin: np.ndarray) -> np.ndarray:
    return np.stack([-margin / 2, margin / 2], axis=1).astype(np.float32)


def cross_entropy(margin: np.ndarray, labels: np.ndarray, t: float, shift: float) -> float:
    signed = np.where(labels == 1, -1, 1) * (margin + shift) / t
    return float(np.logaddexp(0, signed).mean())


def test_four_pictures_by_hand() -> None:
    # Symmetric margins, half of each label at each: the best guess is even odds everywhere.
    logits = logits_of(np.array([-1.0, -1.0, 1.0, 1.0]))
    temperature, shift = calibrate(logits, np.array([0, 1, 0, 1]))
    assert temperature == pytest.approx(20, rel=0.01)  # as flat as is allowed
    assert shift / temperature == pytest.approx(0, abs=0.01)


def test_finds_what_the_labels_were_drawn_with_and_beats_a_grid() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 3, 4000)
    labels = (rng.random(4000) < 1 / (1 + np.exp(-(margin - 1.5) / 2.5))).astype(int)
    temperature, shift = calibrate(logits_of(margin), labels)
    assert temperature == pytest.approx(2.5, rel=0.1)
    assert shift == pytest.approx(-1.5, abs=0.3)
    grid = min(
        cross_entropy(margin, labels, t, s)
        for t in np.exp(np.linspace(np.log(0.5), np.log(10), 60))
        for s in np.linspace(-4, 4, 81)
    )
    assert cross_entropy(margin, labels, temperature, shift) <= grid + 1e-6


def test_classes_that_separate_stay_within_the_bounds() -> None:
    found = calibrate(logits_of(np.array([-2.0, 2.0])), np.array([0, 1]))
    assert 0.05 <= found.temperature < 0.5  # sharper than what came in, but bounded
    assert np.isfinite(found.shift)


def test_the_shift_moves_every_margin_by_itself() -> None:
    network = red_network()
    x = np.random.default_rng(1).random((2, 32, 32, 3), np.float32)
    before = np.asarray(Classifier.of(network)(x).logits)
    shift_head(network, -1.25)
    after = np.asarray(Classifier.of(network)(x).logits)
    np.testing.assert_allclose((after - before) @ [-1, 1], -1.25, atol=1e-5)


def context_network() -> Network:
    network = random_network(pooling="context")
    network.head_kernel.set_value(jnp.ones((32, 2)) * jnp.asarray([[-0.1, 0.1]]))
    return network


def margins(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Log odds of the verdicts, (2,), and of each position, (2, 2, 2)."""
    x = np.random.default_rng(2).random((2, 32, 32, 3), np.float32)
    model = Classifier.of(network)
    out = model(x)
    return np.asarray(out.logits) @ [-1, 1], np.asarray(model.scores(out.activations)) @ [-1, 1]


def test_a_context_heads_offset_takes_the_shift_and_leaves_the_score_map() -> None:
    network = context_network()
    before, scores = margins(network)
    shift_head(network, 0.75)
    after, same = margins(network)
    np.testing.assert_allclose(after - before, 0.75, atol=1e-5)
    np.testing.assert_array_equal(same, scores)


def test_the_map_moves_and_leaves_the_verdicts() -> None:
    network = context_network()
    before, scores = margins(network)
    shift_map(network, -0.7)
    after, moved = margins(network)
    np.testing.assert_allclose(after, before, atol=1e-5)
    np.testing.assert_allclose(moved - scores, -0.7, atol=1e-5)
    with pytest.raises(ConfigError, match="pooling is 'mean'"):
        shift_map(red_network(), -0.7)
