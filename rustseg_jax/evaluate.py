"""Score a model on a data folder, as a user would meet it: verdicts and masks.

Every stage is scored apart, at each picture's own size and beside the fixed colour
rule, so that the numbers say which stage to blame. Pictures without a mask need
the network alone: they go through it in batches and skip everything after it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from rustseg_jax import images, metrics, refine
from rustseg_jax.classify import CORROSION, Classifier
from rustseg_jax.errors import ConfigError, DataError, ImageError
from rustseg_jax.learning.dataset import Record, load_manifest, read_mask
from rustseg_jax.pipeline import Config, Segmentation, segment_batch

__all__ = ["HEATMAP_THRESHOLD", "STAGES", "evaluate", "evenly"]

STAGES = ("heatmap", "rough", "mask", "hsv_rule")
"""What is scored against the masks, in this order."""

HEATMAP_THRESHOLD = 0.5
"""At which the stage "heatmap" is cut: half of its maximum, whatever the rule of the config."""

BATCH = 8  # pictures at once through the network: the gain is flat from here on two cores
READERS = 2  # threads that decode pictures while the network runs

Counts = dict[str, metrics.Confusion]


@dataclass(frozen=True)
class _Scored:
    """One picture: its record, its probability and, with a mask, its counts by stage."""

    record: Record
    probability: float
    counts: Counts | None = None


@dataclass
class _Progress:
    """Counts pictures and keeps what went wrong."""

    total: int
    report: Callable[[int, int], None] | None
    done: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)

    def step(self) -> None:
        self.done += 1
        if self.report:
            self.report(self.done, self.total)

    def fail(self, record: Record, error: Exception) -> None:
        self.failed.append({"image": str(record.image), "error": str(error)})
        self.step()


def evaluate(
    data: Path | str,
    model: Classifier,
    config: Config | None = None,
    *,
    splits: Sequence[str] = (),
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score a model on the splits of a data folder.

    Parameters
    ----------
    data : data folder (see `learning.dataset`)
    model : `load_model()`
    config : as for `segment`
    splits : which to score, in this order; empty scores all, by name
    limit : so many evenly spaced pictures of each split (see `evenly`); None takes all
    progress : called with (pictures done, pictures in all)

    Returns
    -------
    dict, valid JSON:

    - ``classification`` by split: n, accuracy, balanced_accuracy, precision, recall,
      f1, auc, ece (see `metrics.classification_report`; auc is None where a split has
      one label only, and balanced_accuracy is then the recall of that label).
    - ``segmentation`` by split that has masks: n, and for each of `STAGES` mean_iou
      (mean of the pictures' own), pooled_iou and pooled_f1 (of all pixels together).
      Counted are pictures with a mask file, at their own size, without the pixels
      that the mask leaves open. ``heatmap`` (cut at `HEATMAP_THRESHOLD`) and
      ``rough`` are scored whatever the verdict; ``mask`` is what a user gets: empty
      when the verdict is "no corrosion". Two empty masks agree: IoU and F1 are 1.
    - ``by_source`` by split and source: n, and recall (share of its pictures of
      corrosion that were found) and specificity (share of its clean pictures that
      were left alone), None where it has none of them.
    - ``failed``: image and error of each picture that could not be scored; they
      count nowhere else.

    Raises
    ------
    DataError
        The data folder cannot be used.
    ConfigError
        `limit` is below 1.
    """
    config = config or Config()
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit}; allowed is 1 or more")
    records = load_manifest(data, splits=splits)
    if not records:
        raise DataError(f"{data} has a manifest without a picture; there is nothing to score")
    names = list(dict.fromkeys(splits)) or sorted({r.split for r in records})
    chosen = {name: evenly([r for r in records if r.split == name], limit) for name in names}
    state = _Progress(sum(map(len, chosen.values())), progress)
    scored = {name: list(_score(part, model, config, state)) for name, part in chosen.items()}
    return {
        "classification": {n: _classification(s, config) for n, s in scored.items()},
        "segmentation": {n: part for n, s in scored.items() if (part := _segmentation(s))},
        "by_source": {n: _by_source(s, config) for n, s in scored.items()},
        "failed": state.failed,
    }


def evenly(records: Sequence[Record], limit: int | None) -> list[Record]:
    """Take `limit` evenly spaced records, the first among them; all of fewer or for None."""
    count = len(records)
    if limit is None or limit >= count:
        return list(records)
    return [records[k * count // limit] for k in range(limit)]


def _score(
    records: Sequence[Record], model: Classifier, config: Config, state: _Progress
) -> Iterator[_Scored]:
    """Score the pictures of one split; those that cannot be used are noted in `state`."""
    yield from _verdicts([r for r in records if r.mask is None], model, state)
    masked = _readable([r for r in records if r.mask is not None], _picture_and_mask, state)
    while chunk := list(islice(masked, BATCH)):
        found = segment_batch((p for _, (p, *_) in chunk), model, config, batch=BATCH)
        for (record, (_, true, ignore)), seg in zip(chunk, found, strict=True):
            yield _Scored(record, seg.probability, _stage_counts(seg, true, ignore))
            state.step()


def _verdicts(records: Sequence[Record], model: Classifier, state: _Progress) -> Iterator[_Scored]:
    """Probabilities alone, in batches; the last one is filled up: one shape to compile."""
    side = model.config.input_size
    squares = _readable(records, lambda r: images.resize(images.read(r.image), (side, side)), state)
    while chunk := list(islice(squares, BATCH)):
        x = np.zeros((BATCH, side, side, 3), np.float32)
        for k, (_, square) in enumerate(chunk):
            x[k] = square / np.float32(255)
        probabilities = model.probability(np.asarray(model(x).logits))
        for (record, _), probability in zip(chunk, probabilities, strict=False):
            yield _Scored(record, float(probability))
            state.step()


def _readable(
    records: Sequence[Record], read: Callable[[Record], Any], state: _Progress
) -> Iterator[tuple[Record, Any]]:
    """What `read` makes of each record, in order, a batch ahead; failures are noted."""
    with ThreadPoolExecutor(READERS) as pool:
        todo = iter(records)
        waiting = [(r, pool.submit(read, r)) for r in islice(todo, BATCH)]
        while waiting:
            record, job = waiting.pop(0)
            waiting += [(r, pool.submit(read, r)) for r in islice(todo, 1)]
            try:
                result = job.result()
            except (ImageError, DataError) as error:
                state.fail(record, error)
                continue
            yield record, result


def _picture_and_mask(record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    picture = images.read(record.image)
    return picture, *read_mask(record, (picture.shape[0], picture.shape[1]))


def _stage_counts(seg: Segmentation, true: np.ndarray, ignore: np.ndarray) -> Counts:
    shape = (seg.image.shape[0], seg.image.shape[1])
    found = {
        "heatmap": refine.rough_mask(seg.heatmap, HEATMAP_THRESHOLD, shape),
        "rough": seg.rough,
        "mask": seg.mask,
        "hsv_rule": metrics.hsv_rule(seg.image),
    }
    return {stage: metrics.confusion(found[stage], true, ignore) for stage in STAGES}


def _classification(scored: Sequence[_Scored], config: Config) -> dict[str, Any]:
    return metrics.classification_report(
        [s.probability for s in scored],
        np.array([s.record.label for s in scored], int),
        config.decision_threshold,
    )


def _segmentation(scored: Sequence[_Scored]) -> dict[str, Any] | None:
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


def _by_source(scored: Sequence[_Scored], config: Config) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[_Scored]] = defaultdict(list)
    for s in scored:
        groups[s.record.source].append(s)
    return {source: _rates(groups[source], config) for source in sorted(groups)}


def _rates(scored: Sequence[_Scored], config: Config) -> dict[str, Any]:
    right: dict[bool, list[bool]] = {True: [], False: []}
    for s in scored:
        rust = s.record.label == CORROSION
        right[rust].append((s.probability >= config.decision_threshold) == rust)
    recall, specificity = (sum(hits) / len(hits) if hits else None for hits in right.values())
    return {"n": len(scored), "recall": recall, "specificity": specificity}
