"""The trainable network of stage 1.

It is the encoder of U-Net: five blocks of two 3x3 convolutions (batch norm, ReLU), 2x2
max pooling between the blocks, then a head that pools the last activations and scores the
two classes. Layout everywhere: images and activations are (B, H, W, C) float32, kernels
(3, 3, in, out); images are sRGB in [0, 1]; logits are (B, 2) in the order clean,
corrosion. `classifier.Classifier` is the same network frozen for inference.

References
----------
Ronneberger et al., "U-Net", 2015 (the encoder). Ioffe and Szegedy, "Batch
normalization", 2015 (folding: section 3.1).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from rustseg_jax.classify.kernels.batch_norm import batch_norm_relu
from rustseg_jax.classify.kernels.convolution import conv3x3, max_pool
from rustseg_jax.config import BLOCKS, CLEAN, CORROSION, STRIDE, NetworkConfig
from rustseg_jax.errors import ConfigError

__all__ = [
    "BATCH_NORM_EPSILON",
    "Network",
    "Output",
    "Params",
    "check_input",
    "fold",
    "head_logits",
    "local_evidence",
    "local_logits",
    "to_input",
]

BATCH_NORM_EPSILON = 1e-5  # the usual value (Ioffe and Szegedy do not specify it)
BATCH_NORM_MOMENTUM = 0.9  # about the last ten steps: training runs are short

Params = dict[str, Any]

jax.tree_util.register_static(NetworkConfig)  # allows it as an argument of compiled functions


class Output(NamedTuple):
    """Output of one pass through the network.

    Attributes
    ----------
    logits : (B, 2) float32, clean and corrosion, not yet divided by the temperature
    activations : (B, H/16, W/16, 16w) float32 >= 0, last convolution after its ReLU
    blocks : five arrays (B, H/2^k, W/2^k, 2^k w) float32 >= 0, each block before its pooling
    """

    logits: jax.Array
    activations: jax.Array
    blocks: tuple[jax.Array, ...]


def to_input(x: jax.Array) -> jax.Array:
    """Map sRGB in [0, 1] to [-2, 2], about zero mean and unit variance for photos."""
    return x * 4.0 - 2.0


def local_logits(head: Params, activations: jax.Array) -> jax.Array:
    """Score the two classes at each position: (..., C) -> (..., 2) float32."""
    logits: jax.Array = jnp.einsum("...c,ck->...k", activations, head["kernel"])
    return logits + head["bias"].reshape((1,) * (logits.ndim - 1) + (-1,))


def local_evidence(head: Params, activations: jax.Array) -> jax.Array:
    """Evidence for corrosion against clean at each position: (..., C) -> (...) float32."""
    scores = local_logits(head, activations)
    return scores[..., CORROSION] - scores[..., CLEAN]


def head_logits(head: Params, activations: jax.Array, config: NetworkConfig) -> jax.Array:
    """Score the two classes from the last activations.

    Parameters
    ----------
    head : "kernel" (C, 2) and "bias" (2,); with "context" also "context" (C,) and
        "offset" (1,)
    activations : (B, h, w, C) float32
    config : pooling of the positions

    Returns
    -------
    (B, 2) float32 logits. With "mean" this is global average pooling and a dense
    layer. With "lse" the dense layer is applied at each position, and each class's
    evidence against the other, z, is pooled as log(mean(exp(r z))) / r; the logits
    are -z/2 and +z/2, so that corrosion in a small part can outweigh the rest.
    "context" adds mean(activations) @ context + offset to z: the surroundings of the rust can
    affect the verdict without affecting the score map.
    """
    if config.pooling == "mean":
        return activations.mean((1, 2)) @ head["kernel"] + head["bias"][None]
    z = local_evidence(head, activations)
    r = config.sharpness
    positions = z.shape[1] * z.shape[2]
    pooled = (jax.nn.logsumexp(r * z, axis=(1, 2)) - np.log(positions).astype(np.float32)) / r
    if config.pooling == "context":
        pooled = pooled + activations.mean((1, 2)) @ head["context"] + head["offset"]
    return jnp.stack([-pooled / 2, pooled / 2], axis=-1)


class _Conv(nnx.Module):
    """3x3 convolution without bias, batch norm, ReLU."""

    def __init__(self, channels: tuple[int, int], axis_name: str | None, rngs: nnx.Rngs) -> None:
        fan_in = 9 * channels[0]
        scale = np.sqrt(2.0 / fan_in).astype(np.float32)  # He et al. 2015
        self.kernel = nnx.Param(jax.random.normal(rngs.params(), (3, 3, *channels)) * scale)
        self.norm = nnx.BatchNorm(
            channels[1],
            epsilon=BATCH_NORM_EPSILON,
            momentum=BATCH_NORM_MOMENTUM,
            use_running_average=True,
            rngs=rngs,
        )
        self.axis_name = axis_name

    def __call__(self, x: jax.Array) -> jax.Array:
        """Apply the layer: (B, H, W, in) -> (B, H, W, out)."""
        return jax.nn.relu(self.norm(conv3x3(x, self.kernel[...])))

    def learn(self, x: jax.Array, *, pool: bool) -> jax.Array:
        """Apply the layer with the batch statistics and update the running ones."""
        norm = self.norm
        z, mean, var = batch_norm_relu(
            conv3x3(x, self.kernel[...]),
            *_scale_and_bias(norm),
            epsilon=BATCH_NORM_EPSILON,
            pool=pool,
            axis_name=self.axis_name,
        )
        keep = BATCH_NORM_MOMENTUM
        norm.mean[...] = keep * norm.mean[...] + (1 - keep) * mean
        norm.var[...] = keep * norm.var[...] + (1 - keep) * var
        return z


def _scale_and_bias(norm: nnx.BatchNorm) -> tuple[jax.Array, jax.Array]:
    assert norm.scale is not None  # optional in Flax, but always present here
    assert norm.bias is not None
    return norm.scale[...], norm.bias[...]


class Network(nnx.Module):
    """The trainable network, with batch norm.

    `axis_name` is the mesh axis over which batch statistics are shared if the
    batch is split over devices.
    """

    def __init__(
        self, config: NetworkConfig, *, rngs: nnx.Rngs, axis_name: str | None = None
    ) -> None:
        self.config = config
        widths = (3, *config.widths)
        self.blocks = nnx.List(
            nnx.List([_Conv((a, b), axis_name, rngs), _Conv((b, b), axis_name, rngs)])
            for a, b in pairwise(widths)
        )
        # With a zero head every image starts at even odds, and no steps are lost on unlearning
        # random verdicts (Goyal et al. 2017 set the last scale to zero for the same reason).
        self.head_kernel = nnx.Param(jnp.zeros((widths[-1], 2), jnp.float32))
        self.head_bias = nnx.Param(jnp.zeros((2,), jnp.float32))
        if config.pooling == "context":
            self.head_context = nnx.Param(jnp.zeros((widths[-1],), jnp.float32))
            self.head_offset = nnx.Param(jnp.zeros((1,), jnp.float32))

    @property
    def head_variables(self) -> dict[str, nnx.Param[jax.Array]]:
        """The variables of the head, by their names in `head_logits`."""
        named = {"kernel": self.head_kernel, "bias": self.head_bias}
        if self.config.pooling == "context":
            named |= {"context": self.head_context, "offset": self.head_offset}
        return named

    @property
    def head_params(self) -> Params:
        """The arrays of the head's variables."""
        return {name: variable[...] for name, variable in self.head_variables.items()}

    def head(self, activations: jax.Array) -> jax.Array:
        """Return the (B, 2) logits of (B, h, w, C) activations."""
        return head_logits(self.head_params, activations, self.config)

    def learn(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return logits (B, 2) and local evidence (B, h, w) in training.

        Uses the batch statistics and updates the running ones. No intermediate results are
        returned, so that batch norm, ReLU and pooling are one pass.
        """
        check_input(x)
        h = to_input(x)
        for k, (first, second) in enumerate(self.blocks):
            h = second.learn(first.learn(h, pool=False), pool=k < BLOCKS - 1)
        return self.head(h), local_evidence(self.head_params, h)

    def __call__(self, x: jax.Array) -> Output:
        """Run the network: (B, H, W, 3) float32 in [0, 1], H and W multiples of 16 -> `Output`.

        Uses the running statistics, as in inference.
        """
        check_input(x)
        h = to_input(x)
        outputs = []
        for k, block in enumerate(self.blocks):
            if k:
                h = max_pool(h)
            for conv in block:
                h = conv(h)
            outputs.append(h)
        return Output(self.head(h), h, tuple(outputs))


def fold(network: Network) -> Params:
    """Fold each batch norm into its convolution.

    Returns
    -------
    {"convs": ten of {"kernel" (3, 3, in, out), "bias" (out,)}, "head": {...}},
    float32: y = relu(conv(x, kernel * s) + (beta - mean * s)), s = gamma / sqrt(var + eps).
    """
    convs = []
    for block in network.blocks:
        for conv in block:
            gamma, beta = _scale_and_bias(conv.norm)
            scale = gamma / jnp.sqrt(conv.norm.var[...] + BATCH_NORM_EPSILON)
            kernel = conv.kernel[...] * scale[None, None, None]
            convs.append({"kernel": kernel, "bias": beta - conv.norm.mean[...] * scale})
    return {"convs": convs, "head": network.head_params}


def check_input(x: jax.Array | np.ndarray) -> None:
    """Raise a `ConfigError` unless x is float32 (B, H, W, 3) and H, W are multiples of 16."""
    shape = tuple(x.shape)
    if len(shape) != 4 or shape[3] != 3 or x.dtype != jnp.float32:
        raise ConfigError(f"x is {x.dtype}{shape}; must be float32 (B, H, W, 3) in [0, 1]")
    if shape[1] % STRIDE or shape[2] % STRIDE or not shape[1] or not shape[2]:
        raise ConfigError(
            f"x is {shape[1]} x {shape[2]} pixels; both sides must be multiples of {STRIDE}"
        )
