"""Code shared by the commands: exit statuses, common options, tables and messages."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from tqdm import tqdm

from rustseg_jax.config import METHODS, MODES, PUBLISHED, VARIANTS, Config, Rule
from rustseg_jax.resources import checkout

if TYPE_CHECKING:
    from rustseg_jax.classify import Classifier

__all__ = [
    "DONE",
    "INTERRUPTED",
    "MISUSE",
    "SOME_FAILED",
    "add_config_options",
    "add_model_option",
    "config_of",
    "count",
    "load_classifier",
    "print_json",
    "say",
    "table",
    "typed_command",
]

DONE, SOME_FAILED, MISUSE = 0, 1, 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# Grad-CAM++ is selected by the name of its variant.
CAMS = tuple(m for m in METHODS if m != "grad_cam_pp") + VARIANTS


def count(text: str) -> int:
    """Parse a whole number of at least 1, for argparse."""
    return _checked(text, int, lambda v: v >= 1, "a whole number of at least 1")


def _share(text: str) -> float:
    return _checked(text, float, lambda v: 0 <= v <= 1, "a number between 0 and 1")


def _positive_share(text: str) -> float:
    return _checked(text, float, lambda v: 0 < v <= 1, "a number above 0 and at most 1")


def _checked(text: str, kind: Callable[[str], Any], good: Callable[[Any], bool], what: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not good(value):
        raise argparse.ArgumentTypeError(f"invalid value {text!r}: must be {what}")
    return value


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add `--model`."""
    parser.add_argument(
        "--model",
        metavar="FILE",
        type=Path,
        help="weights file (safetensors); default: $RUSTSEG_MODEL, else the shipped weights",
    )


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that set fields of `Config`; without them its defaults apply."""
    group = parser.add_argument_group("method (defaults chosen by measurement)")
    group.add_argument(
        "--decision-threshold",
        metavar="P",
        type=_share,
        help="probability of corrosion at or above which a photo is classified as corroded, 0 to 1",
    )
    group.add_argument(
        "--threshold-rule",
        choices=get_args(Rule),
        help="how the threshold that turns the heat map into the rough mask is found",
    )
    group.add_argument(
        "--threshold",
        metavar="T",
        type=_positive_share,
        help="threshold of the rule 'fixed', and fallback of the other rules",
    )
    group.add_argument(
        "--cam",
        choices=CAMS,
        help="method of the heat map: score map, Grad-CAM, or Grad-CAM++ in one of two variants "
        "(eq19: equation 19 of the paper; author: the authors' code)",
    )
    group.add_argument(
        "--scales",
        metavar="S",
        type=float,
        nargs="+",
        help="scales of the photo over which the heat map is averaged; 1 is the network's input "
        "size",
    )
    group.add_argument(
        "--crf", choices=tuple(PUBLISHED), help="published parameter set for the dense CRF"
    )
    _add_tile_options(parser.add_argument_group("large photos (defaults chosen by measurement)"))


def _add_tile_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mode",
        choices=MODES,
        help="analyse photos whole, also in overlapping tiles, or depending on their size (auto)",
    )
    group.add_argument(
        "--tiles-from",
        metavar="PIXELS",
        type=count,
        help="longer side above which 'auto' uses tiles",
    )
    group.add_argument(
        "--window", metavar="PIXELS", type=count, help="side of a tile, in pixels of the photo"
    )
    group.add_argument(
        "--overlap", metavar="SHARE", type=_share, help="share of a tile that the next one overlaps"
    )
    group.add_argument(
        "--max-windows",
        metavar="N",
        type=count,
        help="maximum number of tiles; a photo that needs more is downscaled first",
    )


def config_of(args: argparse.Namespace) -> Config:
    """Return `Config` with the values given by the options of `add_config_options`."""
    config = Config()
    look = config.localise
    if args.cam in METHODS:
        look = replace(look, method=args.cam)
    elif args.cam is not None:
        look = replace(look, method="grad_cam_pp", variant=args.cam)
    if args.scales is not None:
        look = replace(look, scales=tuple(args.scales))
    config = config.with_heat_map(look)
    if args.decision_threshold is not None:
        config = replace(config, decision_threshold=args.decision_threshold)
    if args.threshold_rule is not None:
        config = replace(config, threshold=replace(config.threshold, rule=args.threshold_rule))
    if args.threshold is not None:
        config = replace(config, threshold=replace(config.threshold, value=args.threshold))
    if args.crf is not None:
        config = replace(config, crf=PUBLISHED[args.crf])
    wanted = {
        "mode": args.mode,
        "from_side": args.tiles_from,
        "window": args.window,
        "overlap": args.overlap,
        "max_windows": args.max_windows,
    }
    chosen = {name: value for name, value in wanted.items() if value is not None}
    return replace(config, tiles=replace(config.tiles, **chosen))


def load_classifier(path: Path | None) -> Classifier:
    """Load the weights and enable the on-disk cache of compiled programs."""
    from rustseg_jax.classify.weights import load_model
    from rustseg_jax.runtime import enable_compilation_cache

    enable_compilation_cache()
    return load_model(path)


def say(text: str) -> None:
    """Print one line on stderr, above the progress bar if one is shown."""
    tqdm.write(f"rustseg: {text}", file=sys.stderr)


def print_json(value: object) -> None:
    """Print one JSON value on stdout; NaN is rejected, because it can only come from a bug."""
    print(json.dumps(value, indent=1, allow_nan=False))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table: columns two spaces apart, text left-aligned, numbers right-aligned.

    A column is numeric if each cell is a number, a percentage such as "10 %" or
    "under 0.1 %", or "-" (no value).
    """
    lines = [tuple(head), *map(tuple, rows)]
    columns = list(zip(*lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(map(_is_number, column[1:])) for column in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _is_number(cell: str) -> bool:
    if cell == "-":
        return True
    try:
        float(cell.removeprefix("under ").removeprefix("over ").removesuffix(" %"))
    except ValueError:
        return False
    return True


def typed_command(args: argparse.Namespace) -> str:
    """Return the command as typed, without private paths.

    Files outside this project are reduced to their names, the data folder to FOLDER.
    """
    places = {str(path): _inside(path) or path.name for path in (args.record, args.model) if path}
    places[str(args.data)] = _inside(args.data) or "FOLDER"
    words = [part for word in args.words for part in _parts(word)]
    return shlex.join(["python", "-m", "rustseg_jax", *(places.get(w, w) for w in words)])


def _inside(path: Path) -> str:
    """Return the path of a file relative to this project; "" if it is outside."""
    place, root = path.resolve(), checkout()
    return place.relative_to(root).as_posix() if root and place.is_relative_to(root) else ""


def _parts(word: str) -> list[str]:
    return word.split("=", 1) if word.startswith("--") else [word]
