"""Metrics: pure functions from arrays to numbers.

`masks` scores masks and verdicts, `calibration` computes curves and reliability, `faithfulness`
scores heat maps, `kappa` measures agreement between raters, `staple` combines their masks.
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
