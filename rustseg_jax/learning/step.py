"""One optimiser step, with the batch sharded over devices, and averaged weights.

The batch is sharded over the mesh axis "batch" (`jax.sharding`); parameters are replicated; batch
norm and gradients are averaged over the axis, so that n devices compute the same result as one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from rustseg_jax.classify import Network
from rustseg_jax.config import CORROSION
from rustseg_jax.errors import ConfigError
from rustseg_jax.learning.recipe import Recipe

__all__ = [
    "AXIS",
    "TrainState",
    "begin_with",
    "make_mesh",
    "make_optimiser",
    "make_step",
    "picture_loss",
    "seed_loss",
    "start",
    "unpack",
]

AXIS = "batch"
# A crop shows rust if this share of its map has seeds of at least this value, of 127.
SEEN, SEEN_SHARE = 60, 0.01
SMALL_RATE = 0.1  # of Muon's rate, for Adam: 2e-3 to 5e-3 at the peak, as is usual
MAX_NORM = 5.0  # of the gradient: seeds that flip between phases must not cause huge steps

Step = Callable[
    ["TrainState", jax.typing.ArrayLike, jax.typing.ArrayLike, jax.typing.ArrayLike],
    tuple["TrainState", dict[str, jax.Array]],
]


class TrainState(NamedTuple):
    """The training state: everything a checkpoint contains."""

    params: Any
    stats: Any  # batch norm's running means and variances
    ema_params: Any
    ema_stats: Any
    optimiser: Any
    step: jax.Array  # () int32


def make_mesh(batch: int, devices: list[jax.Device] | None = None) -> Mesh:
    """Mesh over as many devices as divide the batch evenly."""
    devices = devices or jax.devices()
    count = max(n for n in range(1, len(devices) + 1) if batch % n == 0)
    return Mesh(np.asarray(devices[:count]), (AXIS,))


def make_optimiser(recipe: Recipe) -> optax.GradientTransformation:
    """The optimiser of a recipe: cyclic learning rate, decay on kernels only.

    "sgd" is SGD with Nesterov momentum. "muon" orthogonalises the step of each convolution, taken
    as a matrix from its 9 C inputs to its outputs (Jordan et al. 2024), and uses Adam for all other
    parameters, at `SMALL_RATE` of the rate.
    """
    clip, rate = optax.clip_by_global_norm(MAX_NORM), schedule(recipe)
    if recipe.optimiser == "muon":
        muon = optax.contrib.muon(
            rate,
            beta=recipe.momentum,
            weight_decay=recipe.weight_decay,
            adam_learning_rate=lambda count: SMALL_RATE * rate(count),
            muon_weight_dimension_numbers=lambda p: jax.tree.map(_as_matrix, p),
        )
        return _mixing_types(optax.chain(clip, muon))
    return optax.chain(
        clip,
        optax.add_decayed_weights(
            recipe.weight_decay, mask=lambda p: jax.tree.map(lambda a: a.ndim > 1, p)
        ),
        optax.sgd(rate, momentum=recipe.momentum, nesterov=True),
    )


def _mixing_types(optimiser: optax.GradientTransformation) -> optax.GradientTransformation:
    """Let optax's Adam raise to an integer power under strict promotion."""

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        with jax.numpy_dtype_promotion("standard"):
            return optimiser.update(updates, state, params)

    return optax.GradientTransformation(optimiser.init, update)


def _as_matrix(kernel: jax.Array) -> optax.contrib.MuonDimensionNumbers | None:
    """Input and output axes of a (3, 3, in, out) kernel; None for other parameters."""
    return optax.contrib.MuonDimensionNumbers((0, 1, 2), 3) if kernel.ndim == 4 else None


def schedule(recipe: Recipe) -> optax.Schedule:
    """For each cycle a linear rise to its peak, then a cosine decay to a thousandth of it."""
    parts: list[optax.Schedule] = []
    ends: list[int] = []
    for steps, peak in recipe.cycles:
        rise = max(1, int(recipe.warmup * steps))
        parts.append(optax.linear_schedule(peak / 25, peak, rise))
        parts.append(optax.cosine_decay_schedule(peak, max(1, steps - rise), 1e-3))
        begun = ends[-1] if ends else 0
        ends += [begun + rise, begun + steps]
    joined = optax.join_schedules(parts, ends[:-1])
    # optax mixes integer counts with floats, which strict promotion rejects.
    return lambda count: joined(jnp.asarray(count, jnp.float32))


def start(recipe: Recipe) -> tuple[Any, TrainState]:
    """New (graph definition, state) of the recipe's network."""
    network = Network(recipe.network, rngs=nnx.Rngs(recipe.seed), axis_name=AXIS)
    graph = nnx.graphdef(network)
    params = nnx.to_pure_dict(nnx.state(network, nnx.Param))
    stats = nnx.to_pure_dict(nnx.state(network, nnx.BatchStat))
    copy = partial(jax.tree.map, jnp.copy)
    optimiser = make_optimiser(recipe).init(params)
    return graph, TrainState(
        params, stats, copy(params), copy(stats), optimiser, jnp.zeros((), jnp.int32)
    )


def begin_with(state: TrainState, network: Network) -> TrainState:
    """New state with a network's values; parameters that the network lacks stay unchanged.

    Raises
    ------
    ConfigError
        An array has another shape: the network has a different width.
    """
    params = nnx.to_pure_dict(nnx.state(network, nnx.Param))
    stats = nnx.to_pure_dict(nnx.state(network, nnx.BatchStat))
    copy = partial(jax.tree.map, jnp.copy)
    new, moments = _put(state.params, params), _put(state.stats, stats)
    return state._replace(params=new, stats=moments, ema_params=copy(new), ema_stats=copy(moments))


def _put(into: Any, values: Any) -> Any:
    """Nested dictionaries: `into` with its arrays replaced by those in `values`."""
    if not isinstance(into, dict):
        if into.shape != values.shape:
            raise ConfigError(
                f"the initial weights have an array {values.shape}, but the recipe's network has "
                f"{into.shape}; use weights of the same width"
            )
        return values
    return {key: _put(old, values[key]) if key in values else old for key, old in into.items()}


def unpack(graph: Any, params: Any, stats: Any) -> Network:
    """Rebuild a network from plain values."""
    network: Network = nnx.merge(graph, nnx.State(params), nnx.State(stats))
    return network


def picture_loss(
    logits: jax.Array, labels: jax.Array, seeds: jax.Array, recipe: Recipe
) -> tuple[jax.Array, jax.Array]:
    """Cross entropy of each picture's label, and its weight, both (B,) float32.

    A crop of a corroded picture without a rust seed may show no rust: if any of its seeds are
    known, it is weighted by `recipe.blind`.
    """
    targets = optax.smooth_labels(jax.nn.one_hot(labels, 2), recipe.label_smoothing)
    rust = (seeds > SEEN).mean((1, 2)) >= SEEN_SHARE
    unknown = (seeds == 0).all((1, 2))
    weights = jnp.where((labels == CORROSION) & ~rust & ~unknown, recipe.blind, 1.0)
    return optax.softmax_cross_entropy(logits, targets), weights.astype(jnp.float32)


def seed_loss(evidence: jax.Array, seeds: jax.Array, recipe: Recipe) -> tuple[jax.Array, jax.Array]:
    """Cross entropy of each position's seed, and its weight, both (B, h, w) float32.

    Parameters
    ----------
    evidence : (B, h, w) float32, local log odds of corrosion
    seeds : (B, h, w) int8, see `Batch`; below a quarter of full certainty they count as unknown
    recipe : `rust_weight` is the extra weight of a rust seed, as clean seeds are more frequent
    """
    sure = jnp.abs(seeds.astype(jnp.float32)) / 127.0
    rust = (seeds > 0).astype(jnp.float32)
    weights = jnp.where(sure < 0.25, 0.0, sure) * jnp.where(rust > 0, recipe.rust_weight, 1.0)
    smooth = recipe.seed_smoothing
    return optax.sigmoid_binary_cross_entropy(evidence, rust * (1 - smooth) + smooth / 2), weights


def _mean(each: jax.Array, weights: jax.Array) -> jax.Array:
    """One device's part of a weighted mean: the mean over devices is the whole."""
    total = jax.lax.pmean(weights.sum(), AXIS)
    return (each * weights).sum() / jnp.maximum(total, 1e-6)


def make_step(graph: Any, recipe: Recipe, mesh: Mesh) -> Step:
    """Compile one step: `(state, pictures, labels, seeds) -> (state, numbers)`.

    pictures (B, s, s, 3) uint8, labels (B,) int32, seeds (B, s/16, s/16) int8. The numbers
    are loss, seed_loss and accuracy.
    """
    optimiser = make_optimiser(recipe)
    everywhere, split = PartitionSpec(), PartitionSpec(AXIS)

    def loss_of(params: Any, stats: Any, x: jax.Array, y: jax.Array, s: jax.Array) -> Any:
        network = unpack(graph, params, stats)
        logits, evidence = network.learn(x)
        of_seeds = _mean(*seed_loss(evidence, s, recipe))
        loss = _mean(*picture_loss(logits, y, s, recipe)) + recipe.seed_share * of_seeds
        correct = (logits.argmax(-1).astype(jnp.int32) == y).astype(jnp.float32).mean()
        after = nnx.to_pure_dict(nnx.state(network, nnx.BatchStat))
        return loss, (after, {"loss": loss, "seed_loss": of_seeds, "accuracy": correct})

    @partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(everywhere, everywhere, split, split, split),
        out_specs=everywhere,
        check_vma=False,
    )
    def gradients(
        params: Any, stats: Any, pictures: jax.Array, labels: jax.Array, seeds: jax.Array
    ) -> Any:
        x = pictures.astype(jnp.float32) / 255.0
        grad = jax.grad(loss_of, has_aux=True)
        grads, (after, numbers) = grad(params, stats, x, labels, seeds)
        return jax.lax.pmean((grads, after, numbers), AXIS)

    def step(state: TrainState, pictures: jax.Array, labels: jax.Array, seeds: jax.Array) -> Any:
        grads, stats, numbers = gradients(state.params, state.stats, pictures, labels, seeds)
        updates, optimiser_state = optimiser.update(grads, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        # At the start the average follows at once (Tarvainen and Valpola 2017).
        count = state.step.astype(jnp.float32)
        decay = jnp.minimum(recipe.ema, (1.0 + count) / (10.0 + count))
        mean = partial(jax.tree.map, lambda a, b: a * decay + b * (1 - decay))
        new = TrainState(
            params,
            stats,
            mean(state.ema_params, params),
            mean(state.ema_stats, stats),
            optimiser_state,
            state.step + 1,
        )
        return new, numbers

    whole = NamedSharding(mesh, everywhere)
    parts = NamedSharding(mesh, split)
    return jax.jit(
        step,
        in_shardings=(whole, parts, parts, parts),
        out_shardings=(whole, whole),
        donate_argnums=0,
    )
