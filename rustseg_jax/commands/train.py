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
        description="Train on the split 'train' of a data folder and select the best weights on "
        "'val'. Ctrl-C stops after the current step and saves a checkpoint; --resume continues "
        "from it.",
    )
    parser.add_argument("--data", metavar="DIR", type=Path, required=True, help="data folder")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="folder of the run, one per run"
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --out from its last checkpoint"
    )
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default="cpu",
        help="training recipe: cpu (about two hours on two cores), labels (no seeds), gpu, smoke "
        "(a test run of a few seconds); default: %(default)s",
    )
    parser.add_argument(
        "--init", metavar="FILE", type=Path, help="initial weights; default: random"
    )
    parser.add_argument(
        "--half-of",
        metavar="SPLIT",
        nargs="+",
        default=[],
        help="also train on the image labels of half A of these splits (scenes with an even "
        "SHA-256)",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=count,
        default=2,
        help="processes that prepare images; default: %(default)s",
    )
    parser.add_argument(
        "--devices",
        metavar="N",
        type=count,
        help="number of XLA devices to split the CPU into, each processing part of a batch; "
        "default: 1, because the compiled convolutions use all cores; no effect on a GPU",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of the table"
    )
    parser.set_defaults(run=run)


def set_devices(wanted: int | None, environ: MutableMapping[str, str] = os.environ) -> None:
    """Set the number of XLA host devices; call before the first computation of JAX.

    Parameters
    ----------
    wanted : number of devices; None keeps the setting of XLA_FLAGS, or one device
    environ : environment in which XLA_FLAGS is set
    """
    if wanted is None:
        return
    flags = [f for f in environ.get("XLA_FLAGS", "").split() if not f.startswith(FLAG)]
    environ["XLA_FLAGS"] = " ".join([*flags, f"{FLAG}={wanted}"])


def run(args: argparse.Namespace) -> int:
    """Train; return 130 if the run was stopped early."""
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
        print(table(["best result on val", ""], rows))
        print(f"weights: {weights}")
    if trained.finished:
        return DONE
    say(f"stopped early; to continue the run in {args.out}, repeat the command with --resume")
    return INTERRUPTED
