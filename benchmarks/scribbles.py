"""Completion of an expert's strokes, compared with other methods, by number of strokes.

    python -m benchmarks.scribbles --data FOLDER [--model FILE] [--every N] [--half A]

A simulated expert (`benchmarks.expert`) starts from the model's mask, scribbles along the middle of
the largest connected error with a brush of 1.5 % of the longer side, has the stroke completed, and
continues from the result. In half of the pictures strokes are two thirds as long as the error, in
the others one third. Prints by split, for each method:

* mean IoU with the true mask after 0, 1, 2 and 4 strokes;
* after 1 and 4 strokes, the share of the photo that is farther than 12 % of the longer side from
  all strokes, was right before the first and is wrong now;
* the median seconds of a completion (the simulated expert adds some time to each stroke).

Methods: strokes painted without completion; strokes fixed in the CRF and nothing else ("pinned",
the earlier version); `resegment`; geodesic distance in colour to the strokes as evidence for the
same CRF; and a random walker between the strokes and everything farther than 12 % from them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage
from scipy.special import expit, logit
from skimage.color import rgb2lab
from skimage.graph import MCP_Geometric
from skimage.segmentation import random_walker

import rustseg_jax as rs
from benchmarks.expert import ExpertCase, Marks, Method, correct
from rustseg_jax import images, metrics, refine
from rustseg_jax.commands.common import add_model_option, load_classifier
from rustseg_jax.manifest import half_of, load_manifest, read_mask
from rustseg_jax.pipeline import DOUBT

SPLITS = ("seg-web", "seg-site", "sample")
STROKES = 4
SHARES = (2 / 3, 1 / 3)
FAR = 0.12  # of the longer side, as in `rustseg_jax.correct.completion`


def painted(case: ExpertCase, marks: Marks) -> np.ndarray:
    """The model's mask with the strokes painted on it."""
    return (case.seg.mask | marks.rust) & ~marks.clean


def pinned(case: ExpertCase, marks: Marks) -> np.ndarray:
    """The dense CRF with the strokes as hard constraints and the heat map's evidence."""
    return _crf(case, marks, evidence_of(case))


def resegment(case: ExpertCase, marks: Marks) -> np.ndarray:
    """The method of the app."""
    return rs.resegment(case.seg, rust=marks.rust, clean=marks.clean).mask


def geodesic(case: ExpertCase, marks: Marks) -> np.ndarray:
    """Log odds of 6 that fade with the geodesic distance in colour, by 1/e in 20 pixels."""
    smooth = ndimage.gaussian_filter(case.seg.image.astype(np.float32), (1.5, 1.5, 0))
    cost = 1 + 2 * _step(rgb2lab(smooth / np.float32(255)))
    reach = 20 * max(cost.shape) / 448
    pull = [
        np.exp(-MCP_Geometric(cost).find_costs(np.argwhere(mark))[0] / reach) if mark.any() else 0
        for mark in (marks.rust, marks.clean)
    ]
    return _crf(case, marks, expit(logit(evidence_of(case)) + 6 * (pull[0] - pull[1])))


def walker(case: ExpertCase, marks: Marks) -> np.ndarray:
    """A random walker; seeded by the model's mask far from all strokes, and not near them."""
    mask = case.seg.mask
    seeds = np.where(_far(marks), np.where(mask, 1, 2), 0)
    seeds[marks.rust], seeds[marks.clean] = 1, 2
    found = np.unique(seeds[seeds > 0])
    if len(found) < 2:
        return np.full(mask.shape, found[0] == 1)
    labels = random_walker(
        case.seg.image, seeds, beta=130, mode="cg_j", tol=1e-3, prob_tol=1, channel_axis=2
    )
    return np.asarray(labels == 1)


WAYS: dict[str, Method] = {
    "painted": painted,
    "pinned": pinned,
    "resegment": resegment,
    "geodesic": geodesic,
    "random walker": walker,
}


def evidence_of(case: ExpertCase) -> np.ndarray:
    seg, shape = case.seg, case.seg.image.shape[:2]
    if not seg.corroded:
        return np.full(shape, DOUBT, np.float32)
    return refine.foreground_probability(seg.heat, seg.threshold, shape=(shape[0], shape[1]))


def _crf(case: ExpertCase, marks: Marks, evidence: np.ndarray) -> np.ndarray:
    seg = case.seg
    posterior = refine.crf_refine(
        seg.image, evidence, seg.crf, rust=marks.rust, clean=marks.clean, lattice=seg.lattice
    )
    return posterior >= 0.5


def _step(lab: np.ndarray) -> np.ndarray:
    """Colour gradient at each pixel, in Lab."""
    down, right = np.gradient(lab, axis=(0, 1))
    return np.asarray(np.sqrt((down**2 + right**2).sum(axis=2)))


def _far(marks: Marks) -> np.ndarray:
    distance = ndimage.distance_transform_edt(~(marks.rust | marks.clean))
    return np.asarray(distance > FAR * max(marks.rust.shape))


def cases(
    folder: str, model: rs.Classifier, *, half: str, every: int, splits: Sequence[str]
) -> Iterator[ExpertCase]:
    """Photos with masks and the model's results; rendered samples have no halves."""
    records = [r for r in load_manifest(folder) if r.split in splits and r.mask is not None]
    for split in splits:
        own = [r for r in records if r.split == split]
        own = [r for r in own if split == "sample" or half_of(r.scene) == half]
        for record in own[::every]:
            photo = images.read(record.image)
            truth, ignore = read_mask(record, (photo.shape[0], photo.shape[1]))
            yield ExpertCase(split, record.image.stem, rs.segment(photo, model), truth, ignore)


def measure(
    case: ExpertCase, method: Method, share: float
) -> tuple[list[float], list[float], list[float]]:
    """IoU, share wrongly changed far away, and seconds, for each number of strokes."""
    seconds: list[float] = []

    def timed(case: ExpertCase, marks: Marks) -> np.ndarray:
        began = time.perf_counter()
        mask = method(case, marks)
        seconds.append(time.perf_counter() - began)
        return mask

    ious, far = [], []
    for marks, mask in correct(case, timed, STROKES, share):
        ious.append(metrics.iou(metrics.confusion(mask, case.truth, case.ignore)))
        spoilt = (case.seg.mask == case.truth) & (mask != case.truth) & ~case.ignore
        far.append(float((spoilt & _far(marks)).mean()))
    return [1.0 if np.isnan(x) else x for x in ious], far, seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True, help="data folder")
    add_model_option(parser)
    parser.add_argument("--every", type=int, default=1, help="use every Nth picture of a split")
    parser.add_argument("--half", default="A", help="half of the photos; choose on A, report B")
    parser.add_argument(
        "--ways", nargs="+", choices=list(WAYS), default=list(WAYS), help="methods to compare"
    )
    args = parser.parse_args()
    model = load_classifier(args.model)
    found: dict[tuple[str, str], list[tuple[list[float], list[float]]]] = defaultdict(list)
    spent: dict[str, list[float]] = defaultdict(list)
    todo = cases(args.data, model, half=args.half, every=args.every, splits=SPLITS)
    for number, case in enumerate(todo):
        for way in args.ways:
            ious, far, seconds = measure(case, WAYS[way], SHARES[number % len(SHARES)])
            found[case.split, way].append((ious, far))
            spent[way] += seconds
    print(f"{'split':9} {'n':>4} {'way':14} {'IoU: 0':>7} {'1':>6} {'2':>6} {'4':>6}", end="")
    print(f" {'far: 1':>8} {'4':>7} {'seconds':>8}")
    for (split, way), rows in found.items():
        ious, far = (np.mean(column, axis=0) for column in zip(*rows, strict=True))
        print(f"{split:9} {len(rows):4} {way:14} ", end="")
        print(" ".join(f"{ious[k]:6.3f}" for k in (0, 1, 2, STROKES)), end="")
        print(f" {100 * far[1]:6.2f} % {100 * far[STROKES]:5.2f} %", end="")
        print(f" {statistics.median(spent[way] or [0.0]):8.2f}")


if __name__ == "__main__":
    main()
