"""Blame the stage: replay each correction against the prediction that it corrects.

The model does not run again: heat map, threshold and masks of the prediction are stored. Pixels
that the expert marked as uncertain are not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from rustseg_jax import refine
from rustseg_jax.errors import ConfigError
from rustseg_jax.evaluate.stage_losses import Loss, best_cut, losses, through_grid, worst_of
from rustseg_jax.labels.queries.listing import Filters, list_corrections
from rustseg_jax.labels.records import Correction, Prediction, is_counted
from rustseg_jax.labels.store import Store
from rustseg_jax.metrics import Confusion, confusion, iou, pooled

__all__ = ["HEATMAP_THRESHOLD", "Blame", "blame_all", "blame_correction"]

HEATMAP_THRESHOLD = 0.5
"""Threshold at which a heat map is scored whatever the rule of the config, as in `evaluate`."""

ORDER = ("grid", "heatmap", "threshold", "crf", "verdict")
SCORED = ("heatmap", "rough", "mask")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Blame:
    """The error of one prediction, by stage.

    Attributes
    ----------
    correction, prediction, photo, model : ids and SHA-256s
    counts : pixel counts against the expert's mask for `heatmap` (thresholded at one half), `rough`
        (the heat map at the prediction's threshold) and `mask` (the final mask)
    stages : loss of each stage, in the order of the method, see `rustseg_jax.teaching`: "grid",
        "heatmap", "threshold", "crf", "verdict". There is no "crf" if the verdict was "no
        corrosion": the CRF did not run, and the loss belongs to the verdict
    best_threshold : threshold at which this heat map scores best
    worst : the stage that lost most, "" if nothing was lost
    """

    correction: str
    prediction: str
    photo: str
    model: str
    counts: Mapping[str, Confusion]
    stages: Mapping[str, Loss]
    best_threshold: float
    worst: str

    @property
    def iou(self) -> dict[str, float]:
        """IoU of heat map, rough mask and mask with the expert's mask."""
        return {name: iou(count) for name, count in self.counts.items()}


def blame_correction(correction: Correction, prediction: Prediction) -> Blame:
    """Find the stage that lost most.

    Parameters
    ----------
    correction : a correction with a mask
    prediction : the prediction that it corrects

    Returns
    -------
    `Blame`

    Raises
    ------
    ConfigError
        The correction has no mask, or is of another photo.
    """
    if correction.mask is None:
        raise ConfigError(f"correction {correction.id} has no mask to compare with")
    if correction.photo != prediction.photo:
        raise ConfigError("the correction and the prediction are of different photos")
    true = correction.mask.decode()
    ignore = None if correction.ignore is None else correction.ignore.decode()
    rough, mask = prediction.rough.decode(), prediction.mask.decode()
    shape = (true.shape[0], true.shape[1])
    half = refine.rough_mask(prediction.heat, HEATMAP_THRESHOLD, shape)
    best = best_cut(prediction.heat, prediction.threshold, true, ignore)
    stages = {
        "grid": through_grid(true, (prediction.heat.shape[0], prediction.heat.shape[1])),
        "heatmap": refine.rough_mask(prediction.heat, best, shape),
        "threshold": rough,
        **({"crf": mask} if prediction.corroded else {}),
        "verdict": mask,
    }
    found = losses(stages, true, ignore)
    return Blame(
        correction=correction.id,
        prediction=prediction.id,
        photo=correction.photo,
        model=prediction.model,
        counts={
            name: confusion(layer, true, ignore)
            for name, layer in zip(SCORED, (half, rough, mask), strict=True)
        },
        stages=found,
        best_threshold=best,
        worst=worst_of(found),
    )


def blame_all(
    store: Store,
    filters: Filters | None = None,
    *,
    progress: Progress | None = None,
    known: MutableMapping[str, Blame] | None = None,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> dict[str, Any]:
    """Blame the stages over all corrections that have a mask and a prediction.

    Parameters
    ----------
    store : a labels folder
    filters : which corrections; None for all counted corrections by experts and imports, see
        `records.is_counted`
    progress : called with (corrections done, corrections read so far)
    known : cache of earlier results by id of the correction; they never change. New results are
        added. A caller that keeps it can stop at any time and continue later
    turn : context manager entered for each correction, to share the processor with other
        computations

    Returns
    -------
    dict, valid JSON: ``all`` and ``models`` (by SHA-256 of the weights), each with n and, if n is
    above 0, ``iou`` and ``pooled_iou`` (of heatmap, rough and mask; mean over photos, and over all
    pixels together), ``lost`` (mean IoU lost by each stage) and ``worst`` (number of corrections in
    which each stage lost most)
    """
    found = list(_blames(store, filters, progress, {} if known is None else known, turn))
    by_model: dict[str, list[Blame]] = defaultdict(list)
    for one in found:
        by_model[one.model].append(one)
    return {"all": _sum(found), "models": {m: _sum(by_model[m]) for m in sorted(by_model)}}


def _blames(
    store: Store,
    filters: Filters | None,
    progress: Progress | None,
    known: MutableMapping[str, Blame],
    turn: Callable[[], AbstractContextManager[None]],
) -> Iterable[Blame]:
    after, done = None, 0
    while True:
        page = list_corrections(store, filters, after=after, limit=200)
        for entry in page.entries:
            done += 1
            asked = filters is not None or (entry.kind != "consensus" and is_counted(entry.status))
            if entry.area is not None and asked:
                blame = known.get(entry.id)
                if blame is None and (blame := _blame_of(store, entry.id, turn)) is not None:
                    known[entry.id] = blame
                if blame is not None:
                    yield blame
            if progress:
                progress(done, done)
        after = page.after
        if after is None:
            return


def _blame_of(
    store: Store, id: str, turn: Callable[[], AbstractContextManager[None]]
) -> Blame | None:
    correction = store.correction(id)
    if correction.prediction is None:
        return None
    with turn():
        return blame_correction(correction, store.prediction(correction.prediction))


def _sum(blames: list[Blame]) -> dict[str, Any]:
    if not blames:
        return {"n": 0}
    stages = [name for name in ORDER if any(name in b.stages for b in blames)]
    worst = [b.worst for b in blames]
    return {
        "n": len(blames),
        "iou": {s: float(np.mean([b.iou[s] for b in blames])) for s in SCORED},
        "pooled_iou": {s: iou(pooled(b.counts[s] for b in blames)) for s in SCORED},
        # A stage that did not run lost nothing.
        "lost": {
            s: sum(b.stages[s].lost for b in blames if s in b.stages) / len(blames) for s in stages
        },
        "worst": {s: worst.count(s) for s in (*stages, "")} if blames else {},
    }
