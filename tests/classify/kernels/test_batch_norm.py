"""Batch norm, ReLU and pooling in one: against jax.numpy and numbers worked out by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rustseg_jax.classify.kernels.batch_norm import batch_norm_relu
from rustseg_jax.classify.kernels.convolution import max_pool
from rustseg_jax.errors import ConfigError

TOLERANCE = 2e-6  # of the largest value; these are sums of a few thousand float32 numbers

# (B, H, W, C): 5 channels take the plain form, the others the compiled one.
SHAPES = [(2, 6, 6, 16), (3, 7, 9, 24), (1, 5, 4, 8), (2, 6, 6, 5), (4, 32, 32, 64)]


def draw(*shape: int) -> Any:
    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32))


def reference(y: Any, scale: Any, shift: Any, *, pool: bool) -> Any:
    mean = y.mean((0, 1, 2), keepdims=True)
    variance = ((y - mean) ** 2).mean((0, 1, 2), keepdims=True)
    z = (y - mean) / jnp.sqrt(variance + 1e-5) * scale[None, None, None] + shift[None, None, None]
    z = jax.nn.relu(z)
    return max_pool(z) if pool else z


def assert_near(actual: Any, expected: Any) -> None:
    assert actual.shape == expected.shape
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * scale)


@pytest.mark.parametrize("channels", [1, 8])
def test_by_hand(channels: int) -> None:
    # Mean 2.5, variance 1.25: (y - mean) / sqrt(variance) = -1.3416, -0.4472, 0.4472, 1.3416.
    y = jnp.array([[1.0, 2.0], [3.0, 4.0]])[None, :, :, None] * jnp.ones((1, 1, 1, channels))
    scale, shift = jnp.full((channels,), 2.0), jnp.full((channels,), 1.0)
    z, mean, variance = batch_norm_relu(y, scale, shift, epsilon=0.0)
    np.testing.assert_allclose(mean, 2.5)
    np.testing.assert_allclose(variance, 1.25)
    expected = [[0.0, 1 - 0.894427], [1 + 0.894427, 1 + 2.683282]]
    np.testing.assert_allclose(z[0, :, :, 0], expected, rtol=1e-5)
    pooled, _, _ = batch_norm_relu(y, scale, shift, epsilon=0.0, pool=True)
    np.testing.assert_allclose(pooled[0, 0, 0], 3.683282, rtol=1e-6)


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_value_and_gradients_match_the_formula(shape: Any, pool: bool) -> None:
    y, scale, shift = draw(*shape) * 3 + 1, draw(shape[3]), draw(1 + shape[3])[1:]
    b, h, w, c = shape
    slope = draw(b, h // 2, w // 2, c) if pool else draw(*shape)

    def ours(*a: Any) -> Any:
        return batch_norm_relu(*a, pool=pool)[0]

    def program(f: Any, *a: Any) -> Any:
        value, back = jax.vjp(f, *a)
        return value, *back(slope)

    found, theirs = (
        jax.jit(partial(program, f))(y, scale, shift) for f in (ours, partial(reference, pool=pool))
    )
    for actual, expected in zip(found, theirs, strict=True):
        assert_near(actual, expected)


def test_variance_survives_a_large_mean() -> None:
    y = 1000 + draw(4, 16, 16, 8)
    _, mean, variance = batch_norm_relu(y, jnp.ones(8), jnp.zeros(8))
    exact = np.asarray(y, np.float64)
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), rtol=1e-4)


def test_the_same_gradient_to_the_bit_each_time() -> None:
    y, scale, shift = draw(8, 32, 32, 16), draw(16), draw(16)
    gradient = jax.jit(jax.grad(lambda *a: jnp.sum(batch_norm_relu(*a)[0] ** 2), (0, 1, 2)))
    first = gradient(y, scale, shift)
    for _ in range(5):
        jax.tree.map(np.testing.assert_array_equal, gradient(y, scale, shift), first)


def test_a_split_batch_has_the_statistics_of_the_whole() -> None:
    devices = np.array(jax.devices())
    mesh = jax.sharding.Mesh(devices, ("batch",))
    y, scale, shift = draw(2 * devices.size, 4, 4, 8), draw(8), draw(8)

    def step(y: Any, scale: Any, shift: Any, axis: Any) -> Any:
        def loss(y: Any, scale: Any, shift: Any) -> Any:
            z, mean, variance = batch_norm_relu(y, scale, shift, axis_name=axis)
            return jnp.mean(z**3), (mean, variance)

        (dy, dscale, dshift), statistics = jax.grad(loss, (0, 1, 2), has_aux=True)(y, scale, shift)
        if axis:
            dscale, dshift = (jax.lax.pmean(d, axis) for d in (dscale, dshift))
        return dy, dscale, dshift, *statistics

    batch, whole = jax.P("batch"), jax.P()
    split = jax.shard_map(
        partial(step, axis="batch"),
        mesh=mesh,
        in_specs=(batch, whole, whole),
        out_specs=(batch, whole, whole, whole, whole),
        check_vma=False,
    )
    dy, *rest = jax.jit(split)(y, scale, shift)
    expected_dy, *expected = step(y, scale, shift, None)
    assert_near(dy / devices.size, expected_dy)
    for actual, value in zip(rest, expected, strict=True):
        assert_near(actual, value)


def test_misuse_is_named() -> None:
    with pytest.raises(ConfigError, match=r"y has the shape .*must be"):
        batch_norm_relu(jnp.ones((4, 8)), jnp.ones(8), jnp.zeros(8))
    with pytest.raises(ConfigError, match=r"shift has .*must be \(8,\)"):
        batch_norm_relu(jnp.ones((1, 4, 4, 8)), jnp.ones(8), jnp.zeros(4))
