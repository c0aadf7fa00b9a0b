"""`evaluate`: score a model on a data folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rustseg_jax.commands.common import (
    DONE,
    SOME_FAILED,
    add_config_options,
    add_model_option,
    config_of,
    count,
    load_classifier,
    print_json,
    say,
    table,
)

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Describe the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "evaluate",
        help="score a model on a data folder",
        description="Score verdicts and masks on a data folder (a manifest.csv and its pictures), "
        "each picture at its own size, beside a fixed colour rule.",
    )
    parser.add_argument("--data", metavar="DIR", type=Path, required=True, help="data folder")
    parser.add_argument(
        "--split",
        metavar="S",
        nargs="+",
        action="extend",
        default=[],
        help="splits to score; default: all",
    )
    parser.add_argument(
        "--limit", metavar="N", type=count, help="score N evenly spaced pictures of each split"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, no tables")
    add_model_option(parser)
    add_config_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate and print; 1 when a picture could not be scored."""
    from rustseg_jax.evaluate import evaluate
    from rustseg_jax.learning.dataset import load_manifest

    load_manifest(args.data, splits=args.split)  # a wrong folder is said before anything is loaded
    model = load_classifier(args.model)
    with tqdm(unit="picture") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        result = evaluate(
            args.data,
            model,
            config_of(args),
            splits=args.split,
            limit=args.limit,
            progress=progress,
        )
    for failure in result["failed"]:
        say(f"left out: {failure['error']}")
    if args.json:
        print_json(result)
    else:
        print(_readable(result))
    return SOME_FAILED if result["failed"] else DONE


def _readable(result: dict[str, Any]) -> str:
    parts = [_classification(result["classification"])]
    if result["segmentation"]:
        parts.append(_segmentation(result["segmentation"]))
    parts.append(_sources(result["by_source"]))
    return "\n\n".join(parts)


def _classification(by_split: dict[str, dict[str, Any]]) -> str:
    names = list(next(iter(by_split.values())))
    rows = [
        [split, *(_number(report[name]) for name in names)] for split, report in by_split.items()
    ]
    return "Verdicts\n" + table(["split", *(n.replace("_", " ") for n in names)], rows)


def _segmentation(by_split: dict[str, dict[str, Any]]) -> str:
    rows = [
        [split, str(scores["n"]), stage, *(_number(value) for value in scores[stage].values())]
        for split, scores in by_split.items()
        for stage in scores
        if stage != "n"
    ]
    return "Masks\n" + table(["split", "n", "stage", "mean IoU", "pooled IoU", "pooled F1"], rows)


def _sources(by_split: dict[str, dict[str, dict[str, Any]]]) -> str:
    rows = [
        [split, source, *(_number(value) for value in rates.values())]
        for split, sources in by_split.items()
        for source, rates in sources.items()
    ]
    return "Verdicts by source\n" + table(["split", "source", "n", "recall", "specificity"], rows)


def _number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
