"""The optimiser's step: four devices compute what one would; the schedule's ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import random_network

from rustseg_jax.config import NetworkConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.learning.recipe import Phase, Recipe
from rustseg_jax.learning.step import (
    SMALL_RATE,
    TrainState,
    begin_with,
    make_mesh,
    make_optimiser,
    make_step,
    picture_loss,
    schedule,
    seed_loss,
    start,
    unpack,
)

RECIPE = Recipe(
    network=NetworkConfig(width=2, input_size=32, pooling="context"),
    phases=(Phase(epochs=1, packed=32, crop=32, share=(1.0, 1.0), evaluate=32),),
    optimiser="sgd",
    peak_rate=0.1,
    momentum=0.9,
    weight_decay=5e-4,
    batch=8,
    per_epoch=80,
)


def batch(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(8, dtype=np.int32) % 2
    pictures = rng.integers(0, 200, (8, 32, 32, 3), np.uint8)
    pictures[labels == 1, ..., 0] += np.uint8(50)
    # Different weights on the devices: only a mean over all of them is what one would compute.
    seeds = rng.integers(-127, 128, (8, 2, 2)).astype(np.int8)
    seeds[labels == 0] = -127
    seeds[1] = 0
    return pictures, labels, seeds


def copy(state: TrainState) -> TrainState:
    """The step gives its state's memory away."""
    return jax.tree.map(jnp.copy, state)


@pytest.fixture(scope="module")
def runs() -> dict[int, tuple[TrainState, list[dict[str, float]]]]:
    """Three steps on one device and on four, from the same start."""
    graph, first = start(RECIPE)
    done = {}
    for count in (1, 4):
        mesh = make_mesh(RECIPE.batch, jax.devices()[:count])
        step, state = make_step(graph, RECIPE, mesh), copy(first)
        numbers = []
        for k in range(3):
            state, found = step(state, *batch(k))
            numbers.append({name: float(v) for name, v in found.items()})
        done[count] = jax.tree.map(np.asarray, state), numbers
    return done


@pytest.mark.slow
def test_four_devices_compute_what_one_would(runs: Any) -> None:
    assert len(jax.devices()) >= 4
    (one, numbers_of_one), (four, numbers_of_four) = runs[1], runs[4]
    for part in ("params", "stats", "ema_params", "ema_stats"):
        a, b = (jax.tree.leaves(getattr(s, part)) for s in (one, four))
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=2e-5)
    for x, y in zip(numbers_of_one, numbers_of_four, strict=True):
        assert x["loss"] == pytest.approx(y["loss"], rel=1e-4)
        assert x["accuracy"] == y["accuracy"]


@pytest.mark.slow
def test_a_step_by_hand(runs: Any) -> None:
    state, numbers = runs[1]
    # Even odds at the start: the loss is log 2 whatever the label smoothing.
    # So is the seeds', whatever their weights, and both together are twice that.
    assert numbers[0]["seed_loss"] == pytest.approx(np.log(2), rel=1e-5)
    assert numbers[0]["loss"] == pytest.approx(2 * np.log(2), rel=1e-5)
    assert int(state.step) == 3
    moved = jax.tree.leaves(jax.tree.map(lambda a: float(np.abs(a).max()), state.params))
    assert all(np.isfinite(moved))
    assert np.abs(state.params["head_kernel"]).max() > 0


def test_picture_loss_by_hand() -> None:
    recipe = replace(RECIPE, label_smoothing=0.0, blind=0.25)
    logits = jnp.asarray([[0.0, 0.0], [0.0, np.log(3)], [0.0, np.log(3)], [0.0, np.log(3)]])
    seeds = np.zeros((4, 2, 2), np.int8)
    seeds[1, 0, 0] = 100  # rust is seen
    seeds[2] = -127  # known to be clean: a crop beside the rust
    each, weights = picture_loss(logits, jnp.asarray([0, 1, 1, 1]), jnp.asarray(seeds), recipe)
    np.testing.assert_allclose(each, [np.log(2), *3 * [np.log(4 / 3)]], rtol=1e-6)
    np.testing.assert_array_equal(weights, [1, 1, 0.25, 1])  # the last: nothing is known


def test_seed_loss_by_hand() -> None:
    recipe = replace(RECIPE, seed_smoothing=0.0, rust_weight=3.0)
    evidence = jnp.full((1, 2, 2), np.log(3), jnp.float32)  # P(rust) = 3/4 everywhere
    seeds = jnp.asarray([[[127, -127], [20, 0]]], jnp.int8)  # rust, clean, too unsure, unknown
    each, weights = seed_loss(evidence, seeds, recipe)
    np.testing.assert_allclose(each[0, 0], [np.log(4 / 3), np.log(4)], rtol=1e-6)
    np.testing.assert_allclose(weights, [[[3, 1], [0, 0]]])


def test_a_run_begins_with_the_weights_it_is_given() -> None:
    given = random_network(input_size=32, pooling="lse")
    _, fresh = start(RECIPE)
    state = begin_with(fresh, given)
    kernel = given.blocks[0][1].kernel[...]
    for params in (state.params, state.ema_params):
        np.testing.assert_array_equal(params["blocks"][0][1]["kernel"], kernel)
    np.testing.assert_array_equal(state.params["head_context"], np.zeros(32))  # not in the file
    wide = random_network(4, input_size=32, pooling="context")
    with pytest.raises(ConfigError, match="weights of the same width"):
        begin_with(fresh, wide)


@pytest.mark.slow
def test_the_average_follows_at_once_in_the_beginning(runs: Any) -> None:
    # The head starts at zero: after steps 0, 1, 2 with decays 1/10, 2/11 and 3/12 the average
    # lies between zero and the largest of the values passed, near the last ones.
    state, _ = runs[1]
    last, average = state.params["head_kernel"], state.ema_params["head_kernel"]
    assert 0 < np.abs(average).max() < 1.2 * np.abs(last).max()


def test_a_network_is_put_together_again() -> None:
    graph, state = start(RECIPE)
    network = unpack(graph, state.params, state.stats)
    np.testing.assert_array_equal(network.head_kernel[...], np.zeros((32, 2)))
    assert network.config == RECIPE.network
    again = jax.tree.leaves(start(RECIPE)[1].params)
    for a, b in zip(jax.tree.leaves(state.params), again, strict=True):
        np.testing.assert_array_equal(a, b)  # the seed decides


def test_the_mesh_divides_the_batch() -> None:
    devices = jax.devices()[:4]
    assert [make_mesh(n, devices).size for n in (8, 6, 2, 10, 12)] == [4, 3, 2, 2, 4]


def test_muon_steps_in_all_directions_alike() -> None:
    # Two directions of the gradient, one 50 times the other, and what is no convolution.
    recipe = replace(RECIPE, optimiser="muon", peak_rate=0.02, weight_decay=0.0)
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(n, 4)))[0] for n in (27, 4))
    matrix = (left * np.array([50, 20, 5, 1])) @ right.T
    params = {"kernel": np.zeros((3, 3, 3, 4), np.float32), "scale": np.ones(2, np.float32)}
    grads = {"kernel": matrix.reshape(3, 3, 3, 4), "scale": np.array([3.0, -0.1])}
    params, grads = (
        jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), t) for t in (params, grads)
    )
    optimiser = make_optimiser(recipe)
    updates, _ = optimiser.update(grads, optimiser.init(params), params)
    rate = 0.02 / 25
    step = np.asarray(updates["kernel"]).reshape(27, 4) / -rate
    lengths = np.diag(left.T @ step @ right)
    assert (lengths > 0.6).all()  # Jordan et al.: Newton-Schulz in five steps gives 0.7 to 1.2
    assert (lengths < 1.3).all()
    np.testing.assert_allclose(step, (left * lengths) @ right.T, atol=1e-3)
    # Adam's first step has the size of its rate, whatever the gradient's.
    scale = np.asarray(updates["scale"]) / (-rate * SMALL_RATE)
    assert scale[0] == pytest.approx(-scale[1], rel=1e-4)
    assert 1 <= scale[0] < 2  # more than 1: with Nesterov's look ahead


def test_muons_decay_shrinks_convolutions_alone() -> None:
    recipe = replace(RECIPE, optimiser="muon", peak_rate=0.02, weight_decay=0.5)
    params = {"kernel": jnp.ones((3, 3, 3, 4)), "scale": jnp.ones(2)}
    optimiser = make_optimiser(recipe)
    nothing = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimiser.update(nothing, optimiser.init(params), params)
    np.testing.assert_allclose(updates["kernel"], -0.5 * 0.02 / 25, rtol=1e-5)
    np.testing.assert_array_equal(updates["scale"], [0, 0])


def test_the_schedules_ends() -> None:
    rate = schedule(RECIPE)  # 10 steps, 2 of them rising to 0.1
    found = [float(rate(k)) for k in range(11)]
    assert found[0] == pytest.approx(0.1 / 25)
    assert found[1] == pytest.approx((0.1 / 25 + 0.1) / 2)
    assert found[2] == pytest.approx(0.1)
    assert found[6] == pytest.approx(0.1 * (1 + 1e-3) / 2)  # the cosine's middle
    assert found[10] == pytest.approx(0.1e-3)
    assert found[2:] == sorted(found[2:], reverse=True)


def test_a_phase_with_a_peak_begins_a_cycle_and_leaves_what_was_before() -> None:
    again = replace(RECIPE.phases[0], epochs=2, peak_rate=0.02)
    rate, before = schedule(replace(RECIPE, phases=(*RECIPE.phases, again))), schedule(RECIPE)
    assert [float(rate(k)) for k in range(10)] == [float(before(k)) for k in range(10)]
    # The second cycle: 20 steps, 4 of them rising to 0.02.
    found = [float(rate(k)) for k in (10, 14, 22, 30)]
    # float32 counts from the beginning of the run
    assert found == pytest.approx([0.02 / 25, 0.02, 0.02 * (1 + 1e-3) / 2, 0.02e-3], rel=1e-4)
