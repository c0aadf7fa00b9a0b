"""Large photos analysed as a whole and in tiles: masks, verdicts, time.

    python -m benchmarks.tiles [--model FILE] [--data FOLDER] [--sets NAME...] [--limit N]
    python -m benchmarks.tiles --largest

The pipeline options are those of `segment`, for example `--cam score_map --overlap 0.5`.

Sets of large pictures with exact masks, generated in memory on each run:

* spots: a clean rendered wall, plate or sheet of 1536x2048 pixels, with small spots of rust from
  other rendered scenes, about 1 % of the picture;
* panels: 4x4 rendered scenes of 448 pixels, four of them corroded, the others clean or look-alikes;
* scenes: corroded rendered scenes of 1344x1792 pixels, with rust in proportion to the picture;
* clean: the same without rust: large clean scenes, and 4x4 clean scenes and look-alikes;
* site, mixed, street, enlarged (with `--data`, a folder with real photos): 4x4 photos of 448
  pixels: all from `seg-site`; four of those among clean ones from `val`; only clean ones from
  `val`; and one photo of `seg-web` or `seg-site` enlarged four times, which is large but has no
  small details. Only photos of the half that may be used for choosing are taken.

`--largest` instead prints time and memory for a photo of 50 megapixels.

Prints, by set: the verdicts (share called corroded), pooled IoU of rough mask and mask in both
modes, their ratio, and seconds per picture in both modes. The verdict counts: a mask is empty if
the picture is called clean; the last IoU treats every picture as corroded.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

import rustseg_jax as rs
from rustseg_jax import images, metrics, scenes
from rustseg_jax.commands.common import (
    add_config_options,
    add_model_option,
    config_of,
    load_classifier,
)
from rustseg_jax.manifest import Record, half_of, load_manifest, read_mask

Picture = tuple[np.ndarray, np.ndarray]
"""(H, W, 3) uint8 and its (H, W) bool mask."""

SIDE, PER_SIDE = 448, 4
RUSTY = ("plate", "painted_steel", "pipe", "corrugated", "railing")
BACKGROUNDS = ("clean_steel", "clean_plate", "clean_corrugated")
CLEAN = tuple(kind for kind, corroded in scenes.KINDS.items() if not corroded)


def spots(count: int) -> Iterator[Picture]:
    """Small rust on large clean scenes."""
    for k in range(count):
        rng = np.random.default_rng(k)
        large = scenes.render(BACKGROUNDS[k % len(BACKGROUNDS)], 500 + k, size=(1536, 2048))
        image, mask = large.image.copy(), np.zeros(large.mask.shape, bool)
        for n in range(int(rng.integers(2, 9))):
            patch = scenes.render(RUSTY[(k + n) % len(RUSTY)], 900 + 10 * k + n)
            _lay_spot(image, mask, patch, rng)
        yield image, mask


def _lay_spot(
    image: np.ndarray, mask: np.ndarray, patch: scenes.Scene, rng: np.random.Generator
) -> None:
    """Paste the medium-sized connected spots of a scene's rust on an image, with a soft edge."""
    labels, count = ndimage.label(ndimage.binary_opening(patch.mask, iterations=1))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    good = [k + 1 for k in np.argsort(-sizes) if 100 <= sizes[k] <= 12_000]
    if not good:
        return
    spot = labels == good[int(rng.integers(min(3, len(good))))]
    box = ndimage.find_objects(spot.astype(int))[0]
    rows, columns = (slice(max(s.start - 3, 0), s.stop + 3) for s in box)
    spot, pixels = spot[rows, columns], patch.image[rows, columns]
    top = int(rng.integers(mask.shape[0] - spot.shape[0]))
    left = int(rng.integers(mask.shape[1] - spot.shape[1]))
    here = slice(top, top + spot.shape[0]), slice(left, left + spot.shape[1])
    alpha = ndimage.gaussian_filter(spot.astype(np.float32), 0.8)[..., None]
    image[here] = np.rint(image[here] * (1 - alpha) + pixels * alpha).astype(np.uint8)
    mask[here] |= spot


def panels(count: int) -> Iterator[Picture]:
    """4x4 scenes, four of them corroded."""
    for k in range(count):
        yield _mosaic([_panel(k, n, rusty=n % 4 == k % 4) for n in range(PER_SIDE**2)], k)


def large_rust(count: int) -> Iterator[Picture]:
    """Corroded large scenes."""
    kinds = (*RUSTY, "rusted_sheet")
    for k in range(count):
        scene = scenes.render(kinds[k % len(kinds)], 300 + k, size=(1344, 1792))
        yield scene.image, scene.mask


def clean(count: int) -> Iterator[Picture]:
    """Large clean scenes, and 4x4 clean ones, alternating."""
    for k in range(count):
        if k % 2:
            yield _mosaic([_panel(k, n, rusty=False) for n in range(PER_SIDE**2)], k)
        else:
            scene = scenes.render(CLEAN[k // 2 % len(CLEAN)], 700 + k, size=(1536, 2048))
            yield scene.image, scene.mask


def _panel(k: int, n: int, *, rusty: bool) -> Picture:
    kinds = RUSTY if rusty else CLEAN
    scene = scenes.render(kinds[(5 * k + n) % len(kinds)], 2000 + 100 * k + n)
    return scene.image, scene.mask


def _mosaic(parts: list[Picture], seed: int) -> Picture:
    """4x4 pictures in random positions."""
    order = np.random.default_rng(seed).permutation(len(parts))
    image = np.empty((PER_SIDE * SIDE, PER_SIDE * SIDE, 3), np.uint8)
    mask = np.empty(image.shape[:2], bool)
    for place, n in enumerate(order):
        rows, columns = (slice(p * SIDE, (p + 1) * SIDE) for p in divmod(place, PER_SIDE))
        image[rows, columns], mask[rows, columns] = parts[n]
    return image, mask


def _real(record: Record) -> Picture:
    photo = images.resize(images.read(record.image), (SIDE, SIDE))
    if record.mask is None:
        return photo, np.zeros((SIDE, SIDE), bool)
    return photo, read_mask(record, (SIDE, SIDE))[0]


def _enlarged(record: Record) -> Picture:
    """A photo enlarged four times: it has no additional detail."""
    photo, mask = _real(record)
    large = images.resize(photo, (PER_SIDE * SIDE, PER_SIDE * SIDE))
    return large, np.kron(mask, np.ones((PER_SIDE, PER_SIDE), bool))


def _mosaics_of(
    rusty: list[Record], others: list[Record], each: int, count: int
) -> Iterator[Picture]:
    """4x4 photos, `each` of them from `rusty`, the others from `others`; none twice."""
    rest = PER_SIDE**2 - each
    for k in range(count):
        chosen = rusty[k * each : (k + 1) * each] + others[k * rest : (k + 1) * rest]
        if len(chosen) < PER_SIDE**2:
            return
        yield _mosaic([_real(r) for r in chosen], k)


def photo_sets(data: Path) -> dict[str, Callable[[int], Iterator[Picture]]]:
    """The sets made from real photos."""
    records = load_manifest(data, splits=("seg-web", "seg-site", "val"))
    half = [r for r in records if half_of(r.scene) == "A"]
    rng = np.random.default_rng(0)
    half = [half[k] for k in rng.permutation(len(half))]
    site = [r for r in half if r.split == "seg-site"]
    others = [r for r in half if r.split == "val" and r.label == 0]
    masked = [r for r in half if r.mask is not None]
    return {
        "site": lambda n: _mosaics_of(site, [], PER_SIDE**2, n),
        "mixed": lambda n: _mosaics_of(site, others, PER_SIDE, n),
        "street": lambda n: _mosaics_of([], others, 0, n),
        "enlarged": lambda n: map(_enlarged, masked[:n]),
    }


SETS: dict[str, Callable[[int], Iterator[Picture]]] = {
    "spots": spots,
    "panels": panels,
    "scenes": large_rust,
    "clean": clean,
}
MODES = ("whole", "tiles")


def measure(pictures: Iterator[Picture], model: rs.Classifier, config: rs.Config) -> dict[str, Any]:
    """Scores of both modes on the same pictures."""
    counts: dict[tuple[str, str], list[metrics.Confusion]] = {}
    seconds: dict[str, list[float]] = {mode: [] for mode in MODES}
    called: dict[str, list[bool]] = {mode: [] for mode in MODES}
    areas, passes = [], []
    # Refined whatever the verdict, so that one run gives both masks.
    free = replace(config, decision_threshold=0.0)
    for image, mask in pictures:
        areas.append(float(mask.mean()))
        for mode in MODES:
            began = time.perf_counter()
            seg = rs.segment(image, model, replace(free, tiles=replace(config.tiles, mode=mode)))
            seconds[mode].append(time.perf_counter() - began)
            verdict = seg.probability >= config.decision_threshold
            called[mode].append(verdict)
            if seg.tiling:
                passes.append(seg.tiling.plan.passes)
            found = {"rough": seg.rough, "free": seg.mask, "mask": seg.mask & verdict}
            for stage, area in found.items():
                counts.setdefault((mode, stage), []).append(metrics.confusion(area, mask))
    scores: dict[str, Any] = {
        mode: {
            "called_corroded": float(np.mean(called[mode])),
            "seconds": float(np.median(seconds[mode])),
            **{stage: _score(counts[mode, stage]) for stage in ("rough", "mask", "free")},
        }
        for mode in MODES
    }
    return {"n": len(areas), "area": float(np.mean(areas)), "passes": max(passes), **scores}


def _score(counts: list[metrics.Confusion]) -> float | None:
    """Pooled IoU; None for clean pictures, which have no rust."""
    together = metrics.pooled(counts)
    if not together.tp + together.fn:
        return None
    return metrics.iou(together)


def largest(model: rs.Classifier, config: rs.Config) -> None:
    """Time and memory for the largest photo that is accepted, 50 megapixels."""
    scene = scenes.render("plate", 1, size=(1444, 2048)).image
    photo = images.resize(scene, (5773, 8660))
    plan = rs.plan_tiles(photo.shape[:2], config.tiles, input_size=model.config.input_size)
    print(f"8660 x 5773 pixels: {plan.describe() if plan else 'analysed as a whole'}")
    began = time.perf_counter()
    seg = rs.segment(photo, model, replace(config, decision_threshold=0.0))
    print(f"segment {time.perf_counter() - began:.1f} s: {dict(seg.timings)}")
    strokes = np.zeros(seg.mask.shape, bool)
    began = time.perf_counter()
    rs.resegment(seg, rust=strokes, clean=~seg.mask)
    print(f"resegment {time.perf_counter() - began:.1f} s")
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    print(f"peak memory of the process: {int(peak[1]) / 1e6:.2f} GB" if peak else "not Linux")


def _line(name: str, row: dict[str, Any]) -> str:
    whole, tiles = row["whole"], row["tiles"]

    def both(key: str, *, ratio: bool = True) -> str:
        values = [part[key] for part in (whole, tiles)]
        if None in values:
            return f"{'-':>22}"
        text = f"{values[0]:6.3f} {values[1]:6.3f}"
        over = values[1] / values[0] if values[0] else float("inf")
        return f"{text} ({over:5.2f})" if ratio else text

    cells = [both("called_corroded", ratio=False)]
    cells += [both(key) for key in ("rough", "mask", "free", "seconds")]
    return f"{name:8} {row['n']:3d} {row['area']:6.4f} {row['passes']:4d}  " + "  ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_model_option(parser)
    add_config_options(parser)
    parser.add_argument("--data", type=Path, help="data folder with real photos")
    parser.add_argument("--sets", nargs="+", help="default: all")
    parser.add_argument("--limit", type=int, default=6, help="maximum of pictures per set")
    parser.add_argument(
        "--largest", action="store_true", help="only measure time and memory at 50 megapixels"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    sets = {**SETS, **(photo_sets(args.data) if args.data else {})}
    if unknown := set(args.sets or ()) - set(sets):
        parser.error(f"unknown set {', '.join(unknown)}; choose from {', '.join(sets)}")
    model, config = load_classifier(args.model), config_of(args)
    if args.largest:
        largest(model, config)
        return
    # Compile and warm up before timing.
    for mode in MODES:
        warm = replace(config, tiles=replace(config.tiles, mode=mode))
        rs.segment(np.zeros((900, 1600, 3), np.uint8), model, warm)
    rows = {}
    if not args.json:
        print("whole, tiles (ratio) of: share called corroded, rough mask, mask, mask if every")
        print("picture were called corroded (pooled IoU), seconds; passes are those of tiles\n")
        print("set        n   area passes")
    for name in args.sets or sets:
        rows[name] = measure(sets[name](args.limit), model, config)
        if not args.json:
            print(_line(name, rows[name]), flush=True)
    if args.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
