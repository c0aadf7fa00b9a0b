"""3x3 convolutions: every form against sums written by hand, and compiled against jax.lax."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rustseg_jax.classify.kernels import build, convolution
from rustseg_jax.classify.kernels.build import available, status
from rustseg_jax.classify.kernels.convolution import conv3x3, conv3x3_pool, max_pool
from rustseg_jax.errors import ConfigError

# Of the largest value. Winograd's form rounds off to about 2e-6 at 256 channels.
TOLERANCE = 1e-5

needs_native = pytest.mark.skipif(
    not available(), reason=f"the compiled convolutions are {status()}"
)

# (B, H, W, I, O)
SHAPES = [
    (1, 16, 16, 16, 16),
    (2, 13, 7, 16, 32),
    (1, 17, 30, 3, 24),
    (2, 6, 6, 3, 16),
    (1, 9, 9, 5, 8),
    (1, 5, 9, 32, 48),
    (3, 28, 28, 64, 64),
    (1, 9, 10, 24, 24),
    (1, 12, 50, 8, 40),
    (2, 1, 1, 8, 8),
    (1, 2, 3, 16, 16),
    (1, 3, 2, 6, 10),
    (1, 7, 7, 128, 256),
]


def draw(*shape: int) -> Any:
    """Return normal numbers, the same ones for the same shape."""
    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32))


def random_like(x: Any) -> Any:
    return draw(*x.shape)


def pad(x: np.ndarray) -> np.ndarray:
    return np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))


def assert_near(actual: Any, expected: Any) -> None:
    assert actual.shape == expected.shape
    assert actual.dtype == np.float32
    scale = float(np.abs(expected).max()) if expected.size else 1.0
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * scale)


def by_hand(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Sum the nine neighbours."""
    b, h, w, _ = x.shape
    padded = pad(x)
    y = np.zeros((b, h, w, kernel.shape[3]))
    for i, j in np.ndindex(3, 3):
        y += padded[:, i : i + h, j : j + w] @ kernel[i, j]
    return y


def kernel_gradient_by_hand(x: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Of sum(slope * by_hand(x, kernel)) by the kernel."""
    _, h, w, _ = x.shape
    padded = pad(x)
    gradient = np.zeros((3, 3, x.shape[3], slope.shape[3]))
    for i, j in np.ndindex(3, 3):
        neighbours = padded[:, i : i + h, j : j + w]
        gradient[i, j] = np.tensordot(neighbours, slope, ((0, 1, 2), (0, 1, 2)))
    return gradient


@pytest.mark.parametrize("form", ["auto", "lax"])
def test_one_pixel_spreads_the_flipped_kernel(form: Any) -> None:
    x = jnp.zeros((1, 5, 5, 8)).at[0, 2, 2, 3].set(1.0)
    kernel = jnp.arange(9 * 64, dtype=jnp.float32).reshape(3, 3, 8, 8) / 100
    y = conv3x3(x, kernel, form=form)
    np.testing.assert_allclose(y[0, 1:4, 1:4], kernel[::-1, ::-1, 3], atol=2e-5)
    assert float(jnp.abs(y[0, 0]).max()) < 2e-5


@pytest.mark.parametrize("form", ["auto", "lax"])
def test_ones_count_neighbours(form: Any) -> None:
    y = conv3x3(
        jnp.ones((1, 3, 4, 1)), jnp.ones((3, 3, 1, 8)), jnp.full((8,), -5.0), relu=True, form=form
    )
    counts = [[4, 6, 6, 4], [6, 9, 9, 6], [4, 6, 6, 4]]
    np.testing.assert_allclose(y[0, :, :, 0], np.maximum(np.array(counts) - 5, 0), atol=1e-5)


@pytest.mark.parametrize(
    ("form", "shape"),
    [*(("auto", shape) for shape in SHAPES), *(("lax", shape) for shape in SHAPES[:4])],
    ids=str,
)
def test_values_and_gradients_match_sums_in_float64(form: Any, shape: Any) -> None:
    """All of a shape is one program, because compiling is most of the time."""
    b, h, w, i, o = shape
    operands, slope = (draw(b, h, w, i), draw(3, 3, i, o), draw(o)), draw(b, h, w, o)

    @jax.jit
    def program(slope: Any, *operands: Any) -> Any:
        found = []
        for relu in (False, True):
            y, back = jax.vjp(partial(conv3x3, relu=relu, form=form), *operands)
            found.append((y, back(slope)))
        return *found, conv3x3_pool(*operands, relu=True, form=form)

    plain, rectified, (full, pooled) = program(slope, *operands)
    x, kernel, bias, upward = (np.asarray(a, np.float64) for a in (*operands, slope))
    exact = by_hand(x, kernel) + bias
    for (y, gradients), relu in ((plain, False), (rectified, True)):
        assert_near(y, np.maximum(exact, 0) if relu else exact)
        passed = np.where(np.asarray(y) > 0, upward, 0) if relu else upward
        turned = kernel[::-1, ::-1].swapaxes(2, 3)
        expected = (
            by_hand(passed, turned),
            kernel_gradient_by_hand(x, passed),
            passed.sum((0, 1, 2)),
        )
        for found, value in zip(gradients, expected, strict=True):
            assert_near(found, value)
    assert_near(full, np.maximum(exact, 0))
    halves = np.asarray(full)[:, : h // 2 * 2, : w // 2 * 2]
    blocks = halves.reshape(b, h // 2, 2, w // 2, 2, o)
    np.testing.assert_array_equal(pooled, blocks.max((2, 4)))
    np.testing.assert_array_equal(pooled, max_pool(full))


def test_gradients_through_both_outputs_of_the_pooled_form() -> None:
    def loss(form: Any, *a: Any) -> Any:
        full, pooled = conv3x3_pool(*a, relu=True, form=form)
        return jnp.sum(full * random_like(full)) + jnp.sum(pooled * random_like(pooled))

    operands = draw(2, 9, 14, 16), draw(3, 3, 16, 24), draw(24)
    ours = jax.grad(partial(loss, "auto"), (0, 1, 2))(*operands)
    theirs = jax.grad(partial(loss, "lax"), (0, 1, 2))(*operands)
    for actual, expected in zip(ours, theirs, strict=True):
        assert_near(actual, expected)


def test_the_same_kernel_gradient_to_the_bit_each_time() -> None:
    x, kernel = draw(4, 40, 40, 16), draw(3, 3, 16, 16)
    gradient = jax.jit(jax.grad(lambda k: jnp.sum(conv3x3(x, k) ** 2)))
    first = gradient(kernel)
    for _ in range(5):
        np.testing.assert_array_equal(gradient(kernel), first)


def test_vmap_matches_a_loop() -> None:
    x, kernel = draw(3, 2, 6, 5, 8), draw(3, 3, 8, 8)
    together = jax.vmap(lambda x: conv3x3(x, kernel))(x)
    for one, batch in zip(together, x, strict=True):
        np.testing.assert_allclose(one, conv3x3(batch, kernel), atol=1e-6)


def test_a_batch_split_over_devices_gives_the_same() -> None:
    devices = jax.devices()
    mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
    x, kernel = draw(2 * len(devices), 8, 8, 8), draw(3, 3, 8, 8)
    split = jax.device_put(x, jax.NamedSharding(mesh, jax.P("batch")))
    whole = jax.device_put(kernel, jax.NamedSharding(mesh, jax.P()))
    gradient = jax.jit(jax.grad(lambda k, x: jnp.sum(conv3x3(x, k) ** 2)))
    assert_near(jax.jit(conv3x3)(split, whole), conv3x3(x, kernel))
    assert_near(gradient(whole, split), gradient(kernel, x))


def test_other_types_take_lax() -> None:
    x = jnp.ones((1, 4, 4, 8), jnp.bfloat16)
    y = conv3x3(x, jnp.ones((3, 3, 8, 8), jnp.bfloat16))
    assert y.dtype == jnp.bfloat16
    assert float(y[0, 1, 1, 0]) == 72


@needs_native
def test_the_choice_of_form() -> None:
    def choice(i: int, o: int) -> str:
        return convolution._possible(jnp.ones((1, 4, 4, i)), jnp.ones((3, 3, i, o)))

    assert choice(3, 16) == "direct"
    assert choice(16, 32) == "winograd"
    assert choice(24, 48) == "winograd"
    assert choice(16, 3) == "lax"
    assert choice(3, 10) == "lax"


@needs_native
def test_direct_form_with_many_channels() -> None:
    x, kernel = draw(1, 7, 30, 16), draw(3, 3, 16, 96)
    assert_near(conv3x3(x, kernel, form="direct"), conv3x3(x, kernel, form="lax"))


@pytest.mark.parametrize(
    ("x", "kernel", "bias", "form", "message"),
    [
        ((4, 4, 8), (3, 3, 8, 8), None, "auto", r"x has the shape .*must be"),
        ((1, 4, 4, 8), (3, 3, 4, 8), None, "auto", r"kernel has .*must be \(3, 3, 8, O\)"),
        ((1, 4, 4, 8), (5, 5, 8, 8), None, "auto", r"kernel has the shape .*must be"),
        ((1, 4, 4, 8), (3, 3, 8, 8), (4,), "auto", r"bias has .*must be \(8,\)"),
        ((1, 4, 4, 8), (3, 3, 8, 8), None, "fft", r"form is .fft.; must be one of"),
        ((1, 4, 4, 3), (3, 3, 3, 8), None, "winograd", "cannot convolve"),
        ((1, 4, 4, 8), (3, 3, 8, 5), None, "direct", "cannot convolve"),
    ],
)
def test_misuse_is_named(x: Any, kernel: Any, bias: Any, form: Any, message: str) -> None:
    b = None if bias is None else jnp.ones(bias)
    with pytest.raises(ConfigError, match=message):
        conv3x3(jnp.ones(x), jnp.ones(kernel), b, form=form)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Start as if no build had been looked for, with an empty cache."""
    monkeypatch.setattr(build, "_status", None)
    monkeypatch.delenv("RUSTSEG_NATIVE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return monkeypatch


def assert_works_plainly(reason: str) -> None:
    y = conv3x3(jnp.ones((1, 4, 4, 8)), jnp.ones((3, 3, 8, 8)))
    assert float(y[0, 1, 1, 0]) == 72
    assert status().startswith("off: ")
    assert reason in status()


def test_works_switched_off(fresh: pytest.MonkeyPatch) -> None:
    fresh.setenv("RUSTSEG_NATIVE", "0")
    assert_works_plainly("RUSTSEG_NATIVE is 0")


def test_works_without_a_compiler(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setenv("PATH", str(tmp_path))
    fresh.delenv("CXX", raising=False)
    assert_works_plainly("no C++ compiler found")


def test_works_where_the_compiler_fails(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setenv("CXX", "false")
    assert_works_plainly("could not compile convolution.cpp")
    assert not list(tmp_path.rglob("*.so"))


def test_works_where_the_cache_cannot_be_written(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fresh.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert_works_plainly("Not a directory")
