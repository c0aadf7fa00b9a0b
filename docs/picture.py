"""Draw the README's picture: the stages of the method on two of the shipped photos.

    python docs/picture.py

Writes docs/stages.jpg: one photo where the model is right, one where it is wrong. The photos are
CC BY 4.0, see data/samples/attribution.csv.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import rustseg_jax as rs  # noqa: E402

NAMES = ("steel_beam", "tank_bulkhead")  # right; wrong: rust that the verdict misses
CAPTIONS = ("photo", "heat map", "rough mask", "mask")


HEIGHT, ASPECT = 200, 0.45  # of each picture: pixels; height over width, what is taller is cropped


def main() -> None:
    """One row a photo."""
    model = rs.load_model()
    rows = [row(rs.segment(ROOT / "data" / "samples" / f"{name}.jpg", model)) for name in NAMES]
    width = min(part.shape[1] for part in rows)  # rounding of the heights
    picture = np.vstack([part[:, :width] for part in rows])
    Image.fromarray(picture).save(ROOT / "docs" / "stages.jpg", quality=88)


def row(seg: rs.Segmentation) -> np.ndarray:
    """The four pictures of a result, with captions."""
    verdict = "corrosion" if seg.corroded else "no corrosion found"
    pictures = [
        seg.image,
        rs.heat_overlay(seg.image, seg.heatmap, opacity=0.6),
        rs.mask_overlay(seg.image, seg.rough, opacity=0.5),
        rs.mask_overlay(seg.image, seg.mask, opacity=0.5),
    ]
    captions = [f"photo: {verdict}, P = {seg.probability:.2f}", *CAPTIONS[1:]]
    rows = min(seg.image.shape[0], round(ASPECT * seg.image.shape[1]))
    top = round(0.55 * (seg.image.shape[0] - rows))
    return rs.side_by_side([p[top : top + rows] for p in pictures], captions, height=HEIGHT)


if __name__ == "__main__":
    main()
