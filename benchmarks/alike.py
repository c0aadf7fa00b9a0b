"""Score half B without the pictures that resemble one in half A.

Every picture of `seg-*` counts as a scene of its own, but there are series of one object, with
pictures in both halves. Each picture of half B is compared with all of half A as a thumbnail (16x16
grey, mirrored and rotated); masks and verdicts are scored on the pictures whose best correlation is
below a limit. Other views of one object are found only in part.

python -m benchmarks.alike --data FOLDER [--model FILE]
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from rustseg_jax import images, load_model, metrics, segment_batch
from rustseg_jax.manifest import half_of, load_manifest, read_mask

SIDE = 16
LIMITS = (1.01, 0.8, 0.7, 0.6)  # the first excludes nothing


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(H, W, 3) uint8 -> (256,) with mean 0 and length 1."""
    grey = images.resize(picture, (SIDE, SIDE)).mean(axis=2).ravel()
    grey -= grey.mean()
    length: float = np.linalg.norm(grey)
    return grey / (length or 1.0)


def turned(picture: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Thumbnails of a picture in all eight orientations."""
    return [
        thumbnail(np.ascontiguousarray(np.rot90(p, k)))
        for p in (picture, picture[:, ::-1])
        for k in range(4)
    ]


def main() -> None:
    """Print, for each split and limit, the number of pictures left and their scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", required=True, help="data folder")
    parser.add_argument("--model", help="weights file (default: the shipped weights)")
    parser.add_argument(
        "--split", nargs="+", default=["seg-web", "seg-site"], help="splits of the data folder"
    )
    args = parser.parse_args()
    model = load_model(args.model)
    for split in args.split:
        records = load_manifest(args.data, splits=(split,))
        known = np.stack(
            [thumbnail(images.read(r.image)) for r in records if half_of(r.scene) == "A"]
        )
        judged = [r for r in records if half_of(r.scene) == "B"]
        pictures = [images.read(r.image) for r in judged]
        best = np.array([(np.stack(turned(p)) @ known.T).max() for p in pictures])
        found = list(segment_batch(pictures, model, batch=8))
        counts = [
            metrics.confusion(seg.mask, *read_mask(r, (p.shape[0], p.shape[1])))
            for r, p, seg in zip(judged, pictures, found, strict=True)
        ]
        for limit in LIMITS:
            left = np.flatnonzero(best < limit)
            recall = np.mean([found[k].corroded for k in left])
            iou = metrics.iou(metrics.pooled([counts[k] for k in left]))
            print(f"{split:9} below {limit:4.2f}: {len(left):4} recall {recall:.3f} IoU {iou:.3f}")


if __name__ == "__main__":
    main()
