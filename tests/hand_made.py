"""A network whose weights were set by hand, so that its answers can be worked out on paper.

It sees red: every activation is relu(4 (R - B)) of the reddest pixel of its 16 x 16 block,
where the channels R and B of the picture are in [0, 1].
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from rustseg_jax import Classifier, Network, NetworkConfig, save_network
from rustseg_jax.classify.network import BATCH_NORM_EPSILON
from rustseg_jax.config import CLEAN, CORROSION

ROOT = Path(__file__).resolve().parents[1]
PAINT, RUST = (90, 110, 130), (150, 75, 30)
REDNESS = 4 * (150 - 30) / 255  # of RUST, as an activation


def red_network(
    *, gain: float = 8.0, odds: float = 1.0, input_size: int = 64, pooling: str = "mean"
) -> Network:
    """Margin of corrosion = gain * mean activation - odds; width 1, one channel in use."""
    config = NetworkConfig(width=1, input_size=input_size, pooling=pooling)
    network = nnx.eval_shape(lambda: Network(config, rngs=nnx.Rngs(0)))
    network.eval()
    for block in network.blocks:
        for conv in block:
            kernel = np.zeros(conv.kernel.shape, np.float32)
            kernel[1, 1, 0, 0] = 1
            if conv is network.blocks[0][0]:
                kernel[1, 1, 2, 0] = -1
            _set(conv.kernel, kernel)
            _set(conv.norm.scale, 1)
            _set(conv.norm.bias, 0)
            _set(conv.norm.mean, 0)
            _set(conv.norm.var, 1 - BATCH_NORM_EPSILON)
    head = np.zeros(network.head_kernel.shape, np.float32)
    head[0] = -gain / 2, gain / 2
    _set(network.head_kernel, head)
    _set(network.head_bias, np.array([odds / 2, -odds / 2]))
    if pooling == "context":
        _set(network.head_context, 0)
        _set(network.head_offset, 0)
    return network


def _set(variable: nnx.Variable | None, value: np.ndarray | float) -> None:
    assert variable is not None
    variable.set_value(jnp.full(variable.shape, value, jnp.float32))


def red_model(**options: object) -> Classifier:
    return Classifier.of(red_network(**options))  # type: ignore[arg-type]


def save_redness(path: Path, *, lean: float = -2.0) -> Path:
    """Write weights that are sure of `picture(rusty=True)`, margin 24 * REDNESS / 4 - 2 = 9.3.

    `lean` is the margin of a picture without any red: its P is 1 / (1 + exp(-lean)).
    """
    save_network(path, red_network(gain=24, odds=-lean), metadata={"note": "redness, for tests"})
    return path


def save_measurements(weights: Path) -> Path:
    """Put the shipped weights' measurements beside others, as if of them, to fill a page."""
    shipped = json.loads((ROOT / "data" / "model" / "metrics.json").read_text(encoding="utf-8"))
    shipped["weights"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    path = weights.with_name("metrics.json")
    path.write_text(json.dumps(shipped), encoding="utf-8")
    return path


def picture(*, rusty: bool, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    """Painted steel, (H, W, 3) uint8; when rusty with rust in the middle, half of each side."""
    height, width = size
    if not rusty:
        return patch(size)
    return patch(size, slice(height // 4, 3 * height // 4), slice(width // 4, 3 * width // 4))


def patch(shape: tuple[int, int], rows: slice = slice(0), columns: slice = slice(0)) -> np.ndarray:
    """Painted steel with one rectangle of rust; none by default."""
    photo = np.full((*shape, 3), PAINT, np.uint8)
    photo[rows, columns] = RUST
    return photo


def random_network(width: int = 2, seed: int = 0, **options: object) -> Network:
    """A network whose every weight is random, the head and the scales too."""
    config = NetworkConfig(width=width, **options)  # type: ignore[arg-type]
    made = nnx.eval_shape(lambda: Network(config, rngs=nnx.Rngs(0)))
    rng = np.random.default_rng(seed)

    def fill(variable: nnx.Variable | None, low: float, high: float) -> None:
        assert variable is not None
        variable.set_value(jnp.asarray(rng.uniform(low, high, variable.shape).astype(np.float32)))

    for block in made.blocks:
        for conv in block:
            bound = np.sqrt(6 / (9 * conv.kernel.shape[2]))  # variance 2 / fan-in, He et al. 2015
            fill(conv.kernel, -bound, bound)
            fill(conv.norm.scale, 0.5, 2)
            fill(conv.norm.bias, -0.5, 0.5)
            fill(conv.norm.mean, 0, 0)
            fill(conv.norm.var, 1, 1)
    fill(made.head_kernel, -1, 1)
    fill(made.head_bias, -1, 1)
    if made.config.pooling == "context":
        fill(made.head_context, -1, 1)
        fill(made.head_offset, -1, 1)
    return made


def pictures(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((*shape, 3), dtype=np.float32)


def close(found: jax.Array, wanted: jax.Array, tolerance: float) -> None:
    """Equal up to a share of the largest value, as float32 sums are."""
    largest = max(1.0, float(jnp.abs(wanted).max()))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * largest)


def margin(logits: jax.Array) -> np.ndarray:
    return np.asarray(logits[:, CORROSION] - logits[:, CLEAN])
