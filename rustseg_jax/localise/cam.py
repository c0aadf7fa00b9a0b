"""Heat maps of one view: score map, Grad-CAM and Grad-CAM++.

Layout is NHWC. A head is any callable from activations ``(B, h, w, C)`` to
logits ``(B, K)`` that treats the samples of a batch independently, as every
network does in inference. Gradients are taken of the head alone, so a heat map
costs one forward and backward pass through the last layers. No
epsilon is added: where a formula divides by zero, the result is defined as zero.
For one sample, ``A`` are the activations ``(h, w, C)``, ``S`` is the logit of the
class, and ``g = dS/dA``.
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
        Class to explain, ``0 <= class_index < K``; here 0 is clean, 1 corrosion.

    Returns
    -------
    Array
        ``(B, h, w)`` float32 (float64 for float64 activations), unnormalised, >= 0.

    Raises
    ------
    ConfigError
        The activations are not four-dimensional, or the class does not exist.

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
    ``1 / (2 + (sum_ab A_ab) g)``, which avoids cancellation and needs no epsilon. The
    powers of ``g`` equal the derivatives of ``exp(S)`` if the head is
    piecewise linear, that is without GELU and the like.

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
        ``(B, h, w)`` as for `grad_cam`.

    Raises
    ------
    ConfigError
        As for `grad_cam`, or the variant is unknown.

    References
    ----------
    Chattopadhay et al., "Grad-CAM++", WACV 2018, and the code published with it.
    """
    check_choice("variant", variant, VARIANTS)
    gradients = _head_gradients(head, activations, class_index)
    return _weighted_map(gradients, activations, variant)


def score_map(scores: Head, activations: Array, class_index: ArrayLike) -> Array:
    """Score map: the probability of a class at each position separately.

    ``map_ij = softmax(scores(A)_ij)_class``. Unlike the gradient methods it keeps the
    bias, so it is absolute, not relative: the map of a clean image is low everywhere.

    Parameters
    ----------
    scores
        Activations ``(B, h, w, C)`` to the logits of each position ``(B, h, w, K)``.
    activations, class_index
        As for `grad_cam`.

    Returns
    -------
    Array
        ``(B, h, w)`` float32 (float64 for float64 activations), in [0, 1].

    Raises
    ------
    ConfigError
        As for `grad_cam`, or the scores have the wrong shape.

    References
    ----------
    Zhou et al., "Learning deep features for discriminative localization", CVPR 2016
    (the class score of a position); Pinheiro and Collobert, CVPR 2015 (its softmax).
    """
    _check_four(activations)
    logits = scores(activations)
    if logits.shape[:3] != activations.shape[:3] or logits.ndim != 4:
        raise ConfigError(
            f"scores returned logits of shape {logits.shape} for activations of shape "
            f"{activations.shape}; must be (B, h, w, classes)"
        )
    _check_class(class_index, logits.shape[-1])
    probabilities = jax.nn.softmax(_at_least_float32(logits), axis=-1)
    return jnp.take(probabilities, jnp.asarray(class_index), axis=-1)


@jax.jit
def normalise(cam: Array) -> tuple[Array, Array]:
    """Divide each map by its own maximum; maps of zeros stay zero.

    Subtracting the minimum as well would amplify the noise of a flat map.

    Takes ``(..., h, w)`` float >= 0. Returns the heat map ``(..., h, w)`` in [0, 1],
    all zero where the maximum is zero, and the maximum ``(...)`` in the unit of the map.
    """
    maximum = jnp.max(cam, axis=(-2, -1))
    heatmap = _safe_divide(cam, jnp.broadcast_to(maximum[..., None, None], cam.shape))
    # XLA may multiply by a rounded reciprocal, which can give a value just above 1.
    return jnp.clip(heatmap, 0, 1), maximum


def _head_gradients(head: Head, activations: Array, class_index: ArrayLike) -> Array:
    """Return dS/dA of all samples, ``(B, h, w, C)``, in one pass: they are independent."""
    _check_four(activations)
    logits, pull_back = jax.vjp(head, activations)
    if logits.ndim != 2 or logits.shape[0] != activations.shape[0]:
        raise ConfigError(
            f"head returned logits of shape {logits.shape} for activations of shape "
            f"{activations.shape}; must be (B, classes)"
        )
    _check_class(class_index, logits.shape[-1])
    one_hot = jax.nn.one_hot(class_index, logits.shape[-1], dtype=logits.dtype)
    (gradients,) = pull_back(jnp.broadcast_to(one_hot, logits.shape))
    return _at_least_float32(gradients)


def _pp_weights(gradients: Array, activations: Array, variant: str) -> Array:
    """Return the channel weights ``(B, C)``; sums are over the positions of each map."""
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
    """Return ``relu(sum_c w_c A_c)``; compiled, because eager steps have much overhead."""
    wide = _at_least_float32(activations)
    if weighting == "mean":
        weights = jnp.mean(gradients, axis=(1, 2))
    else:
        weights = _pp_weights(gradients, wide, weighting)
    return jax.nn.relu(jnp.einsum("bc,bhwc->bhw", weights, wide, precision="highest"))


def _safe_divide(numerator: Array, denominator: Array) -> Array:
    """Divide, with 0 where the denominator is 0; the inner `where` avoids NaN in gradients."""
    usable = denominator != 0
    quotient = numerator / jnp.where(usable, denominator, 1)
    return jnp.where(usable, quotient, 0)


def _at_least_float32(array: Array) -> Array:
    return array.astype(jnp.float32) if array.dtype.itemsize < 4 else array


def _check_four(activations: Array) -> None:
    if activations.ndim != 4:
        shape = activations.shape
        raise ConfigError(
            f"activations has the shape {shape}; must be (B, h, w, C). For a single sample, use "
            "activations[None]"
        )


def _check_class(class_index: ArrayLike, classes: int) -> None:
    if isinstance(class_index, int) and not 0 <= class_index < classes:
        raise ConfigError(f"class_index is {class_index}; must be between 0 and {classes - 1}")
