"""Choose views, threshold and CRF on half A of the pictures with masks, by pooled IoU.

Half B is for reporting and is never opened here. The stages are swept in order: the thresholds use
the best views, the CRFs the best threshold. The score of a choice is the mean over the splits of
the pooled IoU, so that splits with little rust count as much as the others.

python -m benchmarks.choose --data FOLDER [--model FILE] [--every N]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from itertools import product

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from rustseg_jax import images, load_model, metrics, refine
from rustseg_jax.classify import Classifier
from rustseg_jax.config import CORROSION, CRFParams, LocaliseConfig, ThresholdConfig
from rustseg_jax.localise import localise
from rustseg_jax.manifest import half_of, load_manifest, read_mask
from rustseg_jax.refine.crf import Lattice

SCALES = (0.5, 0.75, 1.0, 1.5)
VIEWS = ((1.0,), (0.5, 1.0), (0.5, 0.75, 1.0), (0.5, 1.0, 1.5), (0.5, 0.75, 1.0, 1.5))
BATCH = 4


class Photos:
    """The pictures of half A, their masks, and the network's outputs for each."""

    def __init__(self, data: str, splits: Sequence[str], every: int, model: Classifier) -> None:
        records = [r for r in load_manifest(data, splits=splits) if half_of(r.scene) == "A"]
        self.records = [r for r in records if r.mask is not None][::every]
        self.pixels = [images.read(r.image) for r in self.records]
        self.masks = [
            read_mask(r, (p.shape[0], p.shape[1]))
            for r, p in zip(self.records, self.pixels, strict=True)
        ]
        self.heat = {(s, m): self._heat(model, s, m) for s, m in product(SCALES, (False, True))}

    def _heat(self, model: Classifier, scale: float, mirrored: bool) -> NDArray[np.float32]:
        side, found = model.config.input_size, []
        config = LocaliseConfig(method="score_map", scales=(scale,))
        for first in range(0, len(self.pixels), BATCH):
            part = [images.resize(p, (side, side)) for p in self.pixels[first : first + BATCH]]
            x = np.zeros((BATCH, side, side, 3), np.float32)
            x[: len(part)] = np.stack(part) / np.float32(255)
            x = x[:, :, ::-1] if mirrored else x
            heat, _ = localise(model, jnp.asarray(x), class_index=CORROSION, config=config)
            heat = heat[:, :, ::-1] if mirrored else heat
            found.append(np.asarray(heat)[: len(part)])
        return np.concatenate(found)

    def views(self, scales: Sequence[float], mirror: bool) -> NDArray[np.float32]:
        """Mean heat map (N, 28, 28) of these views, as in `localise`."""
        sides = (False, True) if mirror else (False,)
        mean: NDArray[np.float32] = np.mean([self.heat[s, m] for s in scales for m in sides], 0)
        return mean

    def score(self, found: Iterable[NDArray[np.bool_]]) -> dict[str, float]:
        """Pooled IoU by split, and their mean."""
        counts: dict[str, list[metrics.Confusion]] = {}
        for record, mask, (true, ignore) in zip(self.records, found, self.masks, strict=True):
            counts.setdefault(record.split, []).append(metrics.confusion(mask, true, ignore))
        by_split = {s: metrics.iou(metrics.pooled(c)) for s, c in counts.items()}
        return {**by_split, "mean": float(np.mean(list(by_split.values())))}

    def rough(self, heat: NDArray[np.float32], rule: ThresholdConfig) -> dict[str, float]:
        """Score the rough masks of a threshold rule."""
        return self.score(
            refine.rough_mask(h, refine.find_threshold(h, rule), p.shape[:2])
            for h, p in zip(heat, self.pixels, strict=True)
        )


def _say(name: str, scores: dict[str, float]) -> float:
    print(f"{name:58}" + "".join(f"  {s} {v:.3f}" for s, v in scores.items()), flush=True)
    return scores["mean"]


def choose_views(photos: Photos) -> NDArray[np.float32]:
    """Score each set of views at its best fixed threshold; return the best one's heat maps."""
    best: tuple[float, NDArray[np.float32]] | None = None
    for scales, mirror in product(VIEWS, (False, True)):
        heat = photos.views(scales, mirror)
        rules = [ThresholdConfig("fixed", value=v) for v in (0.3, 0.4, 0.5, 0.6, 0.7)]
        scores = max((photos.rough(heat, r) for r in rules), key=lambda s: s["mean"])
        mean = _say(f"views {scales} mirror {mirror}, best fixed", scores)
        if best is None or mean > best[0]:
            best = (mean, heat)
    assert best is not None
    return best[1]


def choose_rule(photos: Photos, heat: NDArray[np.float32]) -> ThresholdConfig:
    """Score threshold rules; return the best."""
    rules = [ThresholdConfig("fixed", value=v) for v in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)]
    rules += [
        ThresholdConfig("dynamic", value=v, low=low, high=high)
        for v in (0.5, 0.6, 0.7)
        for low, high in ((0.15, 0.8), (0.3, 0.8), (0.4, 0.7))
        if low <= v <= high
    ]
    rules.append(ThresholdConfig("otsu"))
    return max(rules, key=lambda r: _say(str(r)[15:], photos.rough(heat, r)))


def choose_crf(photos: Photos, heat: NDArray[np.float32], rule: ThresholdConfig) -> None:
    """Score CRFs on the same heat maps and threshold rule."""
    rows = {
        "pydensecrf": refine.PUBLISHED["pydensecrf"],
        "irn, 5 steps": CRFParams(bilateral_sxy=50, bilateral_srgb=5, iterations=5),
        "irn": refine.PUBLISHED["irn"],
        "deeplab": refine.PUBLISHED["deeplab"],
        "weak": CRFParams(bilateral_sxy=50, bilateral_srgb=5, bilateral_compat=4, iterations=5),
        "wide colour": CRFParams(bilateral_sxy=50, bilateral_srgb=20, iterations=5),
        "near, the default": CRFParams(),
    }
    cuts = [refine.find_threshold(h, rule) for h in heat]
    _say("rough", photos.rough(heat, rule))
    for name, params in rows.items():
        lattices = [Lattice(p, params) for p in photos.pixels]
        for margin, confidence in product((0.0, 0.3, 0.5, 0.7), (0.95, 0.8)):
            masks = [
                lattice.infer(
                    refine.foreground_probability(
                        h,
                        refine.moved_threshold(c, margin),
                        shape=p.shape[:2],
                        confidence=confidence,
                    )
                )
                >= 0.5
                for h, c, p, lattice in zip(heat, cuts, photos.pixels, lattices, strict=True)
            ]
            _say(f"{name}, margin {margin}, confidence {confidence}", photos.score(masks))


def main() -> None:
    """Run the three sweeps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", required=True, help="data folder")
    parser.add_argument("--model", help="weights file (default: the shipped weights)")
    parser.add_argument(
        "--split", nargs="+", default=["seg-web", "seg-site"], help="splits of the data folder"
    )
    parser.add_argument("--every", type=int, default=1, help="use every Nth picture")
    args = parser.parse_args()
    photos = Photos(args.data, args.split, args.every, load_model(args.model))
    print(f"{len(photos.records)} pictures of half A")
    _say("colour rule", photos.score(metrics.hsv_rule(p) for p in photos.pixels))
    heat = choose_views(photos)
    rule = choose_rule(photos, heat)
    print("chosen", rule)
    choose_crf(photos, heat, rule)


if __name__ == "__main__":
    main()
