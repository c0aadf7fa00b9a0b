"""Time implementations of the 3x3 convolution against PyTorch, by layer and for a whole network.

    python benchmarks/forms.py [--width 16] [--batch 1] [--size 448] [--train-batch 64]
                               [--train-size 64] [--repeats 20] [--layers] [--cpu-time] [--json]

Needs torch (requirements-dev.txt). Both sides run alternately in this process on the same numbers,
so that other load on the machine affects all alike. Times are the minimum over the repeats. Two
ratios to PyTorch follow, each to the fastest of its variants: of the minimum times, and the median
of the ratios in each repeat; the second favours the side that waits less for busy cores. Below 1,
ours is faster. On a machine that is never idle, `--cpu-time` compares the processor time on one
core instead.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from rustseg_jax.classify.kernels.batch_norm import batch_norm_relu
from rustseg_jax.classify.kernels.build import available, status
from rustseg_jax.classify.kernels.convolution import conv3x3, conv3x3_pool, max_pool

Array = jax.Array
Calls = dict[str, Callable[[], Any]]


# ---------------------------------------------------------------- timing


def take_turns(calls: Calls, args: argparse.Namespace, repeats: int) -> dict[str, np.ndarray]:
    """Seconds of each call in each repeat, after two warm-up calls."""
    clock = time.process_time if args.cpu_time else time.perf_counter
    for call in calls.values():
        call(), call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = clock()
            call()
            times[name].append(clock() - start)
    return {name: np.array(values) for name, values in times.items()}


def row(name: str, times: dict[str, np.ndarray], divisor: int = 1) -> dict[str, Any]:
    """Milliseconds of each implementation, and its ratios to the fastest variant of PyTorch."""
    best = np.array([t for n, t in times.items() if n.startswith("torch")])
    return {
        "what": name,
        "ms": {n: round(float(t.min()) * 1e3 / divisor, 3) for n, t in times.items()},
        "ratio": {
            n: [round(float(r), 3) for r in (t.min() / best.min(), np.median(t / best.min(axis=0)))]
            for n, t in times.items()
            if not n.startswith("torch")
        },
    }


def show(entry: dict[str, Any]) -> None:
    print(entry["what"])
    for name, ms in entry["ms"].items():
        ratio = entry["ratio"].get(name)
        ratios = "" if ratio is None else f"   x {ratio[0]:.2f} (median {ratio[1]:.2f})"
        print(f"    {name:<22}{ms:9.2f} ms{ratios}")


def jitted(f: Callable[..., Any], *operands: Any) -> Callable[[], Any]:
    compiled = jax.jit(f)
    return lambda: jax.block_until_ready(compiled(*operands))


# ---------------------------------------------------------------- what is timed


def layers(width: int) -> list[tuple[int, int]]:
    """(in, out) channels of the ten convolutions."""
    outs = [width << (k // 2) for k in range(10)]
    return list(zip([3, *outs[:-1]], outs, strict=True))


def parameters(width: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ten kernels and biases that preserve the activations' scale (He et al. 2015)."""
    result = []
    for i, o in layers(width):
        kernel = rng.standard_normal((3, 3, i, o), dtype=np.float32) * np.float32(
            (2 / 9 / i) ** 0.5
        )
        result.append((kernel, rng.standard_normal(o, dtype=np.float32) * np.float32(0.1)))
    return result


def to_torch(kernel: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(kernel).permute(3, 2, 0, 1).contiguous()


def pictures(rng: np.random.Generator, batch: int, size: int, channels: int = 3) -> Any:
    x = rng.random((batch, size, size, channels), dtype=np.float32)
    return jnp.asarray(x), torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()


def last_format(t: Any) -> Any:
    return t.contiguous(memory_format=torch.channels_last)


def time_layers(args: argparse.Namespace, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Each convolution alone, without bias or ReLU, in every implementation."""
    forms: dict[str, Callable[[Array, Array], Array]] = {
        "lax": lambda x, k: conv3x3(x, k, form="lax"),
        "auto": conv3x3,
    }
    rows = []
    for n, (kernel, _) in enumerate(parameters(args.width, rng)):
        size = args.size >> (n // 2)
        x, tx = pictures(rng, args.batch, size, kernel.shape[2])
        tk, lx, lk = to_torch(kernel), last_format(tx), last_format(to_torch(kernel))
        calls = {name: jitted(f, x, jnp.asarray(kernel)) for name, f in forms.items()}
        calls["torch"] = lambda tx=tx, tk=tk: F.conv2d(tx, tk, padding=1)
        calls["torch channels_last"] = lambda lx=lx, lk=lk: F.conv2d(lx, lk, padding=1)
        with torch.inference_mode():
            times = take_turns(calls, args, args.repeats)
        rows.append(row(f"{size} px, {kernel.shape[2]} -> {kernel.shape[3]}", times))
        show(rows[-1])
    return rows


def features(params: Any, x: Array, form: Any) -> list[Array]:
    """The activations of the five blocks."""
    blocks = []
    for k in range(5):
        x = conv3x3(x, *params[2 * k], relu=True, form=form)
        if k < 4:
            full, x = conv3x3_pool(x, *params[2 * k + 1], relu=True, form=form)
        else:
            full = conv3x3(x, *params[2 * k + 1], relu=True, form=form)
        blocks.append(full)
    return blocks


class Twin(torch.nn.Module):
    """The same network in PyTorch; with batch norm for training."""

    def __init__(self, params: Any, *, norm: bool = False) -> None:
        super().__init__()
        self.convs, self.norms = torch.nn.ModuleList(), torch.nn.ModuleList()
        for kernel, bias in params:
            conv = torch.nn.Conv2d(*kernel.shape[2:], 3, padding=1, bias=not norm)
            conv.weight.data = to_torch(kernel)
            if norm:
                self.norms.append(torch.nn.BatchNorm2d(kernel.shape[3]))
            else:
                conv.bias.data = torch.from_numpy(bias)
            self.convs.append(conv)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        blocks = []
        for n, conv in enumerate(self.convs):
            if n and n % 2 == 0:
                x = F.max_pool2d(x, 2)
            x = conv(x)
            x = F.relu(self.norms[n](x) if len(self.norms) else x, inplace=True)
            if n % 2:
                blocks.append(x)
        return tuple(blocks)


def time_inference(args: argparse.Namespace, rng: np.random.Generator) -> dict[str, Any]:
    params = parameters(args.width, rng)
    x, tx = pictures(rng, args.batch, args.size)
    plain, last = Twin(params).eval(), Twin(params).eval().to(memory_format=torch.channels_last)
    lx = last_format(tx)
    with torch.inference_mode():
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(plain, tx)))
        ours = jax.tree.map(jnp.asarray, params)
        calls: Calls = {
            form: jitted(lambda p, x, form=form: features(p, x, form), ours, x)
            for form in ("auto", "lax")
        }
        calls |= {
            "torch": lambda: plain(tx),
            "torch channels_last": lambda: last(lx),
            "torch frozen": lambda: frozen(tx),
        }
        for a, b in zip(calls["auto"](), calls["torch"](), strict=True):
            np.testing.assert_allclose(a, b.permute(0, 2, 3, 1), atol=1e-5 * float(a.max()))
        times = take_turns(calls, args, args.repeats)
    return row(f"inference, width {args.width}, {args.batch} x {args.size} px", times)


def time_training(args: argparse.Namespace, rng: np.random.Generator) -> dict[str, Any]:
    """Value and gradient of a training step, without the optimiser, per picture."""
    params = parameters(args.width, rng)
    batch, size = args.train_batch, args.train_size
    x, tx = pictures(rng, batch, size)
    target = torch.zeros(batch, dtype=torch.long)

    def plain_norm(y: Array, pool: bool) -> Array:
        y = jax.nn.relu((y - y.mean((0, 1, 2))) * jax.lax.rsqrt(y.var((0, 1, 2)) + 1e-5))
        return max_pool(y) if pool else y

    def fused_norm(y: Array, pool: bool) -> Array:
        c = y.shape[3]
        return batch_norm_relu(y, jnp.ones((c,)), jnp.zeros((c,)), pool=pool)[0]

    def loss(kernels: Any, x: Array, form: Any, norm: Any) -> Array:
        for n, kernel in enumerate(kernels):
            x = norm(conv3x3(x, kernel, form=form), n % 2 == 1 and n < 9)
        logits = x.mean((1, 2))[:, :2]
        return -jnp.mean(jax.nn.log_softmax(logits)[:, 0])

    def step(twin: Twin, x: torch.Tensor) -> float:
        twin.zero_grad()
        value = F.cross_entropy(twin(x)[-1].mean((2, 3))[:, :2], target)
        value.backward()
        return value.item()

    kernels = [jnp.asarray(k) for k, _ in params]
    gradient = jax.value_and_grad(loss)
    plain = Twin(params, norm=True)
    last = Twin(params, norm=True).to(memory_format=torch.channels_last)
    lx = last_format(tx)
    calls: Calls = {
        "auto": jitted(lambda k, x: gradient(k, x, "auto", fused_norm), kernels, x),
        "auto, plain norm": jitted(lambda k, x: gradient(k, x, "auto", plain_norm), kernels, x),
        "lax": jitted(lambda k, x: gradient(k, x, "lax", plain_norm), kernels, x),
        "torch": lambda: step(plain, tx),
        "torch channels_last": lambda: step(last, lx),
    }
    np.testing.assert_allclose(float(calls["auto"]()[0]), calls["torch"](), rtol=1e-4)
    times = take_turns(calls, args, max(3, args.repeats // 4))
    return row(f"training, width {args.width}, {batch} x {size} px, per picture", times, batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (
        ("width", 16),
        ("batch", 1),
        ("size", 448),
        ("train-batch", 64),
        ("train-size", 64),
        ("repeats", 20),
        ("threads", os.cpu_count() or 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    parser.add_argument("--layers", action="store_true", help="also time each layer")
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="processor time of this process on one core, for machines that are never idle",
    )
    parser.add_argument("--json", action="store_true", help="also print one JSON object")
    args = parser.parse_args()
    if args.cpu_time:
        # Before XLA starts its threads. With one thread, none spins while waiting for another.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        args.threads = 1
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    print(f"compiled convolutions: {status()}")
    rows = time_layers(args, rng) if args.layers else []
    for timed in (time_inference, time_training):
        rows.append(timed(args, rng))
        show(rows[-1])
    if args.json:
        print(json.dumps({"native": available(), "rows": rows}))


if __name__ == "__main__":
    main()
