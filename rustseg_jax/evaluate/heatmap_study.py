"""Faithfulness of heat maps: each variant compared with chance and with colour alone.

For pictures called corroded, every variant of the heat map and two baseline maps that do not use
the network are scored by insertion, deletion and ROAD (see `faithfulness`). The differences are
paired, picture by picture, with a bootstrap interval: "clearly above" means an interval above 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from rustseg_jax import images, metrics
from rustseg_jax.classify import Classifier
from rustseg_jax.config import CORROSION, METHODS, STRIDE, VARIANTS, Config, LocaliseConfig
from rustseg_jax.errors import ConfigError, ImageError
from rustseg_jax.evaluate.run import Progress, choose, evenly, verdicts
from rustseg_jax.localise import localise
from rustseg_jax.manifest import Record
from rustseg_jax.metrics.faithfulness import insertion_deletion, road

__all__ = ["BASELINES", "MEASURES", "PICTURES", "study", "variants"]

MEASURES = {"insertion": 1, "deletion": -1, "road": 1}
"""Measure -> 1 if high is good, -1 if low is good."""

BASELINES = ("random", "colour")
"""Baselines without a network: uniform noise, and the share of a cell marked by the colour rule."""

PICTURES = 60
"""Default pictures of each split: intervals of a few hundredths, in minutes."""

STEPS = 7  # of the curves: with the fill "rise" 15 views, two batches for the network
RESAMPLES = 5000  # of the bootstrap: the ends of a 95 % interval are stable to the third digit
INTERVAL = (2.5, 97.5)  # percentiles: 95 %

Heat = NDArray[np.floating[Any]]


def study(
    data: Path | str,
    model: Classifier,
    config: Config | None = None,
    *,
    splits: Sequence[str] = (),
    half: str | None = None,
    limit: int = PICTURES,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score all variants of the heat map on pictures that the model calls corroded.

    Parameters
    ----------
    data, model, config, splits, half : as for `evaluate`; the scales and mirroring of the heat
        map's configuration apply to all variants
    limit : number of pictures called corroded per split, evenly spaced
    progress : called with (pictures done, total)

    Returns
    -------
    dict, valid JSON:

    - ``faithfulness`` by split: called (pictures called corroded), n (pictures scored), maps (by
      variant and baseline: mean insertion, deletion and road) and gains (by variant, baseline and
      measure: mean, low and high of the paired difference, signed so that above 0 is good, with
      its 95 % bootstrap interval). A split without pictures called corroded has empty maps and
      gains.
    - ``failed``: image and error of each picture that could not be used.

    Raises
    ------
    DataError, ConfigError
        Like `evaluate`.
    """
    config = config or Config()
    if limit < 1:
        raise ConfigError(f"limit is {limit}; it must be 1 or more")
    chosen = choose(data, splits=splits, half=half)
    failed: list[dict[str, str]] = []
    called = {name: _called(part, model, config, failed) for name, part in chosen.items()}
    todo = {name: evenly(part, limit) for name, part in called.items()}
    state = Progress(sum(map(len, todo.values())), progress)
    report = {}
    for name, part in todo.items():
        scores = [s for k, r in enumerate(part) if (s := _score(r, k, model, config, state))]
        report[name] = {"called": len(called[name]), "n": len(scores), **_compare(scores)}
    return {"faithfulness": report, "failed": failed + state.failed}


def variants(config: LocaliseConfig) -> dict[str, LocaliseConfig]:
    """Every variant of the heat map, by name, with the scales and mirroring of `config`."""
    configs: dict[str, LocaliseConfig] = {}
    for method in METHODS:
        if method == "grad_cam_pp":
            configs |= {v: replace(config, method=method, variant=v) for v in VARIANTS}
        else:
            configs[method] = replace(config, method=method)
    return configs


def _called(
    records: Sequence[Record], model: Classifier, config: Config, failed: list[dict[str, str]]
) -> list[Record]:
    state = Progress(len(records), None)
    judged = verdicts(records, model, config, state)
    called = [s.record for s in judged if s.probability >= config.decision_threshold]
    failed += state.failed
    return called


def _score(
    record: Record, number: int, model: Classifier, config: Config, state: Progress
) -> dict[str, dict[str, float]] | None:
    """Scores of one picture, by map and measure; None if it cannot be read."""
    side = model.config.input_size
    try:
        square = images.resize(images.read(record.image), (side, side))
    except ImageError as error:  # the file has changed since
        state.fail(record, error)
        return None
    measures = {
        name: _measure(model, square, h) for name, h in _maps(square, number, model, config)
    }
    state.step()
    return measures


def _maps(
    square: NDArray[np.uint8], number: int, model: Classifier, config: Config
) -> list[tuple[str, Heat]]:
    x = jnp.asarray(square.astype(np.float32)[None] / np.float32(255))
    output = model(x)
    maps: list[tuple[str, Heat]] = []
    for name, look in variants(config.localise).items():
        heat, _ = localise(model, x, output, class_index=CORROSION, config=look)
        maps.append((name, np.asarray(heat)[0]))
    cells = square.shape[0] // STRIDE
    maps.append(("random", np.random.default_rng(number).random((cells, cells))))
    maps.append(("colour", _cell_means(metrics.hsv_rule(square), cells)))
    return maps


def _cell_means(mask: NDArray[np.bool_], cells: int) -> Heat:
    means: Heat = mask.reshape(cells, STRIDE, cells, STRIDE).mean(axis=(1, 3))
    return means


def _measure(model: Classifier, square: NDArray[np.uint8], heat: Heat) -> dict[str, float]:
    def predict(x: NDArray[np.float32]) -> NDArray[np.float64]:
        return model.probability(np.asarray(model.verdict(x)))

    curves = insertion_deletion(predict, square, heat, fill="rise", steps=STEPS)
    return {
        "insertion": curves.insertion,
        "deletion": curves.deletion,
        "road": road(predict, square, heat).score,
    }


def _compare(scores: Sequence[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Means by map, and gains over the baselines."""
    if not scores:
        return {"maps": {}, "gains": {}}
    table = {
        name: {m: np.array([s[name][m] for s in scores]) for m in MEASURES} for name in scores[0]
    }
    return {
        "maps": {
            name: {m: float(values.mean()) for m, values in row.items()}
            for name, row in table.items()
        },
        "gains": {
            name: {
                base: {m: _gain(sign * (row[m] - table[base][m])) for m, sign in MEASURES.items()}
                for base in BASELINES
            }
            for name, row in table.items()
            if name not in BASELINES
        },
    }


def _gain(differences: NDArray[np.float64]) -> dict[str, float]:
    """Mean of paired differences, with its percentile bootstrap interval (Efron 1979)."""
    drawn = np.random.default_rng(0).integers(0, differences.size, (RESAMPLES, differences.size))
    low, high = np.percentile(differences[drawn].mean(axis=1), INTERVAL)
    return {"mean": float(differences.mean()), "low": float(low), "high": float(high)}
