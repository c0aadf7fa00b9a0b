"""The maps of one view: score map, Grad-CAM and Grad-CAM++.

Layout is NHWC. A head is any callable from activations ``(B, h, w, C)`` to
logits ``(B, K)`` that treats the samples of a batch one by one, as every
network does in inference. Gradients are taken of the head alone, so a heat map
costs one pass forward and back through the last layers. Nothing here adds an
epsilon: where a formula divides by zero, the result is defined as zero.
For one sample ``A`` are the activations ``(h, w, C)``, ``S`` the logit of the
class and ``g = dS/dA``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from rustseg_jax.config import VARIANTS, check_choice
from rustseg_jax.errors import ConfigError

__all__ = ["Head", "grad_cam", "grad_cam_pp", "normalise", "score_map"]

Head = Callable[[Array], Array]


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
    check_choice("variant", variant, VARIANTS)
    gradients = _head_gradients(head, activations, class_index)
    return _weighted_map(gradients, activations, variant)


def score_map(scores: Head, activations: Array, class_index: ArrayLike) -> Array:
    """Score map: the probability of a class at each position, by itself.

    ``map_ij = softmax(scores(A)_ij)_class``. Unlike the gradient methods it keeps the
    bias, so it says how much rust is there and not only where most of it is: a clean
    picture's map is low all over.

    Parameters
    ----------
    scores
        Activations ``(B, h, w, C)`` to the logits of each position ``(B, h, w, K)``.
    activations, class_index
        As for `grad_cam`.

    Returns
    -------
    Array
        ``(B, h, w)`` float32 (float64 for float64 activations), in [0, 1]; raises as
        `grad_cam` does.

    References
    ----------
    Zhou et al., "Learning deep features for discriminative localization", CVPR 2016
    (the class score of a position); Pinheiro and Collobert, CVPR 2015 (its softmax).
    """
    _check_four(activations)
    logits = scores(activations)
    if logits.shape[:3] != activations.shape[:3] or logits.ndim != 4:
        raise ConfigError(
            f"scores gave logits of shape {logits.shape} for activations of shape "
            f"{activations.shape}: it must return (B, h, w, classes)"
        )
    _check_class(class_index, logits.shape[-1])
    probabilities = jax.nn.softmax(_at_least_float32(logits), axis=-1)
    return jnp.take(probabilities, jnp.asarray(class_index), axis=-1)


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


def _head_gradients(head: Head, activations: Array, class_index: ArrayLike) -> Array:
    """dS/dA of every sample, ``(B, h, w, C)``, in one pass: samples do not mix in a head."""
    _check_four(activations)
    logits, pull_back = jax.vjp(head, activations)
    if logits.ndim != 2 or logits.shape[0] != activations.shape[0]:
        raise ConfigError(
            f"head gave logits of shape {logits.shape} for activations of shape "
            f"{activations.shape}: it must return (B, classes)"
        )
    _check_class(class_index, logits.shape[-1])
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


def _check_four(activations: Array) -> None:
    if activations.ndim != 4:
        shape = activations.shape
        raise ConfigError(f"activations has shape {shape}: give (B, h, w, C), or activations[None]")


def _check_class(class_index: ArrayLike, classes: int) -> None:
    if isinstance(class_index, int) and not 0 <= class_index < classes:
        raise ConfigError(f"class_index={class_index} is not allowed: give 0 to {classes - 1}")
