"""Time the live controls of the first page against the complete pipeline.

    python -m benchmarks.live [--model FILE] [--repeat N]
    python -m benchmarks.live --edges

Prints, for each corroded sample at 448 pixels and the CRF's working size, the median seconds of
`segment`, of the controls (`Adjustable.again`: threshold, CRF on the stored lattice, interval), of
the controls with the uncertainty map, and their ratios to `segment`; all alternate in one process.

`--edges` instead prints how the steps of the edge control change the masks of the samples: the mean
brightness step along the mask's border, relative to the mean of the picture; the border's length
and the area, relative to the default; IoU with the default mask.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable

import numpy as np

import rustseg_jax as rs
from rustseg_jax import images
from rustseg_jax.adjust import EDGES_MOST, RUST_MOST
from rustseg_jax.commands.common import add_model_option, load_classifier
from rustseg_jax.samples import list_samples

SIDE = 448


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _photos() -> dict[str, np.ndarray]:
    """The corroded samples, with their longer side at 448 pixels."""
    found = {}
    for sample in list_samples():
        if sample.corroded:
            photo = images.read(sample.path)
            scale = SIDE / max(photo.shape[:2])
            height, width = (round(side * scale) for side in photo.shape[:2])
            found[sample.name] = images.resize(photo, (height, width))
    return found


def speed(model: rs.Classifier, repeat: int) -> None:
    print(f"{'sample':16} {'segment':>9} {'controls':>9} {'ratio':>6} {'doubt':>9} {'ratio':>6}")
    turned = itertools.cycle(
        rs.Adjustment(rust, edges) for rust in (-2, 3, RUST_MOST) for edges in (-1, 2)
    )
    for name, photo in _photos().items():
        seg = rs.segment(photo, model)
        kept = rs.adjustable(seg, sure=rs.measure_uncertainty(seg, model))
        rows = []
        for _ in range(repeat):
            one = next(turned)
            rows.append(
                (
                    _timed(lambda: rs.segment(photo, model)),  # noqa: B023
                    _timed(lambda: kept.again(photo, one)),  # noqa: B023
                    _timed(lambda: kept.again(photo, one, doubt=True)),  # noqa: B023
                )
            )
        whole, live, doubt = (statistics.median(column) for column in zip(*rows, strict=True))
        print(
            f"{name:16} {whole:7.3f} s {live:7.3f} s {live / whole:6.2f} "
            f"{doubt:7.3f} s {doubt / whole:6.2f}"
        )


def edges(model: rs.Classifier) -> None:
    print(f"{'edges':>5} {'weight':>7} {'contrast':>9} {'length':>7} {'area':>6} {'IoU':>6}")
    found = [(photo, rs.segment(photo, model)) for photo in _photos().values()]
    base = [_border(seg.mask).sum() for _, seg in found]
    for step in range(-EDGES_MOST, EDGES_MOST + 1):
        rows = []
        for (photo, seg), length in zip(found, base, strict=True):
            again, _ = rs.adjustable(seg).again(photo, rs.Adjustment(edges=step))
            border, steps = _border(again.mask), _steps(photo)
            both = (again.mask & seg.mask).sum() / (again.mask | seg.mask).sum()
            rows.append(
                (
                    steps[border].mean() / steps.mean(),
                    border.sum() / length,
                    again.area / seg.area,
                    both,
                )
            )
        means = np.mean(rows, axis=0)
        weight = rs.Adjustment(edges=step).crf(rs.CRFParams()).bilateral_compat
        print(f"{step:5} {weight:7g} " + " ".join(f"{value:7.2f}" for value in means))


def _border(mask: np.ndarray) -> np.ndarray:
    """Pixels whose right or lower neighbour is on the other side of the mask's border."""
    border = np.zeros_like(mask)
    border[:-1] |= mask[:-1] != mask[1:]
    border[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    return border


def _steps(photo: np.ndarray) -> np.ndarray:
    """Brightness step at each pixel."""
    down, across = np.gradient(photo.mean(axis=2))
    return np.abs(down) + np.abs(across)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_model_option(parser)
    parser.add_argument("--repeat", type=int, default=7, help="repetitions for each sample")
    parser.add_argument("--edges", action="store_true", help="show the effect of the edge control")
    args = parser.parse_args()
    model = load_classifier(args.model)
    if args.edges:
        edges(model)
    else:
        speed(model, args.repeat)


if __name__ == "__main__":
    main()
