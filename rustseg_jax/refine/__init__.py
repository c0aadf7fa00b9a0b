"""Stage 3: from a coarse heat map to a mask.

`threshold` cuts the heat map into a rough mask, `crf` follows colour and texture from there,
`scribbles` takes an expert's strokes as examples, and `stage` is all of it as one call.
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
