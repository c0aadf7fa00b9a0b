"""Fit the weights of `rustseg_jax.refine.scribbles` on half A.

    python -m benchmarks.scribbles_fit --data FOLDER [--model FILE] [--every N]

The simulated expert of `benchmarks.expert` scribbles four times in each picture, with completion by
the current weights. At every stroke the features of all pieces are recorded, at every fourth pixel
in each direction. The fit maximises the IoU of the combined fields with the truth, without the CRF,
counting each pixel by its probability; `seg-web` and `seg-site` have the same weight. Prints this
IoU before and after, and the weights in their order.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

import rustseg_jax as rs
from benchmarks.expert import ExpertCase, correct
from benchmarks.scribbles import SHARES, STROKES, cases, evidence_of, resegment
from rustseg_jax.commands.common import add_model_option, load_classifier
from rustseg_jax.refine.scribbles import SOFTEN, WEIGHTS, features_of

SPLITS = ("seg-web", "seg-site")
STRIDE = 4
SHARP = 1.5  # factor of the log odds: closer to the thresholded mask
RIDGE = 1e-3


@dataclass(frozen=True)
class Round:
    """One photo after some strokes: log odds are ``slopes . weights + rest``; flat arrays."""

    split: str
    slopes: np.ndarray
    rest: np.ndarray
    truth: np.ndarray
    counts: np.ndarray
    held: np.ndarray
    """1 and 0 on strokes, NaN elsewhere."""


def rounds(case: ExpertCase, share: float) -> Iterator[Round]:
    evidence = evidence_of(case)
    odds = logit(evidence)
    thin = slice(STRIDE // 2, None, STRIDE), slice(STRIDE // 2, None, STRIDE)
    for marks, _ in correct(case, resegment, STROKES, share):
        if not (marks.rust | marks.clean).any():
            continue
        total = np.zeros((len(WEIGHTS.vector()), *odds.shape), np.float32)
        shares, near = np.full(odds.shape, 1e-12, np.float32), np.zeros(odds.shape, np.float32)
        for one in features_of(case.seg.image, evidence, rust=marks.rust, clean=marks.clean):
            weight = one.near / (one.distance + SOFTEN) ** 2
            total[:, *one.window] += (weight if one.rust else -weight) * one.values
            shares[one.window] += weight
            np.maximum(near[one.window], one.near, out=near[one.window])
        held = np.where(marks.rust, 1.0, np.where(marks.clean, 0.0, np.nan))
        yield Round(
            case.split,
            (near * total / shares)[:, *thin].reshape(len(total), -1),
            ((1 - near) * odds)[thin].ravel(),
            case.truth[thin].ravel().astype(np.float32),
            (~case.ignore)[thin].ravel().astype(np.float32),
            held[thin].ravel(),
        )


def loss(weights: np.ndarray, found: list[Round]) -> tuple[float, np.ndarray]:
    """Return 1 - IoU of soft masks, the mean over splits of means, and its gradient."""
    number = {split: sum(r.split == split for r in found) for split in {r.split for r in found}}
    value, slope = RIDGE * float(weights @ weights), 2 * RIDGE * weights
    for r in found:
        free = np.isnan(r.held)
        p = np.where(free, expit(SHARP * (weights @ r.slopes + r.rest)), r.held)
        both = (p * r.truth * r.counts).sum() + 1
        either = ((p + r.truth - p * r.truth) * r.counts).sum() + 1
        pull = r.counts * (r.truth * either - both * (1 - r.truth)) / either**2
        part = 1 / (number[r.split] * len(number))
        value += part * (1 - both / either)
        slope = slope - part * (r.slopes @ np.where(free, pull * p * (1 - p) * SHARP, 0))
    return value, slope


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True, help="data folder")
    add_model_option(parser)
    parser.add_argument("--every", type=int, default=5, help="use every Nth picture of a split")
    args = parser.parse_args()
    model: rs.Classifier = load_classifier(args.model)
    todo = cases(args.data, model, half="A", every=args.every, splits=SPLITS)
    found = [r for k, case in enumerate(todo) for r in rounds(case, SHARES[k % len(SHARES)])]
    start = WEIGHTS.vector().astype(np.float64)
    best = minimize(loss, start, args=(found,), jac=True, method="L-BFGS-B").x
    print(f"{len(found)} rounds; soft IoU before {1 - loss(start, found)[0]:.3f}, ", end="")
    print(f"after {1 - loss(best, found)[0]:.3f}")
    print(dict(zip(vars(WEIGHTS), best.round(3).tolist(), strict=True)))


if __name__ == "__main__":
    main()
