"""`calibrate`: calibrate the interval of the rusted area and report its coverage."""

from __future__ import annotations

import argparse
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
)
from rustseg_jax.config import HALVES, UncertaintyConfig
from rustseg_jax.wording import setting

if TYPE_CHECKING:
    from rustseg_jax.learning.calibrate_area import KnownArea
    from rustseg_jax.uncertainty.interval import AreaModel

__all__ = ["add", "run"]

LEVEL = UncertaintyConfig.level
NAMES = {
    "interval": "interval",
    "alone": "without variants",
    "constant": "mask +- constant",
    "everywhere": "same for all",
    "variants": "range of variants",
}


def add(commands: Any) -> None:
    """Describe the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "calibrate",
        help="calibrate the interval of the rusted area on photos with masks",
        description="Calibrate the interval of the rusted area on the photos with masks of half A "
        "and variants of them, and save the calibration beside the weights. Prints coverage and "
        "width, cross-validated by scene. With --half B, score the stored calibration on the "
        "other half and write nothing.",
    )
    parser.add_argument("--data", metavar="DIR", type=Path, required=True, help="data folder")
    parser.add_argument(
        "--split",
        metavar="S",
        nargs="+",
        action="extend",
        default=[],
        help="splits to use; default: all with masks",
    )
    parser.add_argument(
        "--half",
        choices=HALVES,
        default="A",
        help="half of the scenes: A to calibrate, B to score only; default: A",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="calibration file; default: area.json beside the weights",
    )
    parser.add_argument(
        "--limit", metavar="N", type=count, help="use N evenly spaced photos of each split"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of the table"
    )
    add_model_option(parser)
    add_config_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Calibrate or score, and print; return 1 if a photo could not be used."""
    from rustseg_jax.errors import ConfigError
    from rustseg_jax.learning import calibrate_area as learning
    from rustseg_jax.uncertainty.doubt import settings_of
    from rustseg_jax.uncertainty.interval import load_area, place_of, save_area

    records = _records(args)
    if args.half == "A":
        learning.check_enough(len(records))  # before minutes of work
    model, config, variants = load_classifier(args.model), config_of(args), UncertaintyConfig()
    settings, place = settings_of(config, variants), args.out or place_of(args.model)
    stored = load_area(place) if args.half == "B" else None
    if stored and (reason := stored.mismatch(model.digest, settings)):
        raise ConfigError(f"{place} cannot be used: it is {reason}; calibrate on half A first")
    with tqdm(unit="photo", total=len(records)) as bar:
        cases, failed = learning.collect(
            records, model, config, variants, progress=lambda done, _: bar.update(done - bar.n)
        )
    for failure in failed:
        say(f"skipped: {failure['error']}")
    if stored:
        report = _scored(cases, stored)
    else:
        report = learning.cross_validate(cases, level=LEVEL)
        record = {
            "half": args.half,
            "splits": sorted({case.split for case in cases}),
            "level": LEVEL,
            "report": report,
            "areas": [[round(share, 5) for share in case.pair] for case in cases],
        }
        save_area(
            place, learning.fit(cases, weights=model.digest, settings=settings, record=record)
        )
    _show(args, report, failed, place)
    return SOME_FAILED if failed else DONE


def _records(args: argparse.Namespace) -> list[Any]:
    """Return the photos with masks of the half; with --limit, evenly spaced ones of each split."""
    from rustseg_jax.errors import DataError
    from rustseg_jax.evaluate.run import evenly
    from rustseg_jax.manifest import half_of, load_manifest

    listed = load_manifest(args.data, splits=args.split)
    records = [r for r in listed if r.mask is not None and half_of(r.scene) == args.half]
    if not records:
        raise DataError(f"{args.data} has no photo with a mask in half {args.half}")
    splits = sorted({r.split for r in records})
    return [
        r for split in splits for r in evenly([r for r in records if r.split == split], args.limit)
    ]


def _scored(cases: list[KnownArea], stored: AreaModel) -> dict[str, Any]:
    from rustseg_jax.learning.calibrate_area import judge, score

    known = [(float(mask), float(true)) for mask, true in stored.record["areas"]]
    judged = judge(cases, stored, known, level=LEVEL)
    return score(
        [case for case, _ in judged],
        [bounds for _, bounds in judged],
        level=LEVEL,
    )


def _show(
    args: argparse.Namespace, report: dict[str, Any], failed: list[dict[str, str]], place: Path
) -> None:
    if args.json:
        print_json(
            {"half": args.half, "level": LEVEL, "groups": report, "file": str(place),
             "failed": failed}
        )  # fmt: skip
        return
    rows = [
        [group, str(scores["n"]), NAMES[method], *(f"{v:.3f}" for v in scores[method].values())]
        for group, scores in report.items()
        for method in NAMES
        if method in scores
    ]
    how = "cross-validated by scene" if args.half == "A" else "stored calibration"
    print(f"{setting(LEVEL)} intervals of the rusted area, half {args.half}, {how}")
    print(table(["photos", "n", "method", "coverage", "mean width", "Winkler score"], rows))
    print(f"calibration {'saved to' if args.half == 'A' else 'read from'} {place}")
