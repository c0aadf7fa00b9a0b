"""Measures of the four failures of the published method, for each of `FAILURES`.

Verdict and mask are measured separately. On pictures with rust, pixels are scored on the mask that
the picture would have whatever the verdict, and the verdict has a number of its own; on pictures
without rust, on the final mask. `all_rust` also scores the final mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rustseg_jax import refine
from rustseg_jax.classify import Classifier
from rustseg_jax.config import Config
from rustseg_jax.errors import ConfigError
from rustseg_jax.evaluate.failures import FAILURES, FailureCase, chosen, read, scenes, survey
from rustseg_jax.evaluate.run import Progress, any_verdict
from rustseg_jax.metrics import Confusion, confusion, iou, pooled, recall
from rustseg_jax.pipeline import Segmentation, resegment, segment

__all__ = ["ENOUGH", "LIMIT", "MEASURES", "THRESHOLDS", "measure_failures"]

LIMIT = 60
"""Default maximum of pictures in each set: the whole table takes minutes."""

THRESHOLDS = tuple(k / 20 for k in range(1, 20))
"""Thresholds at which the best mask of a heat map is searched."""

ENOUGH = 0.5
"""A heat map with at least this best IoU is good; a mask below half of that IoU loses it. A picture
counts as found if this share of its rust is marked."""

COLLAPSED = 0.1
"""The CRF has wiped out a rough mask if less than this share of its true area is left."""

Mask = NDArray[np.bool_]

MEASURES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "shadow": {
            "fp_shadow": "share of the sound area in shadow that is marked; low is good",
            "fp_light": "the same area without the shadow (scenes) or the sound area in the light",
            "recall_shadow": "share of the rust in shadow that is marked; high is good",
            "recall_light": "the same rust without the shadow (scenes), or the rust in the light",
            "iou": "pooled IoU of corroded pictures, with the shadow; high is good",
            "iou_without": "the same scenes without the shadow",
            "false_alarms": "share of clean scenes called corroded, with the shadow; low is good",
            "false_alarms_without": "the same scenes without the shadow",
            "missed": "share of corroded pictures called clean, with the shadow; low is good",
            "missed_without": "the same scenes without the shadow",
        },
        "all_rust": {
            "recall": "share of the rusted area that the final mask marks; high is good",
            "recall_any_verdict": "the same, if every verdict were corrosion",
            "found": "share of pictures of which at least half is marked; high is good",
            "missed": "share of pictures called clean; low is good",
            "iou": "pooled IoU of the final mask; high is good",
        },
        "crf_collapse": {
            "survival": "share of the rough mask's true area that the CRF keeps; high is good",
            "collapsed": "share of pictures where less than a tenth of it is kept; low is good",
            "iou_rough": "pooled IoU before the CRF",
            "iou_mask": "pooled IoU after the CRF; should be higher",
            "survival_ideal": "as survival, for an ideal heat map (the true mask, 28 by 28)",
            "iou_rough_ideal": "pooled IoU before the CRF, for an ideal heat map",
            "iou_mask_ideal": "pooled IoU after the CRF; should be higher",
        },
        "post_processing": {
            "iou_mask": "pooled IoU of the mask; high is good",
            "iou_best": "pooled IoU of the heat map at the best threshold of each picture",
            "gap_best": "iou_mask - iou_best; high is good, above 0 the mask beats any threshold",
            "iou_one": "pooled IoU of the heat map at the best common threshold",
            "gap_one": "iou_mask - iou_one; high is good",
            "good_maps": "share of pictures whose heat map reaches IoU 0.5 at some threshold",
            "lost": "of these, the share whose mask has less than half of that IoU; low is good",
        },
    }
)
"""Descriptions of the measures."""


@dataclass(frozen=True)
class _Row:
    """One picture: pixel counts by name; its verdict, and the verdict without the shadow."""

    rusty: bool
    called: bool
    counts: Mapping[str, Confusion]
    called_lit: bool | None = None


Segmenter = Callable[[NDArray[np.uint8]], Segmentation]


def measure_failures(
    model: Classifier,
    config: Config | None = None,
    *,
    data: Path | str | None = None,
    names: Sequence[str] = (),
    splits: Sequence[str] = (),
    half: str = "A",
    limit: int = LIMIT,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure a model on the test sets of the four failures.

    Parameters
    ----------
    model, config : as for `segment`
    data : data folder whose splits `seg-*` provide the photos; None uses scenes only
    names : from `FAILURES`; empty for all
    splits : of the data folder, starting with `seg-`; empty for all
    half : half of the photos' scenes, see `half_of`; report "B" once only
    limit : maximum of pictures in each set, evenly spaced
    progress : called with (sets done, total)

    Returns
    -------
    dict, valid JSON:

    By name of the failure ``scenes`` and, with photos, ``photos``: n, and the numbers of
    `MEASURES`, None for a ratio whose denominator is 0.

    Raises
    ------
    ConfigError
        A name is unknown, or the limit below 1.
    DataError, ImageError
        The data folder cannot be used.
    """
    for name in names:
        if name not in FAILURES:
            raise ConfigError(f"failure is {name!r}; it must be one of {', '.join(FAILURES)}")
    if limit < 1:
        raise ConfigError(f"limit is {limit}; it must be 1 or more")
    wanted = tuple(names) or tuple(FAILURES)
    known = survey(data, half, splits=splits) if data is not None else []
    state = Progress(len(wanted) * (2 if known else 1), progress)
    run = partial(segment, model=model, config=config or Config())
    report: dict[str, Any] = {}
    for name in wanted:
        report[name] = {"scenes": _report(name, scenes(FAILURES[name], limit), run)}
        state.step()
        if known:
            records = chosen(known, FAILURES[name].photos, limit)
            report[name]["photos"] = _report(name, map(read, records), run)
            state.step()
    return report


def _report(name: str, cases: Iterable[FailureCase], run: Segmenter) -> dict[str, Any]:
    row, numbers = _HOW[name]
    rows = [row(case, run) for case in cases]
    found = numbers(rows)
    return {"n": len(rows), **{key: found[key] for key in MEASURES[name]}}


def _mask(seg: Segmentation, case: FailureCase) -> Mask:
    """The mask that is scored; see the module docstring."""
    return any_verdict(seg) if case.rusty else seg.mask


# ---- shadow


def _shadow_row(case: FailureCase, run: Segmenter) -> _Row:
    seg = run(case.image)
    mask, dark = _mask(seg, case), case.ignore | ~case.shadow
    counts = {
        "all": confusion(mask, case.true, case.ignore),
        "shadow": confusion(mask, case.true, dark),
    }
    if case.lit is None:
        counts["light"] = confusion(mask, case.true, case.ignore | case.shadow)
        return _Row(case.rusty, seg.corroded, counts)
    lit = run(case.lit)
    bare = _mask(lit, case)
    counts["light"] = confusion(bare, case.true, dark)
    counts["without"] = confusion(bare, case.true, case.ignore)
    return _Row(case.rusty, seg.corroded, counts, lit.corroded)


def _shadow_numbers(rows: Sequence[_Row]) -> dict[str, float | None]:
    rusty = [r for r in rows if r.rusty]
    clean = [r for r in rows if not r.rusty]
    lit_rusty = [r for r in rusty if r.called_lit is not None]
    lit_clean = [r for r in clean if r.called_lit is not None]
    shadow, light = (pooled(r.counts[name] for r in rows) for name in ("shadow", "light"))
    return {
        "fp_shadow": _share(shadow.fp, shadow.fp + shadow.tn),
        "fp_light": _share(light.fp, light.fp + light.tn),
        "recall_shadow": _share(shadow.tp, shadow.tp + shadow.fn),
        "recall_light": _share(light.tp, light.tp + light.fn),
        "iou": _iou(r.counts["all"] for r in rusty),
        "iou_without": _iou(r.counts["without"] for r in lit_rusty),
        "false_alarms": _share(sum(r.called for r in clean), len(clean)),
        "false_alarms_without": _share(sum(bool(r.called_lit) for r in lit_clean), len(lit_clean)),
        "missed": _share(sum(not r.called for r in rusty), len(rusty)),
        "missed_without": _share(sum(not r.called_lit for r in lit_rusty), len(lit_rusty)),
    }


# ---- all rust


def _all_rust_row(case: FailureCase, run: Segmenter) -> _Row:
    seg = run(case.image)
    counts = {
        "user": confusion(seg.mask, case.true, case.ignore),
        "any": confusion(any_verdict(seg), case.true, case.ignore),
    }
    return _Row(case.rusty, seg.corroded, counts)


def _all_rust_numbers(rows: Sequence[_Row]) -> dict[str, float | None]:
    user, free = (pooled(r.counts[name] for r in rows) for name in ("user", "any"))
    return {
        "recall": _share(user.tp, user.tp + user.fn),
        "recall_any_verdict": _share(free.tp, free.tp + free.fn),
        "found": _share(sum(recall(r.counts["user"]) >= ENOUGH for r in rows), len(rows)),
        "missed": _share(sum(not r.called for r in rows), len(rows)),
        "iou": _iou(r.counts["user"] for r in rows),
    }


# ---- CRF collapse


def _collapse_row(case: FailureCase, run: Segmenter) -> _Row:
    seg = run(case.image)
    ideal = _with_perfect_heat(seg, case.true & ~case.ignore)
    counts = {}
    for suffix, result in (("", seg), ("_ideal", ideal)):
        mask = any_verdict(result)
        counts["rough" + suffix] = confusion(result.rough, case.true, case.ignore)
        counts["mask" + suffix] = confusion(mask, case.true, case.ignore)
        # Share of the rough mask's true area that is left: tp is kept, fn is lost.
        counts["kept" + suffix] = confusion(
            mask, result.rough & case.true, case.ignore | ~(result.rough & case.true)
        )
    return _Row(case.rusty, seg.corroded, counts)


def _with_perfect_heat(seg: Segmentation, true: Mask) -> Segmentation:
    """The result for an ideal heat map, with each cell's true share of rust."""
    # Not `shrink_map`: its means are finer than 1/255, and the recorded numbers use these.
    picture = Image.fromarray(true.astype(np.uint8) * 255)
    heat = np.asarray(picture.resize(seg.heatmap.shape[::-1], Image.Resampling.BOX)) / np.float32(
        255
    )
    known = replace(seg, corroded=True, heatmap=heat, heat_maximum=1.0, fine_heatmap=None)
    threshold = refine.find_threshold(heat, seg.config.threshold)
    return resegment(known, threshold=min(threshold, THRESHOLDS[-1]))  # 1 is not allowed there


def _collapse_numbers(rows: Sequence[_Row]) -> dict[str, float | None]:
    numbers: dict[str, float | None] = {}
    for suffix in ("", "_ideal"):
        kept = pooled(r.counts["kept" + suffix] for r in rows)
        numbers["survival" + suffix] = _share(kept.tp, kept.tp + kept.fn)
        for stage in ("rough", "mask"):
            numbers[f"iou_{stage}{suffix}"] = _iou(r.counts[stage + suffix] for r in rows)
    collapsible = [k for r in rows if (k := r.counts["kept"]).tp + k.fn]
    numbers["collapsed"] = _share(sum(recall(k) < COLLAPSED for k in collapsible), len(collapsible))
    return numbers


# ---- bad post-processing


def _post_row(case: FailureCase, run: Segmenter) -> _Row:
    seg = run(case.image)
    shape = (case.image.shape[0], case.image.shape[1])
    cuts = {
        f"{threshold:.2f}": confusion(
            refine.rough_mask(seg.heat, threshold, shape), case.true, case.ignore
        )
        for threshold in THRESHOLDS
    }
    cuts["best"] = max(cuts.values(), key=iou)
    cuts["mask"] = confusion(any_verdict(seg), case.true, case.ignore)
    return _Row(case.rusty, seg.corroded, cuts)


def _post_numbers(rows: Sequence[_Row]) -> dict[str, float | None]:
    mask, best = (_iou(r.counts[name] for r in rows) for name in ("mask", "best"))
    fixed = [_iou(r.counts[f"{t:.2f}"] for r in rows) for t in THRESHOLDS]
    one = max((value for value in fixed if value is not None), default=None)
    good = [r for r in rows if iou(r.counts["best"]) >= ENOUGH]
    lost = [r for r in good if iou(r.counts["mask"]) < iou(r.counts["best"]) / 2]
    return {
        "iou_mask": mask,
        "iou_best": best,
        "gap_best": _difference(mask, best),
        "iou_one": one,
        "gap_one": _difference(mask, one),
        "good_maps": _share(len(good), len(rows)),
        "lost": _share(len(lost), len(good)),
    }


_HOW: Mapping[
    str,
    tuple[
        Callable[[FailureCase, Segmenter], _Row],
        Callable[[Sequence[_Row]], dict[str, float | None]],
    ],
] = {
    "shadow": (_shadow_row, _shadow_numbers),
    "all_rust": (_all_rust_row, _all_rust_numbers),
    "crf_collapse": (_collapse_row, _collapse_numbers),
    "post_processing": (_post_row, _post_numbers),
}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _iou(counts: Iterable[Confusion]) -> float | None:
    together = list(counts)
    return iou(pooled(together)) if together else None


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second
