"""Stage 1: is there corrosion in the photo?

`Classifier` is what everything after training uses: the network with batch norm folded
into the convolutions, compiled once for each input shape, judging a photo at one or
more sizes, with the temperature that calibrates its probability.

References
----------
Guo et al., "On calibration of modern neural networks", 2017 (the temperature). Howard,
"Some improvements on deep convolutional neural network based image classification",
2013 (a verdict from several sizes).
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
    """Resize pictures (B, H, W, 3) to the nearest multiples of the stride, without aliasing.

    Returns `x` itself where that is its size.
    """
    shape = (x.shape[0], *(_round_side(side * scale) for side in x.shape[1:3]), x.shape[3])
    if shape == x.shape:
        return x
    return jax.image.resize(x, shape, "bilinear", antialias=True)


def _round_side(side: float) -> int:
    return max(STRIDE, STRIDE * math.floor(side / STRIDE + 0.5))  # round() goes to even at halves


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
    """Trained weights, ready to use.

    Attributes
    ----------
    params : as `fold` returns them
    config : the network's shape
    temperature : divides the logits before the softmax (Guo et al. 2017)
    metadata : how the weights came about, as written by training
    digest : SHA-256 of the weights file, or "" when not loaded from one
    """

    params: Params
    config: NetworkConfig
    temperature: float = 1.0
    metadata: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    @classmethod
    def of(cls, network: Network, **more: Any) -> Classifier:
        """Freeze a network in training: batch norm folded, running statistics used."""
        return cls(fold(network), network.config, **more)

    def __call__(self, x: jax.Array | np.ndarray) -> Output:
        """(B, H, W, 3) float32 sRGB in [0, 1], H and W multiples of 16 -> `Output`.

        One compilation for each input shape; `ConfigError` for any other input.
        """
        check_input(x)
        return _compiled_forward(self.params, jnp.asarray(x), self.config)

    def verdict(self, x: jax.Array | np.ndarray, output: Output | None = None) -> jax.Array:
        """(B, H, W, 3) as for a call -> (B, 2) float32 logits of the photos.

        The mean of the logits at each of `config.verdict_scales`, which `probability` is
        calibrated for; at the scale 1 alone they are the output's own.

        Parameters
        ----------
        x : the photos at the network's input size
        output : the model's output for `x` if it is at hand: it is then not computed again
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
        """(B, h, w, C) activations -> (B, 2) logits; differentiable.

        A pytree with the head's arrays as leaves, so that it can be an argument of a
        compiled function without being compiled anew for each model.
        """
        return jax.tree_util.Partial(head_logits, self.params["head"], config=self.config)

    @property
    def scores(self) -> jax.tree_util.Partial:
        """(B, h, w, C) activations -> (B, h, w, 2) logits of each position; as `head` a pytree."""
        return jax.tree_util.Partial(local_logits, self.params["head"])

    def probability(self, logits: jax.Array | np.ndarray) -> np.ndarray:
        """(B, 2) logits -> (B,) float64 calibrated P(corrosion) in [0, 1]."""
        z = np.asarray(logits, np.float64)
        p: np.ndarray = expit((z[:, CORROSION] - z[:, CLEAN]) / self.temperature)
        return p

    def describe(self) -> dict[str, Any]:
        """What identifies these weights in a result: digest, shape, temperature."""
        shape = asdict(self.config)
        return {"digest": self.digest, "temperature": self.temperature, "network": shape}
