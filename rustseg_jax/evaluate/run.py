"""Score verdicts and masks of a model on a data folder, as a user would get them.

Every stage is scored separately, at each picture's own size and beside the fixed colour rule, so
that the numbers show which stage is to blame. Pictures without a mask need only the network: they
go through it in batches and skip the later stages, unless they are so large that `segment` analyses
them in tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rustseg_jax import images, metrics, refine
from rustseg_jax.classify import Classifier
from rustseg_jax.config import HALVES, Config
from rustseg_jax.errors import ConfigError, DataError, ImageError
from rustseg_jax.evaluate.scores import FREE, STAGES, Counts, Scored, summarise, trace
from rustseg_jax.manifest import Record, half_of, load_manifest, read_mask
from rustseg_jax.pipeline import Segmentation, resegment, segment, segment_batch
from rustseg_jax.tiling.plan import plan_tiles

__all__ = [
    "HALVED",
    "HEATMAP_THRESHOLD",
    "STAGES",
    "Progress",
    "any_verdict",
    "choose",
    "evaluate",
    "evenly",
    "verdicts",
]

HEATMAP_THRESHOLD = 0.5
"""Threshold of the stage "heatmap", whatever the rule of the config: a probability of one half for
a score map, half of the maximum for the other maps."""

HALVED = "seg-"
"""Splits with this prefix are halved by scene: one half to choose by, one to report once."""

T = TypeVar("T")

BATCH = 8  # pictures per pass through the network: no further gain from here on two cores
READERS = 2  # threads that decode pictures while the network runs


@dataclass
class Progress:
    """Count pictures and collect failures: image and error of each.

    `report` is called with (pictures done, total).
    """

    total: int
    report: Callable[[int, int], None] | None
    done: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)

    def step(self) -> None:
        """Count a picture."""
        self.done += 1
        if self.report:
            self.report(self.done, self.total)

    def fail(self, record: Record, error: Exception) -> None:
        """Count a picture that could not be used."""
        self.failed.append({"image": str(record.image), "error": str(error)})
        self.step()


def evaluate(
    data: Path | str,
    model: Classifier,
    config: Config | None = None,
    *,
    splits: Sequence[str] = (),
    half: str | None = None,
    limit: int | None = None,
    curves: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score a model on the splits of a data folder.

    Parameters
    ----------
    data : data folder (see `manifest`)
    model : as from `load_model()`
    config : as for `segment`
    splits : splits to score, in this order; empty scores all, sorted by name
    half : "A" or "B" restricts splits that start with `HALVED` to this half (see `half_of`); None
        uses both
    limit : number of pictures per split, evenly spaced (see `evenly`); None for all
    curves : add the key ``curves``
    progress : called with (pictures done, total)

    Returns
    -------
    dict, valid JSON:

    - ``classification`` by split: n, accuracy, balanced_accuracy, precision, recall, f1, auc, ece
      (see `metrics.classification_report`; if a split has one label only, auc is None and
      balanced_accuracy is the recall of that label).
    - ``segmentation`` by split with masks: n, and for each of `STAGES` mean_iou (mean over
      pictures), pooled_iou and pooled_f1 (over all pixels together). It covers pictures with a mask
      file, at their own size, without the pixels that the mask ignores. ``heatmap`` (thresholded at
      `HEATMAP_THRESHOLD`) and ``rough`` are scored whatever the verdict; ``mask`` is the final
      mask: empty if the verdict is "no corrosion". Two empty masks agree: IoU and F1 are 1.
    - ``by_source`` by split and source: n, recall (share of its corroded pictures that were found)
      and specificity (share of its clean pictures that were correctly passed), None if it has no
      such pictures.
    - ``over_hsv_rule`` by split with masks: ratio of the pooled IoU of heatmap, rough and mask to
      that of hsv_rule; None if that is 0. The target for the mask is `RULE_TARGET`.
    - ``verdict_gate`` by split with masks, whether the verdict empties good masks: emptied (number
      of pictures whose mask is empty because of the verdict alone), mask_any_verdict (the numbers
      of mask without the effect of the verdict), and emptied_masks (the same for the emptied
      pictures alone; None if there are none).
    - ``below_target``: split, source, measure (recall or specificity), value and n of
        each source below `SOURCE_TARGET`.
    - ``failed``: image and error of each picture that could not be scored; these are not included
      anywhere else.
    - ``curves`` (if requested) by split: reliability and points (see `calibration.reliability` and
      `calibration.operating_points`), and sources, a list of source, measure (recall or
      specificity), right, n, value, low and high (see `calibration.wilson`).

    Raises
    ------
    DataError
        The data folder cannot be used.
    ConfigError
        `limit` is below 1, or `half` is not A, B or None.
    """
    config = config or Config()
    chosen = choose(data, splits=splits, half=half, limit=limit)
    state = Progress(sum(map(len, chosen.values())), progress)
    scored = {name: list(_score(part, model, config, state)) for name, part in chosen.items()}
    more = {"curves": trace(scored, config.decision_threshold)} if curves else {}
    return {**summarise(scored, config.decision_threshold), "failed": state.failed, **more}


def choose(
    data: Path | str,
    *,
    splits: Sequence[str] = (),
    half: str | None = None,
    limit: int | None = None,
) -> dict[str, list[Record]]:
    """Records to score, by split; parameters and errors as in `evaluate`."""
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit}; it must be 1 or more")
    if half is not None and half not in HALVES:
        raise ConfigError(f"half is {half!r}; it must be one of {', '.join(HALVES)}, or None")
    records = load_manifest(data, splits=splits)
    if not records:
        raise DataError(f"the manifest of {data} lists no pictures")
    names = list(dict.fromkeys(splits)) or sorted({r.split for r in records})
    kept = [r for r in records if not half or _wanted(r, half)]
    return {name: evenly([r for r in kept if r.split == name], limit) for name in names}


def _wanted(record: Record, half: str) -> bool:
    return not record.split.startswith(HALVED) or half_of(record.scene) == half


def any_verdict(seg: Segmentation) -> np.ndarray:
    """Mask, (H, W) bool, that a picture would have if the verdict were "corrosion"."""
    return seg.mask if seg.corroded else resegment(replace(seg, corroded=True)).mask


def evenly(records: Sequence[T], limit: int | None) -> list[T]:
    """Take `limit` evenly spaced items, starting with the first; all if fewer, or if None."""
    count = len(records)
    if limit is None or limit >= count:
        return list(records)
    return [records[k * count // limit] for k in range(limit)]


def _score(
    records: Sequence[Record], model: Classifier, config: Config, state: Progress
) -> Iterator[Scored]:
    """Score the pictures of one split; failures are recorded in `state`."""
    yield from verdicts([r for r in records if r.mask is None], model, config, state)
    masked = _readable([r for r in records if r.mask is not None], _picture_and_mask, state)
    while chunk := list(islice(masked, BATCH)):
        results = segment_batch((p for _, (p, *_) in chunk), model, config, batch=BATCH)
        for (record, (_, true, ignore)), seg in zip(chunk, results, strict=True):
            free = any_verdict(seg)
            counts = _stage_counts(seg, free, true, ignore)
            yield Scored(
                record, seg.probability, counts, emptied=not seg.corroded and bool(free.any())
            )
            state.step()


def verdicts(
    records: Sequence[Record], model: Classifier, config: Config, state: Progress
) -> Iterator[Scored]:
    """Probabilities of these pictures, without masks; failures are recorded in `state`.

    They go through the network in batches; the last is padded, so that one shape is compiled.
    """
    side = model.config.input_size

    def square(record: Record) -> np.ndarray | None:
        """The network's input; None for a photo that `segment` analyses in tiles."""
        photo = images.read(record.image)
        shape = (photo.shape[0], photo.shape[1])
        if plan_tiles(shape, config.tiles, input_size=side) is not None:
            return None
        return images.resize(photo, (side, side))

    squares = _readable(records, square, state)
    while chunk := list(islice(squares, BATCH)):
        x = np.zeros((BATCH, side, side, 3), np.float32)
        for k, (_, pixels) in enumerate(chunk):
            if pixels is not None:
                x[k] = pixels / np.float32(255)
        probabilities = model.probability(np.asarray(model.verdict(x)))
        for (record, pixels), probability in zip(chunk, probabilities, strict=False):
            if pixels is None:
                probability = segment(record.image, model, config).probability
            yield Scored(record, float(probability))
            state.step()


def _readable(
    records: Sequence[Record], read: Callable[[Record], Any], state: Progress
) -> Iterator[tuple[Record, Any]]:
    """Results of `read` for each record, in order, a batch ahead; failures are recorded."""
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


def _stage_counts(
    seg: Segmentation, free: np.ndarray, true: np.ndarray, ignore: np.ndarray
) -> Counts:
    shape = (seg.image.shape[0], seg.image.shape[1])
    counts = {
        "heatmap": refine.rough_mask(seg.heat, HEATMAP_THRESHOLD, shape),
        "rough": seg.rough,
        "mask": seg.mask,
        "hsv_rule": metrics.hsv_rule(seg.image),
        FREE: free,
    }
    return {stage: metrics.confusion(mask, true, ignore) for stage, mask in counts.items()}
