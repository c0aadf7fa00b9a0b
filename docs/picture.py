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


def main() -> None:
    """One row a sample."""
    model = rs.load_model()
    rows = []
    for name in NAMES:
        seg = rs.segment(ROOT / "data" / "samples" / f"{name}.jpg", model)
        verdict = (
            f"{'corrosion' if seg.corroded else 'no corrosion found'}, P = {seg.probability:.2f}"
        )
        pictures = [
            seg.image,
            rs.heat_overlay(seg.image, seg.heatmap, opacity=0.6),
            rs.mask_overlay(seg.image, seg.rough, opacity=0.5),
            rs.mask_overlay(seg.image, seg.mask, opacity=0.5),
        ]
        captions = [f"{CAPTIONS[0]}: {verdict}", *CAPTIONS[1:]]
        rows.append(rs.side_by_side(pictures, captions, height=260))
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(r, ((0, 0), (0, width - r.shape[1]), (0, 0)), constant_values=255) for r in rows]
    Image.fromarray(np.vstack(rows)).save(ROOT / "docs" / "stages.jpg", quality=88)


if __name__ == "__main__":
    main()
