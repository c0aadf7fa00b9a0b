"""Batch norm, ReLU and 2x2 max pooling in one operation, for training.

On CPUs these take as long as the convolutions if each is a separate pass over memory; most of the
time goes to their gradients. The compiled form makes two passes forwards and two backwards. On
other devices, and for other types or channel counts that are not a multiple of 8, the same is
computed with ``jax.numpy``.

Layout: (B, H, W, C) float32; parameters and statistics per channel are (C,).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from rustseg_jax.classify.kernels.build import available
from rustseg_jax.classify.kernels.convolution import CHANNEL_UNIT, max_pool
from rustseg_jax.errors import ConfigError

Array = jax.Array


def batch_norm_relu(
    y: Array,
    scale: Array,
    shift: Array,
    *,
    epsilon: float = 1e-5,
    pool: bool = False,
    axis_name: str | None = None,
) -> tuple[Array, Array, Array]:
    """Normalise over the batch, scale, shift, apply ReLU and, optionally, 2x2 max pooling.

    ``relu(scale * (y - mean) / sqrt(variance + epsilon) + shift)``, differentiable once in reverse
    mode, including through mean and variance.

    Parameters
    ----------
    y : (B, H, W, C) float32
    scale, shift : (C,) float32
    epsilon : float
    pool : bool
        Return 2x2 maxima (an odd last row or column is dropped).
    axis_name : str, optional
        The mesh axis over which the batch is split; statistics are those of the whole batch.

    Returns
    -------
    z : (B, H, W, C), or (B, H // 2, W // 2, C) with ``pool``
    mean, variance : (C,) float32
        Of the whole batch (variance with divisor n); no gradient flows through these two.

    Raises
    ------
    ConfigError
        The shapes do not match.

    References
    ----------
    S. Ioffe, C. Szegedy, "Batch normalization", 2015.
    """
    if y.ndim != 4:
        raise ConfigError(f"y has the shape {y.shape}; must be (B, H, W, C)")
    for name, value in (("scale", scale), ("shift", shift)):
        if value.shape != y.shape[3:]:
            raise ConfigError(f"{name} has the shape {value.shape}; must be ({y.shape[3]},)")
    compiled = (
        y.dtype == scale.dtype == shift.dtype == jnp.float32
        and y.shape[3] % CHANNEL_UNIT == 0
        and y.size > 0
        and available()
    )
    z, mean, variance = _norm(y, scale, shift, epsilon, pool, axis_name, compiled)
    return z, lax.stop_gradient(mean), lax.stop_gradient(variance)


# ---------------------------------------------------------------- jax.numpy


def _by_channel(v: Array) -> Array:
    return v[None, None, None]


def _plain_moments(y: Array) -> tuple[Array, Array]:
    mean = jnp.mean(y, axis=(0, 1, 2))
    return mean, jnp.mean(jnp.square(y - _by_channel(mean)), axis=(0, 1, 2))


def _plain_normalise(y: Array, p: Array, *, pooled: bool) -> Array:
    z = _by_channel(p[1]) * (y - _by_channel(p[0])) + _by_channel(p[2])
    z = jnp.maximum(z, jnp.zeros((), z.dtype))
    return max_pool(z) if pooled else z


def _unpooled(y: Array, p: Array, g: Array, *, pooled: bool) -> Array:
    """Return the gradient at the ReLU's input, given that at the output."""
    z = _by_channel(p[1]) * (y - _by_channel(p[0])) + _by_channel(p[2])
    if pooled:
        g = jax.vjp(max_pool, z)[1](g)[0]
    return jnp.where(z > 0, g, jnp.zeros((), g.dtype))


def _plain_sums(y: Array, p: Array, g: Array, *, pooled: bool) -> Array:
    g = _unpooled(y, p, g, pooled=pooled)
    return jnp.stack([g.sum((0, 1, 2)), (g * (y - _by_channel(p[0]))).sum((0, 1, 2))])


def _plain_gradient(y: Array, p: Array, g: Array, *, pooled: bool) -> Array:
    g = _unpooled(y, p, g, pooled=pooled)
    slope = _by_channel(p[4]) * (y - _by_channel(p[0]))
    return _by_channel(p[1]) * g + _by_channel(p[3]) + slope


# ---------------------------------------------------------------- compiled


def _like(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def _call(name: str, results: Any, *operands: Array, **attributes: Any) -> Any:
    call = jax.ffi.ffi_call(f"rustseg_{name}", results, vmap_method="sequential")
    return call(*operands, **attributes)


def _native_moments(y: Array) -> tuple[Array, Array]:
    mean, variance = _call("moments", (_like(y.shape[3]), _like(y.shape[3])), y)
    return mean, variance


def _native_normalise(y: Array, p: Array, *, pooled: bool) -> Array:
    b, h, w, c = y.shape
    like = _like(b, h // 2, w // 2, c) if pooled else _like(b, h, w, c)
    return _call("normalise", like, y, p, pooled=pooled)


def _native_sums(y: Array, p: Array, g: Array, *, pooled: bool) -> Array:
    return _call("normalise_sums", _like(2, y.shape[3]), y, p, g, pooled=pooled)


def _native_gradient(y: Array, p: Array, g: Array, *, pooled: bool) -> Array:
    return _call("normalise_gradient", _like(*y.shape), y, p, g, pooled=pooled)


def _either(compiled: bool, fast: Any, plain: Any, *operands: Array) -> Any:
    if not compiled:
        return plain(*operands)
    return lax.platform_dependent(*operands, cpu=fast, default=plain)


# ---------------------------------------------------------------- differentiation


def _whole(values: Array, axis_name: str | None) -> Array:
    return values if axis_name is None else lax.pmean(values, axis_name)


def _statistics(y: Array, axis_name: str | None, compiled: bool) -> tuple[Array, Array]:
    """Return mean and variance of each channel over the whole batch."""
    own, variance = _either(compiled, _native_moments, _plain_moments, y)
    if axis_name is None:
        return own, variance
    mean = _whole(own, axis_name)
    return mean, _whole(variance + jnp.square(own - mean), axis_name)


def _norm_forward(
    y: Array, scale: Array, shift: Array, *options: Any
) -> tuple[tuple[Array, Array, Array], Any]:
    epsilon, pool, axis_name, compiled = options
    mean, variance = _statistics(y, axis_name, compiled)
    inverse = lax.rsqrt(variance + jnp.asarray(epsilon, variance.dtype))
    none = jnp.zeros_like(mean)
    p = jnp.stack([mean, scale * inverse, shift, none, none])
    fast = partial(_native_normalise, pooled=pool)
    plain = partial(_plain_normalise, pooled=pool)
    return (_either(compiled, fast, plain, y, p), mean, variance), (y, p, inverse)


@partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5, 6))
def _norm(y: Array, scale: Array, shift: Array, *options: Any) -> tuple[Array, Array, Array]:
    return _norm_forward(y, scale, shift, *options)[0]


def _norm_backward(
    _epsilon: float, pool: bool, axis_name: str | None, compiled: bool, saved: Any, gradients: Any
) -> tuple[Array, Array, Array]:
    """Return the gradients (Ioffe and Szegedy 2015, section 3), summed over the whole batch."""
    y, p, inverse = saved
    g = gradients[0]
    fast, plain = partial(_native_sums, pooled=pool), partial(_plain_sums, pooled=pool)
    sums = _either(compiled, fast, plain, y, p, g)
    count = y.shape[0] * y.shape[1] * y.shape[2]
    means = _whole(sums / jnp.asarray(count, sums.dtype), axis_name)
    scale = p[1]
    p = jnp.stack([p[0], scale, p[2], -scale * means[0], -scale * inverse**2 * means[1]])
    fast, plain = partial(_native_gradient, pooled=pool), partial(_plain_gradient, pooled=pool)
    return _either(compiled, fast, plain, y, p, g), sums[1] * inverse, sums[0]


_norm.defvjp(_norm_forward, _norm_backward)
