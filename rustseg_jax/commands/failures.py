"""`failures`: measure a model on the four failure modes of the published RustSEG."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rustseg_jax.commands.common import (
    DONE,
    add_config_options,
    add_model_option,
    config_of,
    count,
    load_classifier,
    print_json,
    table,
    typed_command,
)
from rustseg_jax.config import FAILURES, HALVES
from rustseg_jax.errors import ConfigError

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Describe the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "failures",
        help="measure the four failure modes of the published model",
        description="Measure four failure modes: shadows, images entirely covered in rust, CRF "
        "collapse, and good heat maps with bad masks. Uses rendered scenes and, with --data, "
        "photos selected by a rule.",
    )
    parser.add_argument(
        "--data", metavar="DIR", type=Path, help="data folder; its splits seg-* provide photos"
    )
    parser.add_argument(
        "--split",
        metavar="S",
        nargs="+",
        action="extend",
        default=[],
        help="splits of the data folder; default: all seg-*",
    )
    parser.add_argument(
        "--only",
        choices=FAILURES,
        nargs="+",
        action="extend",
        default=[],
        help="failure modes to measure; default: all four",
    )
    parser.add_argument(
        "--half", choices=HALVES, default="A", help="half of the scenes of the photos; default: A"
    )
    parser.add_argument(
        "--limit", metavar="N", type=count, help="maximum number of images per set; default: 60"
    )
    parser.add_argument(
        "--record",
        metavar="FILE",
        type=Path,
        help="also save the numbers in this file; requires --data and all four failure modes",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of the tables"
    )
    add_model_option(parser)
    add_config_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from rustseg_jax.evaluate.failure_measures import LIMIT, measure_failures
    from rustseg_jax.evaluate.failure_record import FailureRecord, keep_failures
    from rustseg_jax.manifest import load_manifest

    if args.record and (args.data is None or args.only or args.limit):
        raise ConfigError(
            "--record needs all four failure modes on photos: give --data, and neither --only "
            "nor --limit"
        )
    if args.data is not None:
        load_manifest(args.data, splits=args.split)  # report a wrong folder before loading weights
    model = load_classifier(args.model)
    with tqdm(unit="set") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        result = measure_failures(
            model,
            config_of(args),
            data=args.data,
            names=args.only,
            splits=args.split,
            half=args.half,
            limit=args.limit or LIMIT,
            progress=progress,
        )
    if args.record:
        made = datetime.now(UTC).date().isoformat()
        record = FailureRecord(model.digest, args.half, made, typed_command(args), result)
        keep_failures(args.record, record)
    if args.json:
        print_json(result)
    else:
        print(_readable(result))
    return DONE


def _readable(result: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Format one line per number: scenes beside photos, and what the number means."""
    from rustseg_jax.evaluate.failures import FAILURES

    return "\n\n".join(
        f"{name}: {FAILURES[name].about}\n" + _numbers(name, by_set)
        for name, by_set in result.items()
    )


def _numbers(name: str, by_set: dict[str, dict[str, Any]]) -> str:
    from rustseg_jax.evaluate.failure_measures import MEASURES

    meanings = {"n": "images", **MEASURES[name]}
    rows = [
        [key, *(_number(numbers[key]) for numbers in by_set.values()), meaning]
        for key, meaning in meanings.items()
    ]
    return table(["measure", *by_set, "meaning"], rows)


def _number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
