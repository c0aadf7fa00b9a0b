"""Heat maps of one view: hand-worked numbers, invariants, nested derivatives as oracle."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rustseg_jax.config import LocaliseConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.localise.cam import (
    _head_gradients,
    _pp_weights,
    grad_cam,
    grad_cam_pp,
    normalise,
    score_map,
)

METHODS = [
    pytest.param(LocaliseConfig(method="grad_cam"), id="grad_cam"),
    pytest.param(LocaliseConfig("grad_cam_pp", variant="eq19"), id="eq19"),
    pytest.param(LocaliseConfig("grad_cam_pp", variant="author"), id="author"),
]


def explain(config, head, activations, class_index=1):
    if config.method == "grad_cam":
        return grad_cam(head, activations, class_index)
    return grad_cam_pp(head, activations, class_index, variant=config.variant)


def linear_head(gradients):
    """Head whose gradient for class 1 is the given (h, w, C) array, and minus it for class 0."""
    gradients = jnp.asarray(gradients, jnp.float32)

    def head(activations):
        score = jnp.einsum("bhwc,hwc->b", activations, gradients, precision="highest")
        return jnp.stack([-score, score], axis=1)

    return head


def mlp_head(seed, positions, channels, hidden=7, classes=2):
    """Piecewise linear, not translation invariant: flatten, dense, ReLU, dense."""
    rng = np.random.default_rng(seed)
    first = jnp.asarray(rng.normal(size=(positions * channels, hidden)), jnp.float32)
    second = jnp.asarray(rng.normal(size=(hidden, classes)), jnp.float32)

    def head(activations):
        flat = activations.reshape(activations.shape[0], -1)
        return jax.nn.relu(flat @ first.astype(flat.dtype)) @ second.astype(flat.dtype)

    return head


def random_activations(seed, shape, dtype=jnp.float32):
    values = np.random.default_rng(seed).normal(size=shape)
    return jnp.asarray(np.maximum(values, 0), dtype)


# --- by hand -----------------------------------------------------------------

# Four channels of 2x2, activations equal to the gradients.
HAND = np.stack(
    [
        np.array([[1, 1], [1, 1]]),
        np.array([[1, 1], [0, 0]]),
        np.zeros((2, 2)),
        np.array([[0.5, 0], [0, 0]]),
    ],
    axis=-1,
).astype(np.float32)

# eq19: channel 0 has alpha = 1 / (2 + 4 * 1) at four places, channel 1 has
# 1 / (2 + 2 * 1) at two, channel 3 has 1 / (2 + 0.5 * 0.5) at one, times g = 0.5.
HAND_WEIGHTS = {"eq19": (2 / 3, 1 / 2, 0, 2 / 9), "author": (1, 1, 0, 1 / 2)}
HAND_MAPS = {
    # top left 2/3 + 1/2 + 2/9 * 1/2, top right 2/3 + 1/2, bottom 2/3
    "eq19": [[23 / 18, 7 / 6], [2 / 3, 2 / 3]],
    # top left 1 + 1 + 1/2 * 1/2, top right 1 + 1, bottom 1
    "author": [[2.25, 2], [1, 1]],
}


@pytest.mark.parametrize("variant", ["eq19", "author"])
def test_hand_case_weights(variant):
    hand = jnp.asarray(HAND)[None]
    weights = _pp_weights(hand, hand, variant)
    np.testing.assert_allclose(weights[0], HAND_WEIGHTS[variant], rtol=1e-6)


@pytest.mark.parametrize("variant", ["eq19", "author"])
def test_hand_case_map(variant):
    cam = grad_cam_pp(linear_head(HAND), jnp.asarray(HAND)[None], 1, variant=variant)
    assert cam.dtype == jnp.float32
    np.testing.assert_allclose(cam[0], HAND_MAPS[variant], rtol=1e-6)


def test_eq19_is_the_default_variant():
    cam = grad_cam_pp(linear_head(HAND), jnp.asarray(HAND)[None], 1)
    np.testing.assert_allclose(cam[0], HAND_MAPS["eq19"], rtol=1e-6)


def test_grad_cam_by_hand():
    activations = np.zeros((1, 2, 2, 2), np.float32)
    activations[0, :, :, 0] = [[1, 2], [3, 4]]
    activations[0, :, :, 1] = [[4, 0], [0, 4]]
    gradients = np.zeros((2, 2, 2), np.float32)
    gradients[:, :, 0] = [[4, 4], [4, -4]]  # mean 2
    gradients[:, :, 1] = [[-8, 0], [0, 4]]  # mean -1
    cam = grad_cam(linear_head(gradients), jnp.asarray(activations), 1)
    np.testing.assert_allclose(cam[0], [[0, 4], [6, 4]], rtol=1e-6)


def test_grad_cam_pp_with_mixed_signs_by_hand():
    # One channel, A = [1, 3], g = [-1, 1/2]: only the second place counts,
    # alpha = 1 / (2 + 4 * 1/2) = 1/4, weight 1/8; author: alpha 1, weight 1/2.
    activations = jnp.asarray([1.0, 3.0], jnp.float32).reshape(1, 1, 2, 1)
    head = linear_head(np.array([-1.0, 0.5]).reshape(1, 2, 1))
    eq19 = grad_cam_pp(head, activations, 1, variant="eq19")
    author = grad_cam_pp(head, activations, 1, variant="author")
    np.testing.assert_allclose(eq19[0], [[1 / 8, 3 / 8]], rtol=1e-6)
    np.testing.assert_allclose(author[0], [[1 / 2, 3 / 2]], rtol=1e-6)


def test_author_with_pooling_and_dense_is_cam_with_positive_weights():
    dense = np.array([0.3, -0.2, 0.05], np.float32)
    activations = random_activations(0, (1, 4, 5, 3))

    def head(a):
        score = jnp.mean(a, axis=(1, 2)) @ jnp.asarray(dense)
        return jnp.stack([-score, score], axis=1)

    cam = grad_cam_pp(head, activations, 1, variant="author")
    expected = np.asarray(activations)[0] @ np.maximum(dense, 0) / 20
    np.testing.assert_allclose(cam[0], expected, rtol=1e-5)


def test_tiny_gradients_are_not_lost():
    # g^2 and g^3 underflow float32 here; alpha is 1 / (2 + 4e-30).
    cam = grad_cam_pp(linear_head(np.full((2, 2, 1), 1e-30)), jnp.ones((1, 2, 2, 1)), 1)
    np.testing.assert_allclose(cam[0], np.full((2, 2), 2e-30), rtol=1e-5)


def test_normalise_by_hand():
    cam = jnp.asarray([[[1.0, 2.0], [4.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    heatmap, maximum = normalise(cam)
    np.testing.assert_array_equal(heatmap[0], [[0.25, 0.5], [1, 0]])
    np.testing.assert_array_equal(heatmap[1], np.zeros((2, 2)))
    np.testing.assert_array_equal(maximum, [4, 0])


def test_normalise_does_not_stretch_noise():
    heatmap, _ = normalise(jnp.asarray([[[0.5, 0.501]]]))
    np.testing.assert_allclose(heatmap[0], [[0.5 / 0.501, 1]], rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-45, 1e-38, 1e-30, 1e30, 1e37])
def test_normalise_survives_extreme_maxima(scale):
    cam = jnp.asarray([[[0.0, scale]]], jnp.float32)
    heatmap, _ = jax.jit(normalise)(cam)
    assert bool(jnp.all(jnp.isfinite(heatmap)))
    assert heatmap[0, 0, 0] == 0
    if scale > 1e-37:  # below, XLA flushes to zero: an empty map
        assert heatmap[0, 0, 1] == 1


# --- oracle: nested derivatives of exp(S) ------------------------------------


def nested_derivatives(score, activations):
    """First, second and third derivative of exp(S) by each activation alone."""
    flat = activations.ravel()

    def along(index, value):
        return jnp.exp(score(flat.at[index].set(value).reshape(activations.shape)))

    def at(index):
        value = flat[index]
        first = jax.grad(along, 1)
        second = jax.grad(first, 1)
        third = jax.grad(second, 1)
        return jnp.stack([d(index, value) for d in (first, second, third)])

    derivatives = jax.jit(jax.vmap(at))(jnp.arange(flat.size))
    return [np.asarray(d).reshape(activations.shape) for d in derivatives.T]


def oracle_map(head, activations, class_index, variant):
    """Equations 10 to 19 as written, with derivatives of Y = exp(S), in NumPy."""

    def score(a):
        return head(a[None])[0, class_index]

    first, second, third = nested_derivatives(score, activations)
    a = np.asarray(activations)
    denominator = 2 * second + a.sum(axis=(0, 1)) * third
    alpha = np.where(denominator != 0, second / np.where(denominator != 0, denominator, 1), 0)
    gradient = first / np.exp(float(score(activations)))  # dS/dA = dY/dA / Y
    if variant == "author":
        alpha = np.where(gradient > 0, alpha, 0)
        whole = alpha.sum(axis=(0, 1))
        alpha = alpha / np.where(whole != 0, whole, 1)
    weights = (alpha * np.maximum(gradient, 0)).sum(axis=(0, 1))
    return np.maximum(a @ weights, 0)


@pytest.mark.parametrize("variant", ["eq19", "author"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_grad_cam_pp_matches_nested_derivatives(variant, seed):
    with jax.enable_x64(True):
        activations = random_activations(seed, (3, 4, 2), jnp.float64) / 5
        head = mlp_head(seed, positions=12, channels=2)
        class_index = seed % 2
        cam = grad_cam_pp(head, activations[None], class_index, variant=variant)
        expected = oracle_map(head, activations, class_index, variant)
    assert cam.dtype == np.float64
    assert expected.max() > 0
    np.testing.assert_allclose(cam[0], expected, rtol=1e-9, atol=1e-12)


def test_grad_cam_matches_finite_differences():
    with jax.enable_x64(True):
        activations = random_activations(3, (2, 3, 2), jnp.float64)
        head = mlp_head(3, positions=6, channels=2)
        base = np.asarray(activations)
        slopes = np.zeros_like(base)
        for index in np.ndindex(base.shape):
            moved = base.copy()
            moved[index] += 1e-6
            rise = head(jnp.asarray(moved)[None])[0, 0] - head(activations[None])[0, 0]
            slopes[index] = rise / 1e-6
        cam = grad_cam(head, activations[None], 0)
    np.testing.assert_allclose(cam[0], np.maximum(base @ slopes.mean((0, 1)), 0), atol=1e-6)


def test_logits_beyond_the_range_of_exp():
    head = linear_head(np.full((2, 2, 1), 100.0))
    cam = grad_cam_pp(head, jnp.ones((1, 2, 2, 1)), 1)  # S = 400, exp(S) overflows float32
    np.testing.assert_allclose(cam[0], np.full((2, 2), 400 / 402), rtol=1e-6)


# --- invariants ----------------------------------------------------------------


@pytest.mark.parametrize("config", METHODS)
def test_batch_equals_loop(config):
    activations = random_activations(4, (2, 4, 3, 4))
    head = mlp_head(4, positions=12, channels=4)
    batch = explain(config, head, activations)
    loop = [explain(config, head, activations[i : i + 1])[0] for i in range(2)]
    assert batch.shape == (2, 4, 3)
    np.testing.assert_allclose(batch, np.stack(loop), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", METHODS)
def test_jit_equals_no_jit(config):
    activations = random_activations(5, (2, 4, 3, 4))
    head = mlp_head(5, positions=12, channels=4)
    compiled = jax.jit(lambda a, k: explain(config, head, a, k))
    for class_index in (0, 1):
        plain = explain(config, head, activations, class_index)
        np.testing.assert_allclose(compiled(activations, class_index), plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", METHODS)
def test_the_classes_have_their_own_maps(config):
    # Class 1 reads the left column of channel 0, class 0 the right column of channel 1.
    activations = np.zeros((1, 2, 3, 2), np.float32)
    activations[0, :, 0, 0] = 1
    activations[0, :, 2, 1] = 1

    def head(a):
        pooled = jnp.mean(a, axis=(1, 2))
        return jnp.stack([pooled[:, 1], pooled[:, 0]], axis=1)

    clean, corroded = (explain(config, head, jnp.asarray(activations), k)[0] for k in (0, 1))
    assert np.all(corroded[:, 0] > 0)
    assert np.all(corroded[:, 1:] == 0)
    assert np.all(clean[:, 2] > 0)
    assert np.all(clean[:, :2] == 0)


@pytest.mark.parametrize("config", METHODS)
@pytest.mark.parametrize("jit", [False, True])
def test_zero_gradients_and_zero_activations_give_zero_maps(config, jit):
    wrap = jax.jit if jit else lambda f: f
    zero_head = linear_head(np.zeros((3, 2, 2)))
    some_head = linear_head(np.ones((3, 2, 2)))
    some = random_activations(6, (1, 3, 2, 2))
    for head, activations in ((zero_head, some), (some_head, jnp.zeros_like(some))):
        heatmap, maximum = wrap(lambda a, h=head: normalise(explain(config, h, a)))(activations)
        np.testing.assert_array_equal(heatmap, np.zeros((1, 3, 2)))
        np.testing.assert_array_equal(maximum, [0])


@pytest.mark.parametrize("config", METHODS)
def test_negative_gradients_give_a_zero_map(config):
    cam = explain(config, linear_head(-np.ones((2, 2, 3))), random_activations(7, (1, 2, 2, 3)))
    np.testing.assert_array_equal(cam, np.zeros((1, 2, 2)))


@pytest.mark.parametrize("variant", ["eq19", "author"])
def test_a_denominator_of_zero_gives_no_nan(variant):
    # Activations below zero are outside the definition: 2 + (-2) * 1 = 0.
    activations = jnp.asarray([-1.0, -1.0], jnp.float32).reshape(1, 1, 2, 1)
    cam = grad_cam_pp(linear_head(np.ones((1, 2, 1))), activations, 1, variant=variant)
    np.testing.assert_array_equal(cam, np.zeros((1, 1, 2)))


@pytest.mark.parametrize("config", METHODS)
def test_maps_can_be_differentiated_without_nan(config):
    activations = jnp.asarray(HAND)[None]  # holds zero gradients and a silent channel
    slope = jax.grad(lambda a: jnp.sum(explain(config, linear_head(HAND), a)))(activations)
    assert bool(jnp.all(jnp.isfinite(slope)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(-30, 30))
def test_maps_are_finite_and_not_negative(seed, exponent):
    activations = random_activations(seed, (1, 2, 3, 2)) * jnp.float32(10.0**exponent)
    head = mlp_head(seed, positions=6, channels=2)
    for config in (look.values[0] for look in METHODS):
        cam = np.asarray(explain(config, head, activations))
        heatmap, _ = normalise(jnp.asarray(cam))
        assert np.all(np.isfinite(cam))
        assert cam.min() >= 0
        assert np.all((heatmap >= 0) & (heatmap <= 1))


@pytest.mark.parametrize("config", METHODS)
def test_half_precision_activations_give_float32_maps(config):
    activations = random_activations(8, (1, 2, 3, 2), jnp.bfloat16)
    head = mlp_head(8, positions=6, channels=2)
    cam = explain(config, head, activations)
    assert cam.dtype == jnp.float32
    exact = explain(config, head, activations.astype(jnp.float32))
    np.testing.assert_allclose(cam, exact, rtol=0.1, atol=0.1)


def test_gradients_are_those_of_each_sample():
    activations = random_activations(9, (2, 2, 2, 3))
    head = mlp_head(9, positions=4, channels=3)
    batch = _head_gradients(head, activations, 1)
    alone = jax.grad(lambda a: head(a[None])[0, 1])(activations[1])
    np.testing.assert_allclose(batch[1], alone, rtol=1e-5)


# --- what a caller can get wrong ------------------------------------------------


def test_wrong_activations_head_and_variant_are_refused():
    activations = random_activations(10, (1, 2, 2, 3))
    head = mlp_head(10, positions=4, channels=3)
    with pytest.raises(ConfigError, match=r"^activations has the shape"):
        grad_cam(head, activations[0], 1)
    with pytest.raises(ConfigError, match=r"^head returned logits"):
        grad_cam(lambda a: a, activations, 1)
    with pytest.raises(ConfigError, match=r"^variant is "):
        grad_cam_pp(head, activations, 1, variant="paper")


# --- score map -------------------------------------------------------------------


def dense(kernel, bias):
    """The logits of each position, as a network's head scores them."""
    kernel, bias = jnp.asarray(kernel, jnp.float32), jnp.asarray(bias, jnp.float32)
    return lambda activations: activations @ kernel + bias[None, None, None]


def pooled(kernel, bias):
    """The same behind a global average: a whole head."""
    scores = dense(kernel, bias)
    return lambda activations: scores(activations).mean(axis=(1, 2))


def test_score_map_by_hand():
    # One channel; evidence for class 1 over class 0 is 2 * a - 1: -1, 1, 3 and 0.
    activations = jnp.asarray([[[[0.0], [1.0]], [[2.0], [0.5]]]])
    found = score_map(dense([[-1.0, 1.0]], [0.5, -0.5]), activations, 1)
    expected = [[[1 / (1 + np.e), np.e / (1 + np.e)], [1 / (1 + np.exp(-3)), 0.5]]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_score_maps_of_the_two_classes_add_to_one():
    scores = dense(np.random.default_rng(0).normal(size=(5, 2)), [0.3, -0.2])
    activations = random_activations(1, (3, 4, 6, 5))
    both = score_map(scores, activations, 0) + score_map(scores, activations, 1)
    np.testing.assert_allclose(both, np.ones((3, 4, 6)), rtol=1e-6)


def test_score_map_keeps_the_bias_that_gradients_lose():
    activations = random_activations(2, (1, 4, 4, 3))
    kernel = np.random.default_rng(2).normal(size=(3, 2))
    low, high = ([0.0, -4.0], [0.0, 4.0])
    coldest = score_map(dense(kernel, high), activations, 1).min()
    assert float(score_map(dense(kernel, low), activations, 1).max()) < float(coldest)
    of_low, of_high = (grad_cam(pooled(kernel, b), activations, 1) for b in (low, high))
    np.testing.assert_array_equal(of_low, of_high)


def test_score_map_refuses_what_grad_cam_refuses():
    scores = dense([[-1.0, 1.0]], [0.0, 0.0])
    with pytest.raises(ConfigError, match="activations has the shape"):
        score_map(scores, jnp.ones((2, 2, 1)), 1)
    with pytest.raises(ConfigError, match="class_index is 2"):
        score_map(scores, jnp.ones((1, 2, 2, 1)), 2)
    with pytest.raises(ConfigError, match=r"must be \(B, h, w, classes\)"):
        score_map(pooled([[-1.0, 1.0]], [0.0, 0.0]), jnp.ones((1, 2, 2, 1)), 1)
