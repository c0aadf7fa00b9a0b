"""Time our training step against the same step in PyTorch.

    python -m pip install torch==2.13.0
    python -m benchmarks.train [--sides 64 96 160] [--batch 64] [--width 24] [--repeats 7]

The same network with batch norm, cross entropy with smoothed labels, SGD with Nesterov momentum and
weight decay, and averaged weights, on the same random uint8 batch; forward, backward and update,
alternating in one process.
"""

from __future__ import annotations

import argparse
import copy
import time

import jax
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from benchmarks.twin import Encoder, head
from rustseg_jax.classify.kernels.build import status
from rustseg_jax.config import NetworkConfig
from rustseg_jax.learning.recipe import Recipe
from rustseg_jax.learning.step import make_mesh, make_step, start
from rustseg_jax.runtime import keep_memory


class TheirStep:
    """The optimiser step of the twin."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.net = Encoder(recipe.network.widths, norm=True).train()
        self.net = self.net.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net)
        decayed = [p for p in self.net.parameters() if p.ndim > 1]
        others = [p for p in self.net.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others}]
        self.optimiser = torch.optim.SGD(
            groups, lr=0.01, momentum=recipe.momentum, nesterov=True, foreach=True
        )

    def __call__(self, pictures: np.ndarray, labels: np.ndarray) -> float:
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        logits = head(self.net.dense, self.net.features(x), self.recipe.network)
        y = torch.from_numpy(labels).long()
        loss = F.cross_entropy(logits, y, label_smoothing=self.recipe.label_smoothing)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        with torch.no_grad():
            mean, now = _values(self.average), _values(self.net)
            torch._foreach_lerp_(mean, now, 1 - self.recipe.ema)
        return loss.item()


def _values(net: nn.Module) -> list[torch.Tensor]:
    return [v.detach() for v in net.state_dict().values() if v.is_floating_point()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sides", type=int, nargs="+", default=[64, 96, 160], help="sides of the crops, in pixels"
    )
    parser.add_argument("--batch", type=int, default=64, help="pictures per batch")
    parser.add_argument("--width", type=int, default=24, help="width of the network")
    parser.add_argument("--repeats", type=int, default=7, help="repetitions of each measurement")
    args = parser.parse_args()
    torch.set_num_threads(2)
    keep_memory()  # as in the train command; both sides benefit
    recipe = Recipe(
        network=NetworkConfig(width=args.width),
        optimiser="sgd",
        peak_rate=0.01,
        momentum=0.9,
        weight_decay=5e-4,
        batch=args.batch,
        per_epoch=args.batch,
    )
    graph, state = start(recipe)
    ours = make_step(graph, recipe, make_mesh(args.batch))
    theirs = TheirStep(recipe)
    rng = np.random.default_rng(0)
    labels = (np.arange(args.batch) % 2).astype(np.int32)
    unknown = {s: np.zeros((args.batch, s // 16, s // 16), np.int8) for s in args.sides}
    print(f"width {args.width}, batch {args.batch}, {len(jax.devices())} device, {status()}")
    print(f"{'pixels':>6} {'ours':>10} {'PyTorch':>10} {'ratio':>6}   (milliseconds a picture)")
    for side in args.sides:
        pictures = rng.integers(0, 256, (args.batch, side, side, 3), dtype=np.uint8)
        best = {"ours": float("inf"), "theirs": float("inf")}
        for turn in range(args.repeats + 1):
            began = time.perf_counter()
            state, numbers = ours(state, pictures, labels, unknown[side])
            float(numbers["loss"])
            middle = time.perf_counter()
            theirs(pictures, labels)
            ended = time.perf_counter()
            if turn:  # the first repetition compiles
                best["ours"] = min(best["ours"], middle - began)
                best["theirs"] = min(best["theirs"], ended - middle)
        a, b = (1e3 * best[k] / args.batch for k in ("ours", "theirs"))
        print(f"{side:6} {a:10.2f} {b:10.2f} {a / b:6.2f}", flush=True)


if __name__ == "__main__":
    main()
