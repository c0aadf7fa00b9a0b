"""`train`: train a classifier from image labels."""

from __future__ import annotations

import argparse
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from rustseg_jax.commands.common import DONE, INTERRUPTED, count, print_json, say, table
from rustseg_jax.config import PRESETS

__all__ = ["add", "run", "set_devices"]

FLAG = "--xla_force_host_platform_device_count"


def add(commands: Any) -> None:
    """Describe the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "train",
        help="train a classifier from image labels",
        description="Train on the split 'train' of a data folder and choose the best weights on "
        "'val'. Ctrl-C ends the run after the step in hand, with a checkpoint; --resume goes on.",
    )
    parser.add_argument("--data", metavar="DIR", type=Path, required=True, help="data folder")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="the run's folder; one run each"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in --out from its checkpoint"
    )
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default="cpu",
        help="recipe: cpu (two cores, about two hours), labels (no seeds), gpu, smoke "
        "(seconds, to see that it runs); default: %(default)s",
    )
    parser.add_argument(
        "--init", metavar="FILE", type=Path, help="weights to begin with; default: random ones"
    )
    parser.add_argument(
        "--half-of",
        metavar="SPLIT",
        nargs="+",
        default=[],
        help="learn from the image labels of half A of these splits too (even SHA-256 of scene)",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=count,
        default=2,
        help="processes that prepare pictures; default: %(default)s",
    )
    parser.add_argument(
        "--devices",
        metavar="N",
        type=count,
        help="parts into which a processor is split, each taking a share of a batch; default: 1, "
        "as the compiled convolutions use all cores; a GPU is left as it is",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, no table")
    parser.set_defaults(run=run)


def set_devices(wanted: int | None, environ: MutableMapping[str, str] = os.environ) -> None:
    """Ask XLA for host devices; works until JAX runs its first computation.

    Parameters
    ----------
    wanted : how many; None leaves what XLA_FLAGS says, or else one
    environ : where XLA_FLAGS is set
    """
    if wanted is None:
        return
    flags = [f for f in environ.get("XLA_FLAGS", "").split() if not f.startswith(FLAG)]
    environ["XLA_FLAGS"] = " ".join([*flags, f"{FLAG}={wanted}"])


def run(args: argparse.Namespace) -> int:
    """Train; 130 when the run was stopped before its end."""
    set_devices(args.devices)
    from rustseg_jax.learning.recipe import preset
    from rustseg_jax.learning.train import train
    from rustseg_jax.runtime import enable_compilation_cache, keep_memory

    enable_compilation_cache()
    keep_memory()
    trained = train(
        args.data,
        args.out,
        preset(args.preset),
        resume=args.resume,
        workers=args.workers,
        init=args.init,
        halves=args.half_of,
    )
    weights = None if trained.weights is None else str(trained.weights)
    if args.json:
        print_json({"finished": trained.finished, "weights": weights, "val": trained.report})
    elif trained.report:
        rows = [[name.replace("_", " "), f"{value:g}"] for name, value in trained.report.items()]
        print(table(["best on val", ""], rows))
        print(f"weights: {weights}")
    if trained.finished:
        return DONE
    say(f"stopped before the end; the same command with --resume goes on from {args.out}")
    return INTERRUPTED
