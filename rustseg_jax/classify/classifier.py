"""The classifier for inference: is there corrosion in the photo?

`Classifier` is the network with batch norm folded into the convolutions, compiled once
per input shape. It classifies a photo at one or more scales and calibrates the
probability with a temperature.

References
----------
Guo et al., "On calibration of modern neural networks", 2017 (the temperature). Howard,
"Some improvements on deep convolutional neural network based image classification",
2013 (a verdict from several scales).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import expit

from rustseg_jax.classify.kernels.convolution import conv3x3, conv3x3_pool
from rustseg_jax.classify.network import (
    Network,
    Output,
    Params,
    check_input,
    fold,
    head_logits,
    local_logits,
    to_input,
)
from rustseg_jax.config import BLOCKS, CLEAN, CORROSION, STRIDE, NetworkConfig

__all__ = [
    "Classifier",
    "Network",
    "Output",
    "rescale",
]


def rescale(x: jax.Array | np.ndarray, scale: float) -> jax.Array | np.ndarray:
    """Resize images (B, H, W, 3) to the nearest multiples of the stride, without aliasing.

    Returns `x` itself if it has that size.
    """
    shape = (x.shape[0], *(_round_side(side * scale) for side in x.shape[1:3]), x.shape[3])
    if shape == x.shape:
        return x
    return jax.image.resize(x, shape, "bilinear", antialias=True)


def _round_side(side: float) -> int:
    return max(STRIDE, STRIDE * math.floor(side / STRIDE + 0.5))  # round() rounds halves to even


def _forward(params: Params, x: jax.Array, config: NetworkConfig) -> Output:
    h = to_input(x)
    blocks = []
    for k in range(BLOCKS):
        first, second = params["convs"][2 * k : 2 * k + 2]
        h = conv3x3(h, first["kernel"], first["bias"], relu=True)
        if k == BLOCKS - 1:
            blocks.append(conv3x3(h, second["kernel"], second["bias"], relu=True))
        else:
            full, h = conv3x3_pool(h, second["kernel"], second["bias"], relu=True)
            blocks.append(full)
    return Output(head_logits(params["head"], blocks[-1], config), blocks[-1], tuple(blocks))


def _verdict_at(params: Params, x: jax.Array, config: NetworkConfig, scale: float) -> jax.Array:
    return _forward(params, jnp.asarray(rescale(x, scale)), config).logits


_compiled_forward = jax.jit(_forward, static_argnums=2)
_compiled_verdict_at = jax.jit(_verdict_at, static_argnums=(2, 3))


@dataclass(frozen=True, eq=False)
class Classifier:
    """Trained network for inference.

    Attributes
    ----------
    params : weights as returned by `fold`
    config : architecture of the network
    temperature : divides the logits before the softmax (Guo et al. 2017)
    metadata : training record of the weights
    digest : SHA-256 of the weights file, or "" if not loaded from a file
    """

    params: Params
    config: NetworkConfig
    temperature: float = 1.0
    metadata: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    @classmethod
    def of(cls, network: Network, **more: Any) -> Classifier:
        """Freeze a trainable network: fold batch norm, using the running statistics."""
        return cls(fold(network), network.config, **more)

    def __call__(self, x: jax.Array | np.ndarray) -> Output:
        """Run the network: (B, H, W, 3) float32 sRGB in [0, 1] -> `Output`.

        H and W must be multiples of 16; any other input raises a `ConfigError`. Compiled once per
        input shape.
        """
        check_input(x)
        return _compiled_forward(self.params, jnp.asarray(x), self.config)

    def verdict(self, x: jax.Array | np.ndarray, output: Output | None = None) -> jax.Array:
        """Return the (B, 2) float32 logits of photos, from which `probability` is computed.

        These are the mean of the logits at each of `config.verdict_scales`; with scale 1 alone
        they are those of `output`.

        Parameters
        ----------
        x : (B, H, W, 3) as for a call, the photos at the network's input size
        output : the model's output for `x`, if available, so that it is not computed again
        """
        check_input(x)
        scales = self.config.verdict_scales
        if scales == (1.0,):
            return (self(x) if output is None else output).logits
        pixels = jnp.asarray(x)
        at_scales = [
            output.logits
            if scale == 1 and output is not None
            else _compiled_verdict_at(self.params, pixels, self.config, scale)
            for scale in scales
        ]
        return jnp.stack(at_scales).mean(0)

    @property
    def head(self) -> jax.tree_util.Partial:
        """The differentiable function from (B, h, w, C) activations to (B, 2) logits.

        A pytree with the head's arrays as leaves, so that a compiled function can take it as
        an argument without recompilation for each model.
        """
        return jax.tree_util.Partial(head_logits, self.params["head"], config=self.config)

    @property
    def scores(self) -> jax.tree_util.Partial:
        """The function from (B, h, w, C) activations to (B, h, w, 2) logits of each position.

        A pytree like `head`.
        """
        return jax.tree_util.Partial(local_logits, self.params["head"])

    def probability(self, logits: jax.Array | np.ndarray) -> np.ndarray:
        """Convert (B, 2) logits to (B,) float64 calibrated P(corrosion) in [0, 1]."""
        z = np.asarray(logits, np.float64)
        p: np.ndarray = expit((z[:, CORROSION] - z[:, CLEAN]) / self.temperature)
        return p

    def describe(self) -> dict[str, Any]:
        """Return what identifies these weights in a result: digest, architecture, temperature."""
        shape = asdict(self.config)
        return {"digest": self.digest, "temperature": self.temperature, "network": shape}
