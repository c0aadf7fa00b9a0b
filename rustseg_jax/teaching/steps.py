"""The steps of one photo: the templates of `texts`, filled in with its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from rustseg_jax.result import Segmentation
from rustseg_jax.teaching.mask import BY_HAND, CRFSteps, Histogram, Truth
from rustseg_jax.teaching.network import Inside
from rustseg_jax.teaching.texts import FORMULAS, METHODS, STAGES, TEXTS
from rustseg_jax.wording import percent, setting

__all__ = ["Step", "steps"]


@dataclass(frozen=True)
class Step:
    """The explanation of one step of the method on one photo.

    Attributes
    ----------
    name : one of `STEPS`
    title : a short heading
    what, why, wrong : what happens, why, and what can go wrong, with the numbers of this photo
    formula : LaTeX, or ""
    numbers : label -> formatted value
    """

    name: str
    title: str
    what: str
    why: str
    wrong: str
    formula: str
    numbers: Mapping[str, str]


_NOT_RUN = "Not run: {reason}."


def steps(
    seg: Segmentation,
    inside: Inside,
    heat: Histogram,
    crf: CRFSteps | None,
    truth: Truth | None,
) -> tuple[Step, ...]:
    """Explain each step on this photo.

    Parameters
    ----------
    seg : a result
    inside, heat, crf, truth : its details; `crf` is None if the CRF was not run, `truth` if the
        true mask is not known

    Returns
    -------
    `Step`, in the order of `STEPS`; without "truth" if the true mask is not known
    """
    explained = [
        _step("seen", _seen(seg, inside)),
        _step("blocks", _blocks(inside)),
        _step("scores", _scores(inside)),
        replace(_step("heatmap", _heat(seg)), formula=FORMULAS[seg.config.localise.method]),
        _cut(seg, heat),
        *(_step(n, f(crf)) if crf else _skipped(n, seg) for n, f in _CRF.items()),
        _step("mask", _mask(seg)),
    ]
    return (*explained, _step("truth", _truth(truth))) if truth else tuple(explained)


def _step(name: str, values: Mapping[str, str]) -> Step:
    """Fill in a template; values with a label in `_LABELS` are also listed as numbers."""
    text = TEXTS[name]
    what, why, wrong = (part.format(**values) for part in (text.what, text.why, text.wrong))
    numbers = {label: values[key] for key, label in _LABELS.get(name, {}).items()}
    return Step(name, text.title, what, why, wrong, text.formula, MappingProxyType(numbers))


def _cut(seg: Segmentation, heat: Histogram) -> Step:
    """Explain the threshold; the formula is that of the dynamic rule."""
    step = _step("threshold", _threshold(seg, heat))
    return step if heat.rule == "dynamic" else replace(step, formula="")


def _skipped(name: str, seg: Segmentation) -> Step:
    text = TEXTS[name]
    what = _NOT_RUN.format(reason=seg.reason or "there was nothing to refine")
    return Step(name, text.title, what, text.why, text.wrong, text.formula, MappingProxyType({}))


_LABELS: Mapping[str, Mapping[str, str]] = {
    "seen": {
        "across": "Photo pixels per input pixel, across",
        "down": "Photo pixels per input pixel, down",
    },
    "blocks": {"weight": "Largest weight in the last block", "margin": "Margin"},
    "scores": {
        "clean": "Score for clean",
        "corrosion": "Score for corrosion",
        "margin": "Margin",
        "temperature": "Temperature",
        "p": "P(corrosion)",
        "limit": "Decision threshold",
        "tipping": "Margin at the threshold",
        "sizes": "Margin by input size",
    },
    "heatmap": {"peak": "Maximum", "median": "Median", "cell": "Pixels per position"},
    "threshold": {
        "threshold": "Threshold",
        "rule": "Rule",
        "otsu": "Otsu threshold",
        "fixed": "Fixed threshold",
        "above": "Positions at or above",
        "rough": "Rough mask",
    },
    "unary": {"low": "Lowest", "high": "Highest", "unsure": "Between 30 and 70 %"},
    "crf": {
        "updates": "Updates",
        "first": "Area before",
        "last": "Area after",
        "moved": "Changed by the last update",
    },
    "mask": {"area": "Area of the mask"},
    "truth": {
        "iou": "IoU",
        "missed": "Missed rust",
        "extra": "False alarm",
        "losses": "IoU by stage",
    },
}


def _seen(seg: Segmentation, inside: Inside) -> dict[str, str]:
    height, width = seg.image.shape[:2]
    side = inside.seen.shape[0]
    plan = seg.tiling.plan if seg.tiling else None
    return {
        "width": str(width),
        "height": str(height),
        "side": str(side),
        "across": f"{width / side:.2g}",
        "down": f"{height / side:.2g}",
        "windows": f", apart from {plan.windows} tiles of {plan.window} pixels" if plan else "",
    }


def _blocks(inside: Inside) -> dict[str, str]:
    first, last = inside.blocks[0], inside.blocks[-1]
    return {
        "shown": str(len(first.shown)),
        "side": "for" if last.shown[0].weight > 0 else "against",
        "weight": f"{last.shown[0].weight:+.2f}",
        "margin": f"{inside.scores.margin:+.2f}",
        "first": str(first.sees),
        "last": str(last.sees),
    }


def _scores(inside: Inside) -> dict[str, str]:
    s = inside.scores
    pairs = zip(s.sizes, s.margins, strict=True)
    windows = ""
    if s.windows is not None:
        windows = f" The margin of the tiles is {s.windows:+.2f}; the mean is {s.final:+.2f}."
    return {
        "clean": f"{s.logits[0]:+.2f}",
        "corrosion": f"{s.logits[1]:+.2f}",
        "margin": f"{s.margin:+.2f}",
        "windows": windows,
        "temperature": f"{s.temperature:.2f}",
        "p": percent(s.probability, digits=0, sure=False),
        "limit": setting(s.decision_threshold),
        "place": "at or above" if s.corroded else "below",
        "verdict": "corrosion" if s.corroded else "no corrosion",
        "tipping": f"{s.tipping:+.2f}",
        "sizes": ", ".join(f"{margin:+.2f} at {size}" for size, margin in pairs),
    }


def _heat(seg: Segmentation) -> dict[str, str]:
    rows, columns = seg.heat.shape
    height, width = seg.image.shape[:2]
    ordered = sorted(seg.heat.ravel().tolist())
    return {
        "rows": str(rows),
        "columns": str(columns),
        "method": METHODS[seg.config.localise.method],
        "peak": f"{ordered[-1]:.2f}",
        "median": f"{ordered[len(ordered) // 2]:.2f}",
        "cell": f"{max(height / rows, width / columns):.0f}",
    }


def _threshold(seg: Segmentation, heat: Histogram) -> dict[str, str]:
    return {
        "threshold": f"{heat.threshold:.2f}",
        "rule": "set by hand" if heat.rule == BY_HAND else f"{heat.rule} rule",
        "otsu": f"{heat.by_rule['otsu']:.2f}",
        "fixed": f"{heat.by_rule['fixed']:.2f}",
        "above": percent(heat.above),
        "rough": percent(float(seg.rough.mean())),
    }


def _unary(crf: CRFSteps) -> dict[str, str]:
    unsure = (crf.unary > 0.3) & (crf.unary < 0.7)
    return {
        "low": percent(float(crf.unary.min())),
        "high": percent(float(crf.unary.max())),
        "unsure": percent(float(unsure.mean())),
    }


def _crf(crf: CRFSteps) -> dict[str, str]:
    p = crf.params
    scale = max(crf.small.shape[:2]) / p.reference_size
    return {
        "updates": str(crf.updates),
        "near": f"{p.gaussian_sxy * scale:.3g}",
        "far": f"{p.bilateral_sxy * scale:.3g}",
        "levels": f"{p.bilateral_srgb:g}",
        "first": percent(crf.areas[0]),
        "last": percent(crf.areas[-1]),
        "moved": percent(crf.changed[-1]) if crf.changed else "none",
    }


_CRF = {"unary": _unary, "crf": _crf}


def _mask(seg: Segmentation) -> dict[str, str]:
    reason = f" ({seg.reason})" if seg.reason else ""
    return {"area": percent(seg.area), "reason": reason}


def _truth(truth: Truth) -> dict[str, str]:
    end = truth.stages["verdict"]
    hit, missed, extra = (int(part.sum()) for part in (end.hit, end.missed, end.extra))
    worst = "No stage causes a loss."
    if truth.worst:
        lost = truth.stages[truth.worst].lost
        worst = f"The largest loss is due to {STAGES[truth.worst]}: {lost:.2f} IoU."
    return {
        "iou": f"{end.iou:.2f}",
        "missed": percent(missed / (hit + missed) if hit + missed else 0.0),
        "extra": percent(extra / (hit + extra) if hit + extra else 0.0),
        "worst": worst,
        "losses": ", ".join(f"{name} {stage.iou:.2f}" for name, stage in truth.stages.items()),
    }
