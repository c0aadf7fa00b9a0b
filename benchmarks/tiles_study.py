"""Combining the whole photo and its tiles: the choices of `docs/decisions/0008-tiles.md`.

    python -m benchmarks.tiles_study [--model FILE] [--data FOLDER] [--limit N]

Results on the sets of `benchmarks.tiles`, in one pass through the network:

* pooled IoU of the rough mask by the whole photo's weight in the heat map (0: tiles only, 1: whole
  photo only), with the threshold rule of `Config`;
* the share of pictures called corroded by rules for the verdict: the whole photo alone, its tiles
  alone (pooled as in the head), the mean of both margins, the larger of both, and the most
  confident tile.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

import rustseg_jax as rs
from benchmarks.tiles import SETS, Picture, photo_sets
from rustseg_jax import images, localise, metrics, refine
from rustseg_jax.commands.common import add_model_option, load_classifier, table
from rustseg_jax.images.resample import bilinear
from rustseg_jax.tiling import windows
from rustseg_jax.tiling.plan import blend, plan_tiles

SHARES = (0.0, 0.25, 1 / 3, 0.5, 0.75, 1.0)
RULES: dict[str, Callable[[float, float, float], float]] = {
    "whole": lambda whole, _pooled, _most: whole,
    "windows": lambda _whole, pooled, _most: pooled,
    "mean": lambda whole, pooled, _most: windows.agree(whole, pooled),
    "larger": lambda whole, pooled, _most: max(whole, pooled),
    "surest window": lambda _whole, _pooled, most: most,
}


@dataclass(frozen=True)
class Looked:
    """One picture: margins of whole, pooled tiles and most confident tile, both maps, the truth."""

    margins: tuple[float, float, float]
    whole: np.ndarray
    fine: np.ndarray
    mask: np.ndarray


def look(picture: Picture, model: rs.Classifier, config: rs.Config) -> Looked:
    photo, mask = picture
    side = model.config.input_size
    plan = plan_tiles(photo.shape[:2], rs.TileConfig("tiles"), input_size=side)
    assert plan is not None
    views = windows.look(photo, model, plan, config.localise)
    x = jnp.asarray(images.resize(photo, (side, side))[None].astype(np.float32) / 255)
    output = model(x)
    heat, top = map(np.asarray, localise.localise(model, x, output, config=config.localise))
    clean, rust = np.asarray(output.logits, np.float64)[0]
    pooled = windows.pool(views.margins, model.config)
    return Looked(
        (float(rust - clean), pooled, float(views.margins.max())),
        windows.absolute(heat, top, config.localise)[0],
        blend(views.maps, plan),
        mask,
    )


def rough(seen: Looked, share: float, config: rs.Config) -> metrics.Confusion:
    whole = bilinear(seen.whole, (seen.fine.shape[0], seen.fine.shape[1]))
    heat = ((1 - share) * seen.fine + share * whole).astype(np.float32)
    if config.localise.method != "score_map":
        heat /= max(float(heat.max()), 1e-30)
    cut = refine.find_threshold(heat, config.threshold)
    found = refine.rough_mask(heat, cut, (seen.mask.shape[0], seen.mask.shape[1]))
    return metrics.confusion(found, seen.mask)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_model_option(parser)
    parser.add_argument("--data", type=Path, help="data folder with real photos")
    parser.add_argument("--limit", type=int, default=6, help="maximum of pictures per set")
    args = parser.parse_args()
    model, config = load_classifier(args.model), rs.Config()
    sets = {**SETS, **(photo_sets(args.data) if args.data else {})}
    shares, verdicts = [], []
    for name, make in sets.items():
        seen = [look(picture, model, config) for picture in make(args.limit)]
        if any(s.mask.any() for s in seen):
            ious = [
                metrics.iou(metrics.pooled([rough(s, share, config) for s in seen]))
                for share in SHARES
            ]
            shares.append([name, *(f"{iou:.3f}" for iou in ious)])
        called = [
            np.mean(
                [_probability(model, rule(*s.margins)) >= config.decision_threshold for s in seen]
            )
            for rule in RULES.values()
        ]
        verdicts.append([name, *(f"{share:.2f}" for share in called)])
    print(table(["rough IoU by share", *(f"{share:.2f}" for share in SHARES)], shares))
    print("\n" + table(["called corroded by", *RULES], verdicts))


def _probability(model: rs.Classifier, margin: float) -> float:
    return float(model.probability(np.array([[0.0, margin]]))[0])


if __name__ == "__main__":
    main()
