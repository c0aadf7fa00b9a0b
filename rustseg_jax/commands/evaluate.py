"""`evaluate`: score a model on a data folder."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    typed_command,
)
from rustseg_jax.config import HALVES, RULE_TARGET, SOURCE_TARGET
from rustseg_jax.errors import ConfigError
from rustseg_jax.evaluate import measurements

if TYPE_CHECKING:
    from rustseg_jax.classify import Classifier

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Describe the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "evaluate",
        help="score a model on a data folder",
        description="Score verdicts and masks on a data folder (a manifest.csv and its images), "
        "each image at its own size, and compare them with a fixed colour rule.",
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
        "--half",
        choices=HALVES,
        help="score only this half of the scenes in the splits seg-*; default: both",
    )
    parser.add_argument(
        "--limit", metavar="N", type=count, help="score N evenly spaced images of each split"
    )
    parser.add_argument(
        "--faithfulness",
        action="store_true",
        help="score the faithfulness of the heat-map methods instead (does the network rely on "
        "what they mark?), on images classified as corroded (60 per split, or --limit)",
    )
    parser.add_argument(
        "--record",
        metavar="FILE",
        type=Path,
        help="also save the numbers, including those for plots, in this file; results of the same "
        "weights on other data are kept, results of other weights are removed",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of the tables"
    )
    add_model_option(parser)
    add_config_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate and print; return 1 if an image could not be scored."""
    from rustseg_jax.manifest import load_manifest

    load_manifest(args.data, splits=args.split)  # report a wrong folder before loading weights
    _check_record(args)
    model = load_classifier(args.model)
    with tqdm(unit="image") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        result = _result(args, model, progress)
    if args.record:
        _keep(args, model, result)
    for failure in result["failed"]:
        say(f"skipped: {failure['error']}")
    if args.json:
        print_json(result)
    else:
        print(_faithfulness(result) if args.faithfulness else _readable(result))
    return SOME_FAILED if result["failed"] else DONE


def _result(
    args: argparse.Namespace, model: Classifier, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    from rustseg_jax.evaluate import heatmap_study, run

    wanted: dict[str, Any] = {"splits": args.split, "half": args.half, "progress": progress}
    if args.faithfulness:
        limit = args.limit or heatmap_study.PICTURES
        return heatmap_study.study(args.data, model, config_of(args), limit=limit, **wanted)
    return run.evaluate(
        args.data, model, config_of(args), limit=args.limit, curves=bool(args.record), **wanted
    )


def _check_record(args: argparse.Namespace) -> None:
    if args.record is None:
        return
    if args.faithfulness:
        raise ConfigError("--record cannot be combined with --faithfulness; leave out one of them")
    measurements.check_place(args.record)


def _keep(args: argparse.Namespace, model: Classifier, result: dict[str, Any]) -> None:
    """Write the record; the curves are stored there only."""
    curves = result.pop("curves")
    run = measurements.Run(
        data=args.data.resolve().name,
        half=args.half,
        limit=args.limit,
        made=datetime.now(UTC).date().isoformat(),
        command=typed_command(args),
        versions=_versions(),
        config=asdict(config_of(args)),
        report={**result, "failed": len(result["failed"])},
        curves=curves,
    )
    measurements.keep(args.record, model.digest, run)


def _versions() -> dict[str, str]:
    from rustseg_jax import __version__

    names = ("jax", "flax", "numpy", "scikit-image", "pillow", "pydensecrf2")
    return {"rustseg_jax": __version__, **{name: version(name) for name in names}}


def _readable(result: dict[str, Any]) -> str:
    parts = [_classification(result["classification"])]
    if result["segmentation"]:
        parts.append(_segmentation(result))
        parts.append(_gate(result))
    parts.append(_sources(result))
    return "\n\n".join(parts)


def _classification(by_split: dict[str, dict[str, Any]]) -> str:
    names = list(next(iter(by_split.values())))
    rows = [
        [split, *(_number(report[name]) for name in names)] for split, report in by_split.items()
    ]
    return "Verdicts\n" + table(["split", *(n.replace("_", " ") for n in names)], rows)


def _segmentation(result: dict[str, Any]) -> str:
    head = ["split", "n", "stage", "mean IoU", "pooled IoU", "pooled F1", "ratio"]
    rows = []
    for split, scores in result["segmentation"].items():
        n, over = str(scores["n"]), result["over_hsv_rule"][split]
        free = {"mask_any_verdict": result["verdict_gate"][split]["mask_any_verdict"]}
        for stage, values in {**scores, **free}.items():
            if stage != "n":
                numbers = [_number(value) for value in values.values()]
                rows.append([split, n, stage, *numbers, _number(over.get(stage))])
    return "Masks (ratio: pooled IoU divided by that of hsv_rule)\n" + table(head, rows)


def _gate(result: dict[str, Any]) -> str:
    lines = []
    for split, gate in result["verdict_gate"].items():
        n, over = result["segmentation"][split]["n"], result["over_hsv_rule"][split]["mask"]
        lost = gate["emptied_masks"]
        had = f"; their pooled IoU would be {lost['pooled_iou']:.3f}" if lost else ""
        lines.append(f"{split}: masks emptied by the verdict: {gate['emptied']} of {n}{had}")
        if over is not None and over < RULE_TARGET:
            lines.append(f"{split}: below target: mask ratio {over:.2f}, target {RULE_TARGET}")
    return "\n".join(lines)


def _sources(result: dict[str, Any]) -> str:
    missed = {(m["split"], m["source"], m["measure"]) for m in result["below_target"]}
    rows = []
    for split, sources in result["by_source"].items():
        for source, rates in sources.items():
            below = [name for name in rates if (split, source, name) in missed]
            numbers = [_number(value) for value in rates.values()]
            rows.append([split, source, *numbers, " and ".join(below) or "-"])
    head = ["split", "source", "n", "recall", "specificity", f"below {SOURCE_TARGET}"]
    return "Verdicts by source\n" + table(head, rows)


def _faithfulness(result: dict[str, Any]) -> str:
    return "\n\n".join(
        f"{split}: {report['n']} of {report['called']} images classified as corroded\n"
        + (_maps(report) if report["maps"] else "nothing to score")
        for split, report in result["faithfulness"].items()
    )


def _maps(report: dict[str, Any]) -> str:
    """Format the means, then the gain of each method over each baseline with its interval."""
    means = [[name, *map(_number, row.values())] for name, row in report["maps"].items()]
    gains = [
        [f"{name} over {base}", *(_interval(gain) for gain in row.values())]
        for name, by_base in report["gains"].items()
        for base, row in by_base.items()
    ]
    measures = list(next(iter(report["maps"].values())))
    return (
        table(["heat map", *measures], means)
        + "\n\n"
        + table(["gain (95 % interval; above 0 is better)", *measures], gains)
    )


def _interval(gain: dict[str, float]) -> str:
    return f"{gain['mean']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"


def _number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
