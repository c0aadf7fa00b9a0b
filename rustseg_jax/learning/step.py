"""One optimiser step, split over devices by batch, with averaged weights.

The batch is sharded over the mesh axis "batch" (`jax.sharding`); parameters are
replicated; batch norm and gradients are averaged over the axis, so that n
devices compute what one would.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from rustseg_jax.classify import Network
from rustseg_jax.learning.recipe import Recipe

__all__ = ["AXIS", "TrainState", "make_mesh", "make_optimiser", "make_step", "start", "unpack"]

AXIS = "batch"

Step = Callable[
    ["TrainState", jax.typing.ArrayLike, jax.typing.ArrayLike],
    tuple["TrainState", dict[str, jax.Array]],
]


class TrainState(NamedTuple):
    """All that changes while training; what a checkpoint holds."""

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
    """SGD with Nesterov momentum, one-cycle rate, decay on kernels only."""
    return optax.chain(
        optax.add_decayed_weights(
            recipe.weight_decay, mask=lambda p: jax.tree.map(lambda a: a.ndim > 1, p)
        ),
        optax.sgd(schedule(recipe), momentum=recipe.momentum, nesterov=True),
    )


def schedule(recipe: Recipe) -> optax.Schedule:
    """Linear rise to the peak, then a cosine down to a thousandth of it."""
    rise = max(1, int(recipe.warmup * recipe.steps))
    joined = optax.join_schedules(
        [
            optax.linear_schedule(recipe.peak_rate / 25, recipe.peak_rate, rise),
            optax.cosine_decay_schedule(recipe.peak_rate, max(1, recipe.steps - rise), 1e-3),
        ],
        [rise],
    )
    # optax mixes integer counts with floats, which strict promotion refuses.
    return lambda count: joined(jnp.asarray(count, jnp.float32))


def start(recipe: Recipe) -> tuple[Any, TrainState]:
    """Fresh (graph definition, state) of the recipe's network."""
    network = Network(recipe.network, rngs=nnx.Rngs(recipe.seed), axis_name=AXIS)
    graph = nnx.graphdef(network)
    params = nnx.to_pure_dict(nnx.state(network, nnx.Param))
    stats = nnx.to_pure_dict(nnx.state(network, nnx.BatchStat))
    copy = partial(jax.tree.map, jnp.copy)
    optimiser = make_optimiser(recipe).init(params)
    return graph, TrainState(
        params, stats, copy(params), copy(stats), optimiser, jnp.zeros((), jnp.int32)
    )


def unpack(graph: Any, params: Any, stats: Any) -> Network:
    """Put a network together again from plain values."""
    network: Network = nnx.merge(graph, nnx.State(params), nnx.State(stats))
    return network


def make_step(graph: Any, recipe: Recipe, mesh: Mesh) -> Step:
    """Compile `(state, pictures uint8 (B, s, s, 3), labels int32 (B,)) -> (state, numbers)`."""
    optimiser = make_optimiser(recipe)
    everywhere, split = PartitionSpec(), PartitionSpec(AXIS)

    def loss_of(params: Any, stats: Any, x: jax.Array, y: jax.Array) -> tuple[jax.Array, Any]:
        network = unpack(graph, params, stats)
        logits = network.learn(x)
        targets = optax.smooth_labels(jax.nn.one_hot(y, 2), recipe.label_smoothing)
        loss = optax.softmax_cross_entropy(logits, targets).mean()
        correct = (logits.argmax(-1).astype(jnp.int32) == y).astype(jnp.float32).mean()
        after = nnx.to_pure_dict(nnx.state(network, nnx.BatchStat))
        return loss, (after, correct)

    @partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(everywhere, everywhere, split, split),
        out_specs=everywhere,
        check_vma=False,
    )
    def gradients(params: Any, stats: Any, pictures: jax.Array, labels: jax.Array) -> Any:
        x = pictures.astype(jnp.float32) / 255.0
        (loss, (after, correct)), grads = jax.value_and_grad(loss_of, has_aux=True)(
            params, stats, x, labels
        )
        return jax.lax.pmean((grads, after, loss, correct), AXIS)

    def step(state: TrainState, pictures: jax.Array, labels: jax.Array) -> Any:
        grads, stats, loss, correct = gradients(state.params, state.stats, pictures, labels)
        updates, optimiser_state = optimiser.update(grads, state.optimiser, state.params)
        params = optax.apply_updates(state.params, updates)
        # The average follows at once in the beginning (Tarvainen and Valpola 2017).
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
        return new, {"loss": loss, "accuracy": correct}

    whole = NamedSharding(mesh, everywhere)
    parts = NamedSharding(mesh, split)
    return jax.jit(
        step,
        in_shardings=(whole, parts, parts),
        out_shardings=(whole, whole),
        donate_argnums=0,
    )
