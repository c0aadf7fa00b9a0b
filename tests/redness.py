"""A network that knows one thing, redness: small, instant, and its answers can be foreseen."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from flax import nnx

import rustseg_jax as rs

STEEL, RUST = (150, 155, 160), (165, 75, 30)


def save_redness(path: Path, *, size: int = 64, lean: float = -2.0) -> Path:
    """Write weights whose logit of corrosion grows with the share of rust-coloured pixels.

    Channel 0 of every layer carries relu(redness); all other weights are zero. `lean` is
    the verdict on a picture without any red: its probability is 1 / (1 + exp(-lean)).
    """
    network = rs.Network(rs.NetworkConfig(width=1, input_size=size), rngs=nnx.Rngs(0))
    convs = [conv for block in network.blocks for conv in block]
    for k, conv in enumerate(convs):
        kernel = np.zeros(conv.kernel[...].shape, np.float32)
        if k == 0:  # inputs are 4 x - 2: steel gives below 0, rust about 1.5
            kernel[1, 1, :, 0] = (1.0, -0.5, -0.5)
            conv.norm.bias.set_value(jnp.full_like(conv.norm.bias[...], -0.3))
        else:
            kernel[1, 1, 0, 0] = 1.0
        conv.kernel.set_value(jnp.asarray(kernel))
    head = np.zeros(network.head_kernel[...].shape, np.float32)
    head[0] = (-12.0, 12.0)
    network.head_kernel.set_value(jnp.asarray(head))
    network.head_bias.set_value(jnp.asarray([-lean / 2, lean / 2], jnp.float32))
    network.eval()
    rs.save_network(path, network, metadata={"note": "redness, for tests"})
    return path


def picture(*, rusty: bool, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    """A grey plate, (H, W, 3) uint8; with a rust-coloured block in the middle when rusty."""
    height, width = size
    image = np.full((height, width, 3), STEEL, np.uint8)
    if rusty:
        image[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = RUST
    return image
