"""Stage 3, refine: from a coarse heat map to a mask.

`threshold` turns the heat map into a rough mask, `crf` aligns it with colour edges, `scribbles`
uses an expert's strokes as examples, and `stage` runs all of this in one call.
"""

from rustseg_jax.config import PUBLISHED, CRFParams, ThresholdConfig
from rustseg_jax.refine.crf import (
    Lattice,
    check_photo,
    check_strokes,
    checked_unit,
    crf_refine,
    shrink_strokes,
    working_shape,
)
from rustseg_jax.refine.threshold import (
    find_threshold,
    foreground_probability,
    moved_by,
    moved_threshold,
    rough_mask,
)

__all__ = [
    "PUBLISHED",
    "CRFParams",
    "Lattice",
    "ThresholdConfig",
    "check_photo",
    "check_strokes",
    "checked_unit",
    "crf_refine",
    "find_threshold",
    "foreground_probability",
    "moved_by",
    "moved_threshold",
    "rough_mask",
    "shrink_strokes",
    "working_shape",
]
