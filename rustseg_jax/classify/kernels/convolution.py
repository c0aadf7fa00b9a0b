"""3x3 convolutions with bias, ReLU and 2x2 max pooling, in the fastest available form.

Layout: images are (B, H, W, C) float32, kernels (3, 3, I, O) float32 (height, width, in, out);
zero padding of one position on each side, so that the size does not change ("SAME").

Forms:

``winograd``
    Compiled F(4x4, 3x3), with a quarter of the multiplications [1]_. For CPU, float32, and channel
    counts that are multiples of 8 (of 4 on processors with narrow vectors). Agrees with ``lax`` to
    about 2e-6 of the largest value.
``direct``
    Compiled, for few input channels (the first layer). For CPU, float32, and output channel counts
    that are multiples of 8.
``lax``
    ``jax.lax.conv_general_dilated``. For any device, any type, any derivative.
``auto``
    ``direct`` or ``winograd`` if applicable, otherwise ``lax``. Programs compiled for a GPU
    use ``lax``.

Each form is differentiable once in reverse mode; forward mode and second derivatives need ``lax``.

References
----------
.. [1] A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import lax

from rustseg_jax.classify.kernels.build import available, status
from rustseg_jax.errors import ConfigError

Array = jax.Array
Form = Literal["auto", "winograd", "direct", "lax"]

# The compiled code uses vectors of 16, 8 or (on processors without AVX) 4 channels.
CHANNEL_UNIT = 8
# Up to this many input channels, Winograd's transforms would cost more than they save.
FEW_CHANNELS = 7


def conv3x3(
    x: Array, kernel: Array, bias: Array | None = None, *, relu: bool = False, form: Form = "auto"
) -> Array:
    """Convolve with a 3x3 kernel, add a bias and, optionally, apply ReLU.

    Parameters
    ----------
    x : (B, H, W, I) float32
    kernel : (3, 3, I, O) float32
    bias : (O,) float32, optional
    relu : bool
        Replace negative results by 0.
    form : {"auto", "winograd", "direct", "lax"}
        Form of the computation; see the module.

    Returns
    -------
    (B, H, W, O) float32

    Raises
    ------
    ConfigError
        The shapes do not match, the form is unknown, or it does not support these shapes here.
    """
    bias = _checked(x, kernel, bias)
    return _conv(x, kernel, bias, relu, _choose(x, kernel, form))


def conv3x3_pool(
    x: Array, kernel: Array, bias: Array | None = None, *, relu: bool = False, form: Form = "auto"
) -> tuple[Array, Array]:
    """Apply :func:`conv3x3` and 2x2 max pooling in one pass over memory.

    Parameters
    ----------
    x, kernel, bias, relu, form
        As for :func:`conv3x3`.

    Returns
    -------
    full : (B, H, W, O) float32
        The result of :func:`conv3x3`.
    pooled : (B, H // 2, W // 2, O) float32
        ``max_pool(full)``.
    """
    bias = _checked(x, kernel, bias)
    chosen = _choose(x, kernel, form)
    if chosen == "winograd":
        return _conv_pool(x, kernel, bias, relu)
    full = _conv(x, kernel, bias, relu, chosen)
    return full, max_pool(full)


def max_pool(x: Array) -> Array:
    """Return the maximum of each 2x2 block; an odd last row or column is dropped.

    Computed as the maximum of four strided slices, because the gradient of ``lax.reduce_window`` is
    far slower on CPUs.

    Parameters
    ----------
    x : (B, H, W, C)

    Returns
    -------
    (B, H // 2, W // 2, C)
    """
    h, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    top = jnp.maximum(x[:, 0:h:2, 0:w:2], x[:, 0:h:2, 1:w:2])
    return jnp.maximum(top, jnp.maximum(x[:, 1:h:2, 0:w:2], x[:, 1:h:2, 1:w:2]))


def _checked(x: Array, kernel: Array, bias: Array | None) -> Array:
    """Check the shapes and return the bias, zeros if there is none."""
    if x.ndim != 4:
        raise ConfigError(f"x has the shape {x.shape}; must be (B, H, W, C)")
    if kernel.ndim != 4 or kernel.shape[:3] != (3, 3, x.shape[3]):
        raise ConfigError(
            f"kernel has the shape {kernel.shape}; must be (3, 3, {x.shape[3]}, O) for x of shape "
            f"{x.shape}"
        )
    if bias is None:
        return jnp.zeros((kernel.shape[3],), x.dtype)
    if bias.shape != kernel.shape[3:]:
        raise ConfigError(f"bias has the shape {bias.shape}; must be ({kernel.shape[3]},)")
    return bias


def _choose(x: Array, kernel: Array, form: str) -> str:
    """Resolve ``auto``, or check that the requested form is applicable."""
    if form not in get_args(Form):
        raise ConfigError(f"form is {form!r}; must be one of {', '.join(get_args(Form))}")
    if form == "lax":
        return form
    possible = _possible(x, kernel)
    if form == "auto":
        return possible
    if possible == "lax" or (form == "winograd" and not _fits_winograd(kernel)):
        raise ConfigError(
            f"form {form!r} cannot convolve {x.shape} {x.dtype} with {kernel.shape} here "
            f"(compiled convolutions are {status()}); use form='auto'"
        )
    return form


def _fits_winograd(kernel: Array) -> bool:
    return kernel.shape[2] % CHANNEL_UNIT == 0 and kernel.shape[3] % CHANNEL_UNIT == 0


def _possible(x: Array, kernel: Array) -> str:
    """Return the fastest applicable form."""
    single = x.dtype == jnp.float32 and kernel.dtype == jnp.float32
    if not single or x.size == 0 or kernel.size == 0 or not available():
        return "lax"
    if _fits_winograd(kernel):
        return "winograd"
    if kernel.shape[2] <= FEW_CHANNELS and kernel.shape[3] % CHANNEL_UNIT == 0:
        return "direct"
    return "lax"


# ---------------------------------------------------------------- jax.lax


def _lax(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _lax_forward(x: Array, kernel: Array, bias: Array, *, relu: bool) -> Array:
    y = _lax(x, kernel) + bias[None, None, None, :]
    return jnp.maximum(y, jnp.zeros((), y.dtype)) if relu else y


def _lax_kernel_gradient(x: Array, g: Array) -> Array:
    zeros = jnp.zeros((3, 3, x.shape[3], g.shape[3]), x.dtype)
    return jax.vjp(lambda kernel: _lax(x, kernel), zeros)[1](g)[0]


def _lax_input_gradient(g: Array, kernel: Array) -> Array:
    return _lax(g, kernel[::-1, ::-1].transpose(0, 1, 3, 2))


# ---------------------------------------------------------------- compiled


def _call(name: str, results: Any, *operands: Array, **attributes: Any) -> Any:
    call = jax.ffi.ffi_call(f"rustseg_{name}", results, vmap_method="sequential")
    return call(*operands, **attributes)


def _like(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def _transformed(kernel: Array) -> Array:
    """Return Winograd's transform of a kernel, in the memory order of the compiled code."""
    return _call("transform_kernel", _like(6, 6, *kernel.shape[2:]), kernel)


def _native_forward(x: Array, kernel: Array, bias: Array, *, relu: bool, form: str) -> Array:
    like = _like(*x.shape[:3], kernel.shape[3])
    if form == "direct":
        return _call("direct", like, x, kernel, bias, relu=relu)
    return _call("forward", like, x, _transformed(kernel), bias, relu=relu)


def _native_forward_pool(x: Array, kernel: Array, bias: Array, *, relu: bool) -> tuple[Array, ...]:
    b, h, w, _ = x.shape
    o = kernel.shape[3]
    likes = (_like(b, h, w, o), _like(b, h // 2, w // 2, o))
    return tuple(_call("forward_both", likes, x, _transformed(kernel), bias, relu=relu))


def _native_kernel_gradient(x: Array, g: Array) -> Array:
    like = _like(3, 3, x.shape[3], g.shape[3])
    if x.shape[3] % CHANNEL_UNIT == 0:
        return _call("kernel_gradient", like, x, g)
    return _call("direct_kernel_gradient", like, x, g)


def _native_input_gradient(g: Array, kernel: Array) -> Array:
    flipped = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    zeros = jnp.zeros((kernel.shape[2],), jnp.float32)
    return _native_forward(g, flipped, zeros, relu=False, form="winograd")


# ---------------------------------------------------------------- differentiation


def _forward(x: Array, kernel: Array, bias: Array, relu: bool, form: str) -> Array:
    default = partial(_lax_forward, relu=relu)
    if form == "lax":
        return default(x, kernel, bias)
    compiled = partial(_native_forward, relu=relu, form=form)
    return lax.platform_dependent(x, kernel, bias, cpu=compiled, default=default)


def _gradients(x: Array, kernel: Array, g: Array, form: str) -> tuple[Array, Array, Array]:
    """Return the gradients of x, kernel and bias, given that of the convolution before its ReLU."""
    if form == "lax":
        dk = _lax_kernel_gradient(x, g)
    else:
        dk = lax.platform_dependent(x, g, cpu=_native_kernel_gradient, default=_lax_kernel_gradient)
    if form == "lax" or not _fits_winograd(kernel):
        dx = _lax_input_gradient(g, kernel)
    else:
        dx = lax.platform_dependent(
            g, kernel, cpu=_native_input_gradient, default=_lax_input_gradient
        )
    return dx, dk, jnp.sum(g, axis=(0, 1, 2))


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _conv_native(x: Array, kernel: Array, bias: Array, relu: bool, form: str) -> Array:
    return _forward(x, kernel, bias, relu, form)


def _conv_forward(x: Array, kernel: Array, bias: Array, relu: bool, form: str) -> Any:
    y = _forward(x, kernel, bias, relu, form)
    return y, (x, kernel, y if relu else None)


def _conv_backward(relu: bool, form: str, saved: Any, g: Array) -> tuple[Array, Array, Array]:
    x, kernel, y = saved
    if relu:
        g = jnp.where(y > 0, g, jnp.zeros((), g.dtype))
    return _gradients(x, kernel, g, form)


_conv_native.defvjp(_conv_forward, _conv_backward)


def _conv(x: Array, kernel: Array, bias: Array, relu: bool, form: str) -> Array:
    if form == "lax":
        return _lax_forward(x, kernel, bias, relu=relu)
    return _conv_native(x, kernel, bias, relu, form)


def _pool_forward(x: Array, kernel: Array, bias: Array, relu: bool) -> tuple[Array, ...]:
    def default(x: Array, kernel: Array, bias: Array) -> tuple[Array, ...]:
        full = _lax_forward(x, kernel, bias, relu=relu)
        return full, max_pool(full)

    compiled = partial(_native_forward_pool, relu=relu)
    return lax.platform_dependent(x, kernel, bias, cpu=compiled, default=default)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _conv_pool(x: Array, kernel: Array, bias: Array, relu: bool) -> Any:
    return _pool_forward(x, kernel, bias, relu)


def _conv_pool_forward(x: Array, kernel: Array, bias: Array, relu: bool) -> Any:
    full, pooled = _pool_forward(x, kernel, bias, relu)
    return (full, pooled), (x, kernel, full)


def _conv_pool_backward(relu: bool, saved: Any, gradients: Any) -> tuple[Array, Array, Array]:
    x, kernel, full = saved
    g = gradients[0] + jax.vjp(max_pool, full)[1](gradients[1])[0]
    if relu:
        g = jnp.where(full > 0, g, jnp.zeros((), g.dtype))
    return _gradients(x, kernel, g, "winograd")


_conv_pool.defvjp(_conv_pool_forward, _conv_pool_backward)
