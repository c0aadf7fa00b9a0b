"""Compute the numbers of a report from scored pictures; valid JSON throughout."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rustseg_jax import metrics
from rustseg_jax.config import CORROSION, SOURCE_TARGET
from rustseg_jax.manifest import Record
from rustseg_jax.metrics import calibration

__all__ = [
    "FREE",
    "STAGES",
    "Counts",
    "Scored",
    "summarise",
    "trace",
]

STAGES = ("heatmap", "rough", "mask", "hsv_rule")
"""Stages scored against the masks, in this order."""

Counts = dict[str, metrics.Confusion]

FREE = "mask_any_verdict"
"""The mask as it would be if the verdict were "corrosion"."""


@dataclass(frozen=True)
class Scored:
    """One picture: its record, its probability and, if it has a mask, its counts by stage.

    `emptied`: its mask is empty only because of the verdict.
    """

    record: Record
    probability: float
    counts: Counts | None = None
    emptied: bool = False


def summarise(scored: Mapping[str, Sequence[Scored]], threshold: float) -> dict[str, Any]:
    """Report on pictures by split; `threshold` is the decision threshold. Keys: see `evaluate`."""
    segmentation = {n: part for n, s in scored.items() if (part := _segmentation(s))}
    by_source = {n: _by_source(s, threshold) for n, s in scored.items()}
    return {
        "classification": {n: _classification(s, threshold) for n, s in scored.items()},
        "segmentation": segmentation,
        "by_source": by_source,
        "over_hsv_rule": {n: _over_rule(part) for n, part in segmentation.items()},
        "verdict_gate": {n: _verdict_gate(scored[n]) for n in segmentation},
        "below_target": _below_target(by_source),
    }


def trace(scored: Mapping[str, Sequence[Scored]], threshold: float) -> dict[str, Any]:
    """Data for plots of the verdicts, by split; keys: see ``curves`` of `evaluate`."""
    return {name: _trace(part, threshold) for name, part in scored.items()}


def _trace(scored: Sequence[Scored], threshold: float) -> dict[str, Any]:
    probabilities = [s.probability for s in scored]
    labels = np.array([s.record.label for s in scored], int)
    return {
        "reliability": calibration.reliability(probabilities, labels),
        "points": calibration.operating_points(probabilities, labels),
        "sources": _sources(scored, threshold),
    }


def _sources(scored: Sequence[Scored], threshold: float) -> list[dict[str, Any]]:
    """One row per source and label, with its interval."""
    rows = []
    for source, part in _grouped(scored).items():
        for measure, hits in _hits(part, threshold).items():
            if hits:
                right, n = sum(hits), len(hits)
                low, high = calibration.wilson(right, n)
                row = {"source": source, "measure": measure, "right": right, "n": n}
                rows.append({**row, "value": right / n, "low": low, "high": high})
    return rows


def _classification(scored: Sequence[Scored], threshold: float) -> dict[str, Any]:
    return metrics.classification_report(
        [s.probability for s in scored],
        np.array([s.record.label for s in scored], int),
        threshold,
    )


def _segmentation(scored: Sequence[Scored]) -> dict[str, Any] | None:
    counts = [s.counts for s in scored if s.counts is not None]
    if not counts:
        return None
    return {"n": len(counts), **{stage: _stage([c[stage] for c in counts]) for stage in STAGES}}


def _stage(counts: Sequence[metrics.Confusion]) -> dict[str, float]:
    together = metrics.pooled(counts)
    return {
        "mean_iou": metrics.mean_iou(counts),
        "pooled_iou": metrics.iou(together),
        "pooled_f1": metrics.f1(together),
    }


def _over_rule(scores: dict[str, Any]) -> dict[str, float | None]:
    rule = scores["hsv_rule"]["pooled_iou"]
    return {
        stage: scores[stage]["pooled_iou"] / rule if rule else None
        for stage in STAGES
        if stage != "hsv_rule"
    }


def _verdict_gate(scored: Sequence[Scored]) -> dict[str, Any]:
    free = [(s.emptied, s.counts[FREE]) for s in scored if s.counts is not None]
    emptied = [counts for gone, counts in free if gone]
    return {
        "emptied": len(emptied),
        FREE: _stage([counts for _, counts in free]),
        "emptied_masks": _stage(emptied) if emptied else None,
    }


def _below_target(by_source: dict[str, dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [
        {"split": split, "source": source, "measure": m, "value": rates[m], "n": rates["n"]}
        for split, sources in by_source.items()
        for source, rates in sources.items()
        for m in ("recall", "specificity")
        if rates[m] is not None and rates[m] < SOURCE_TARGET
    ]


def _by_source(scored: Sequence[Scored], threshold: float) -> dict[str, dict[str, Any]]:
    return {source: _rates(part, threshold) for source, part in _grouped(scored).items()}


def _grouped(scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    groups: dict[str, list[Scored]] = defaultdict(list)
    for s in scored:
        groups[s.record.source].append(s)
    return {source: groups[source] for source in sorted(groups)}


def _rates(scored: Sequence[Scored], threshold: float) -> dict[str, Any]:
    rates = {
        measure: sum(hits) / len(hits) if hits else None
        for measure, hits in _hits(scored, threshold).items()
    }
    return {"n": len(scored), **rates}


def _hits(scored: Sequence[Scored], threshold: float) -> dict[str, list[bool]]:
    """Whether each corroded picture was found (recall), each clean one passed (specificity)."""
    right: dict[str, list[bool]] = {"recall": [], "specificity": []}
    for s in scored:
        rust = s.record.label == CORROSION
        right["recall" if rust else "specificity"].append((s.probability >= threshold) == rust)
    return right
