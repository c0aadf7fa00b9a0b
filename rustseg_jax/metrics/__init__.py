"""Numbers on arrays, and nothing else.

`masks` compares masks and scores verdicts, `calibration` has curves and reliability, `faithfulness`
judges heat maps, `kappa` and `staple` compare raters.
"""

from rustseg_jax.metrics.masks import (
    Confusion,
    Faithfulness,
    auc,
    classification_report,
    confusion,
    ece,
    f1,
    hsv_rule,
    insertion_deletion,
    iou,
    mean_iou,
    pooled,
    precision,
    recall,
)

__all__ = [
    "Confusion",
    "Faithfulness",
    "auc",
    "classification_report",
    "confusion",
    "ece",
    "f1",
    "hsv_rule",
    "insertion_deletion",
    "iou",
    "mean_iou",
    "pooled",
    "precision",
    "recall",
]
