"""Quality of a network's seeds on half A, by threshold: precision, recall, IoU of certain rust.

The masks of half A may be used for choosing parameters, never for training; half B is never opened.

python -m benchmarks.seeds --data FOLDER --model FILE [--side 256] [--every N]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rustseg_jax import images, metrics
from rustseg_jax.classify import Classifier
from rustseg_jax.classify.weights import DEFAULT, load_network
from rustseg_jax.images.resample import shrink_mask
from rustseg_jax.learning import seeds
from rustseg_jax.learning.calibrate import shift_map
from rustseg_jax.manifest import Record, half_of, load_manifest, read_mask

SPLITS = ("seg-web", "seg-site")
CUTS = ((0.35, 0.6), (0.45, 0.7), (0.5, 0.75), (0.6, 0.85), (0.7, 0.9))
FIRM = 190  # seeds from this value on are rust, as in learning.paste


def as_in_training(path: str | Path) -> Classifier:
    """The network with the score map from which training makes seeds, see `Recipe.map_shift`."""
    network, _, about = load_network(path)
    network.eval()
    if shift := about.get("map_shift"):
        shift_map(network, -shift)
    return Classifier.of(network)


def true_cells(record: Record, side: int) -> NDArray[np.bool_]:
    """The mask of a picture at the size of its seeds."""
    shape = images.read(record.image).shape[:2]
    mask, _ = read_mask(record, (shape[0], shape[1]))
    small = side // seeds.CELL, side // seeds.CELL
    return shrink_mask(mask, small)


def say(
    name: str,
    records: list[Record],
    truths: list[NDArray[np.bool_]],
    found: Iterable[NDArray[np.uint8]],
) -> None:
    """Print one row."""
    counts: dict[str, list[metrics.Confusion]] = {}
    for record, true, one in zip(records, truths, found, strict=True):
        counts.setdefault(record.split, []).append(metrics.confusion(one >= FIRM, true))
    row = f"{name:16}"
    for split in SPLITS:
        c = metrics.pooled(counts[split])
        precision, recall = c.tp / max(c.tp + c.fp, 1), c.tp / max(c.tp + c.fn, 1)
        row += f"  {split}: precision {precision:.3f} recall {recall:.3f} IoU {metrics.iou(c):.3f}"
    print(row, flush=True)


def main() -> None:
    """Print a row for the colour rule and one for each threshold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", required=True, help="data folder")
    parser.add_argument("--model", help="weights; for a run in progress: last.safetensors")
    parser.add_argument("--side", type=int, default=256, help="side of a picture in pixels")
    parser.add_argument("--every", type=int, default=5, help="use every Nth picture")
    args = parser.parse_args()
    chosen = [
        r
        for r in load_manifest(args.data, splits=SPLITS)
        if half_of(r.scene) == "A" and r.mask is not None
    ][:: args.every]
    model = as_in_training(args.model or DEFAULT)
    side = (args.side, args.side)
    pictures = np.stack([images.resize(images.read(r.image), side) for r in chosen])
    truths = [true_cells(r, args.side) for r in chosen]
    print(f"{len(chosen)} pictures of half A at {args.side} pixels")
    say("colour", chosen, truths, (seeds.colour_seeds(p) for p in pictures))
    everything = np.arange(len(chosen))
    for cut in CUTS:
        found = seeds.own_seeds(model, pictures, everything, cut=cut)
        say(f"threshold {cut[0]}, {cut[1]}", chosen, truths, found)


if __name__ == "__main__":
    main()
