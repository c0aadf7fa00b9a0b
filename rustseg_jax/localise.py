"""Where in the picture does the network see a class: Grad-CAM and Grad-CAM++.

Layout is NHWC. A head is any callable from activations ``(B, h, w, C)`` to
logits ``(B, K)`` that treats the samples of a batch one by one, as every
network does in inference. Gradients are taken of the head alone, so a heat map
costs one pass forward and back through the last layers. Nothing here adds an
epsilon: where a formula divides by zero, the result is defined as zero.
For one sample ``A`` are the activations ``(h, w, C)``, ``S`` the logit of the
class and ``g = dS/dA``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import NDArray

from rustseg_jax.classify import STRIDE
from rustseg_jax.errors import ConfigError

__all__ = ["LocaliseConfig", "grad_cam", "grad_cam_pp", "localise", "normalise"]

METHODS = ("grad_cam", "grad_cam_pp")
VARIANTS = ("eq19", "author")
MAX_SCALE = 4.0  # the literature uses 0.5 to 2; at 4 a view of 448 has 3 million pixels

Head = Callable[[Array], Array]
Pixels = Array | NDArray[np.float32]


class _Model(Protocol):
    def __call__(self, x: Any, /) -> Any: ...

    @property
    def head(self) -> Head: ...


@dataclass(frozen=True)
class LocaliseConfig:
    """How the heat map is made.

    Parameters
    ----------
    method
        ``"grad_cam_pp"`` or ``"grad_cam"``.
    variant
        ``"eq19"`` or ``"author"``, see `grad_cam_pp`; not used by Grad-CAM.
    scales
        Sizes of the views relative to the input, above 0 and at most 4; sides are
        rounded to multiples of 16 pixels. ``(0.5, 1.0, 1.5, 2.0)`` is common.
    mirror
        Also look at each view mirrored left to right.

    Raises
    ------
    ConfigError
        When a value is not allowed.
    """

    method: str = "grad_cam_pp"
    variant: str = "eq19"
    scales: tuple[float, ...] = (1.0,)
    mirror: bool = False

    def __post_init__(self) -> None:
        """Check the values; a list of scales (from JSON) becomes a tuple."""
        _check_choice("method", self.method, METHODS)
        _check_choice("variant", self.variant, VARIANTS)
        try:
            scales = tuple(float(scale) for scale in self.scales)
        except (TypeError, ValueError):
            scales = ()
        if not scales or not all(0 < scale <= MAX_SCALE for scale in scales):
            allowed = f"one or more numbers above 0 and at most {MAX_SCALE:g}, say (0.5, 1.0, 2.0)"
            raise ConfigError(f"scales={self.scales!r} is not allowed: give {allowed}")
        object.__setattr__(self, "scales", scales)


def grad_cam(head: Head, activations: Array, class_index: ArrayLike) -> Array:
    """Grad-CAM: channels weighted by their mean gradient.

    ``w_c = mean_ij g_ijc`` and ``map = relu(sum_c w_c A_c)``. With global average
    pooling and one dense layer as head this is CAM divided by the number of
    positions.

    Parameters
    ----------
    head
        Activations ``(B, h, w, C)`` to logits ``(B, K)``, sample by sample.
    activations
        ``(B, h, w, C)``, float.
    class_index
        Class that is explained, ``0 <= class_index < K``; here 0 is clean, 1 corrosion.

    Returns
    -------
    Array
        ``(B, h, w)`` float32 (float64 for float64 activations), unnormalised, >= 0.

    Raises
    ------
    ConfigError
        When activations are not four-dimensional or the class does not exist.

    References
    ----------
    Selvaraju et al., "Grad-CAM", ICCV 2017, equations 1 and 2.
    """
    gradients = _head_gradients(head, activations, class_index)
    return _weighted_map(gradients, activations, "mean")


def grad_cam_pp(
    head: Head, activations: Array, class_index: ArrayLike, *, variant: str = "eq19"
) -> Array:
    """Grad-CAM++: channels weighted by their positive gradients, position by position.

    ``w_c = sum_ij alpha_ijc relu(g_ijc)`` and ``map = relu(sum_c w_c A_c)``, where

    - ``"eq19"``, the paper's equation 19:
      ``alpha = g^2 / (2 g^2 + (sum_ab A_ab) g^3)``. It depends on the scale of the
      logits.
    - ``"author"``, their code: these alphas, where ``g > 0``, divided by their sum
      over positions. With pooling and one dense layer this is CAM with the positive
      class weights.

    Both are zero where ``g <= 0`` (there ``relu(g)`` is zero). Computed as
    ``1 / (2 + (sum_ab A_ab) g)``, which neither cancels nor needs an epsilon. The
    powers of ``g`` stand for the derivatives of ``exp(S)`` when the head is
    piecewise linear, that is without GELU or the like.

    Parameters
    ----------
    head, class_index
        As for `grad_cam`.
    activations
        ``(B, h, w, C)``, float, >= 0 as after a ReLU.
    variant
        ``"eq19"`` or ``"author"``.

    Returns
    -------
    Array
        ``(B, h, w)`` as of `grad_cam`; raises as it does, and for an unknown variant.

    References
    ----------
    Chattopadhay et al., "Grad-CAM++", WACV 2018, and the code published with it.
    """
    _check_choice("variant", variant, VARIANTS)
    gradients = _head_gradients(head, activations, class_index)
    return _weighted_map(gradients, activations, variant)


@jax.jit
def normalise(cam: Array) -> tuple[Array, Array]:
    """Divide each map by its own maximum; zeros stay zeros.

    Subtracting the minimum as well would turn a flat map's noise into evidence.

    Takes ``(..., h, w)`` float >= 0. Returns the heat map ``(..., h, w)`` in [0, 1],
    all zero where the maximum is zero, and the maximum ``(...)`` in the map's unit.
    """
    maximum = jnp.max(cam, axis=(-2, -1))
    heatmap = _safe_divide(cam, jnp.broadcast_to(maximum[..., None, None], cam.shape))
    # XLA may multiply by a rounded reciprocal, which can end one step above 1.
    return jnp.clip(heatmap, 0, 1), maximum


def localise(
    model: _Model,
    x: Pixels,
    output: Any | None = None,
    *,
    class_index: ArrayLike = 1,
    config: LocaliseConfig | None = None,
) -> tuple[Array, Array]:
    """Heat map of a class for a batch of pictures.

    Every view (scales, mirror) gives an unnormalised map; these are mirrored back,
    resized to the map of the input and averaged, then the result is normalised.
    Grad-CAM and ``author`` average gradients over positions, so their maps shrink as
    views grow: each is multiplied by its number of positions over the input's.

    Parameters
    ----------
    model
        ``model(x).activations`` is ``(B, H/16, W/16, C)``, ``model.head`` scores these.
    x
        ``(B, H, W, 3)`` float32 in [0, 1], sRGB; H and W are multiples of 16.
    output
        ``model(x)`` if it is at hand: the view at scale 1 is then not computed again.
    class_index, config
        Class that is explained (0 clean, 1 corrosion); method and views.

    Returns
    -------
    heatmap : Array
        ``(B, H/16, W/16)`` float32 in [0, 1].
    maximum : Array
        ``(B,)`` float32, maximum before normalising, in the unit of the map.

    Raises
    ------
    ConfigError
        When ``x`` or ``output`` has the wrong shape or the class does not exist.
    """
    config = LocaliseConfig() if config is None else config
    base = _base_shape(x, output)
    maps = []
    for pixels, known, mirrored in _views(x, output, config):
        activations = (model(pixels) if known is None else known).activations
        explain = _explainer(model.head, class_index)
        cam = explain(model.head, activations, class_index, config)
        maps.append(_to_base(cam, mirrored, base, config))
    return normalise(jnp.mean(jnp.stack(maps), axis=0))


def _views(x: Pixels, output: Any, config: LocaliseConfig) -> Iterator[tuple[Pixels, Any, bool]]:
    """Pixels, their output if known, mirrored or not."""
    for scale in config.scales:
        pixels = _rescale(x, scale)
        yield pixels, output if pixels is x else None, False
        if config.mirror:
            yield pixels[:, :, ::-1], None, True


def _rescale(x: Pixels, scale: float) -> Pixels:
    """Resize to the nearest multiples of the stride; ``x`` itself when that is its size."""
    shape = (x.shape[0], *(_round_side(side * scale) for side in x.shape[1:3]), x.shape[3])
    if shape == x.shape:
        return x
    return jax.image.resize(x, shape, "bilinear", antialias=True)


def _round_side(side: float) -> int:
    return max(STRIDE, STRIDE * math.floor(side / STRIDE + 0.5))  # round() goes to even at halves


def _to_base(cam: Array, mirrored: bool, base: tuple[int, int], config: LocaliseConfig) -> Array:
    """The map of a view as a map of the input: mirrored back, resized, comparable."""
    cam = cam[:, :, ::-1] if mirrored else cam
    if cam.shape[1:] == base:
        return cam
    resized = jax.image.resize(cam, (cam.shape[0], *base), "bilinear", antialias=True)
    averages_gradients = config.method == "grad_cam" or config.variant == "author"
    gain = math.prod(cam.shape[1:]) / math.prod(base) if averages_gradients else 1.0  # `localise`
    return resized * gain


def _explainer(head: Head, class_index: ArrayLike) -> Callable[..., Array]:
    """Compiled where the head is a pytree, as the Classifier's is: eager steps cost 20 ms."""
    fixed = isinstance(head, jax.tree_util.Partial) and isinstance(class_index, int)
    return _compiled_explain if fixed else _explain


def _explain(head: Head, activations: Array, index: ArrayLike, config: LocaliseConfig) -> Array:
    if config.method == "grad_cam":
        return grad_cam(head, activations, index)
    return grad_cam_pp(head, activations, index, variant=config.variant)


_compiled_explain = jax.jit(_explain, static_argnames=("index", "config"))


def _head_gradients(head: Head, activations: Array, class_index: ArrayLike) -> Array:
    """dS/dA of every sample, ``(B, h, w, C)``, in one pass: samples do not mix in a head."""
    if activations.ndim != 4:
        shape = activations.shape
        raise ConfigError(f"activations has shape {shape}: give (B, h, w, C), or activations[None]")
    logits, pull_back = jax.vjp(head, activations)
    _check_class(class_index, logits, activations)
    one_hot = jax.nn.one_hot(class_index, logits.shape[-1], dtype=logits.dtype)
    (gradients,) = pull_back(jnp.broadcast_to(one_hot, logits.shape))
    return _at_least_float32(gradients)


def _pp_weights(gradients: Array, activations: Array, variant: str) -> Array:
    """Channel weights ``(B, C)``; the sums run over the positions of each map."""
    positive = gradients > 0
    total = jnp.sum(activations, axis=(1, 2), keepdims=True)
    denominator = jnp.where(positive, 2 + total * gradients, 0)
    alpha = _safe_divide(jnp.ones_like(denominator), denominator)
    if variant == "author":
        whole = jnp.sum(alpha, axis=(1, 2), keepdims=True)
        alpha = _safe_divide(alpha, jnp.broadcast_to(whole, alpha.shape))
    return jnp.sum(alpha * jax.nn.relu(gradients), axis=(1, 2))


@partial(jax.jit, static_argnames="weighting")
def _weighted_map(gradients: Array, activations: Array, weighting: str) -> Array:
    """``relu(sum_c w_c A_c)``; compiled, as the many small steps cost more than their work."""
    wide = _at_least_float32(activations)
    if weighting == "mean":
        weights = jnp.mean(gradients, axis=(1, 2))
    else:
        weights = _pp_weights(gradients, wide, weighting)
    return jax.nn.relu(jnp.einsum("bc,bhwc->bhw", weights, wide, precision="highest"))


def _safe_divide(numerator: Array, denominator: Array) -> Array:
    """Quotient, 0 where the denominator is 0; the inner `where` keeps gradients free of NaN."""
    usable = denominator != 0
    quotient = numerator / jnp.where(usable, denominator, 1)
    return jnp.where(usable, quotient, 0)


def _at_least_float32(array: Array) -> Array:
    return array.astype(jnp.float32) if array.dtype.itemsize < 4 else array


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name}={value!r} is not allowed: give one of {', '.join(allowed)}")


def _check_class(class_index: ArrayLike, logits: Array, activations: Array) -> None:
    if logits.ndim != 2 or logits.shape[0] != activations.shape[0]:
        raise ConfigError(
            f"head gave logits of shape {logits.shape} for activations of shape "
            f"{activations.shape}: it must return (B, classes)"
        )
    classes = logits.shape[1]
    if isinstance(class_index, int) and not 0 <= class_index < classes:
        raise ConfigError(f"class_index={class_index} is not allowed: give 0 to {classes - 1}")


def _base_shape(x: Pixels, output: Any) -> tuple[int, int]:
    if x.ndim != 4 or not all(side and side % STRIDE == 0 for side in x.shape[1:3]):
        raise ConfigError(
            f"x has shape {x.shape}: give a batch (B, H, W, 3) whose H and W are "
            f"multiples of {STRIDE}; resize the picture first"
        )
    base = (x.shape[1] // STRIDE, x.shape[2] // STRIDE)
    if output is not None and output.activations.shape[:3] != (x.shape[0], *base):
        raise ConfigError(
            f"output.activations has shape {output.activations.shape}, which does not belong "
            f"to x of shape {x.shape}: give model(x) of the same x, or leave output out"
        )
    return base
