"""The complete method: photo -> verdict -> heat map -> rough mask -> mask, in one result.

`segment` computes every stage once; its `Segmentation` is used by the pages, the command line,
the labels store and the metrics. `resegment` refines a result with an expert's strokes or
another threshold, at the cost of the CRF iterations alone; `conclude` covers all steps after the
network.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from PIL import Image

from rustseg_jax import images
from rustseg_jax.classify import Classifier
from rustseg_jax.config import Config, CRFParams
from rustseg_jax.errors import ConfigError
from rustseg_jax.refine import Lattice, find_threshold, rough_mask
from rustseg_jax.refine.stage import check_marks, lattice_of, refine_mask
from rustseg_jax.result import NO_CORROSION, NO_HEAT, NOTHING_LEFT, Segmentation
from rustseg_jax.tiling.evidence import Evidence, look, look_closer, network_input, plan_of
from rustseg_jax.tiling.plan import crf_of

__all__ = ["Config", "Segmentation", "conclude", "resegment", "segment", "segment_batch"]

PhotoLike = Path | str | bytes | Image.Image | np.ndarray


class _Clock:
    """Stopwatch that sums the seconds spent in each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the duration of the block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def segment(image: PhotoLike, model: Classifier, config: Config | None = None) -> Segmentation:
    """Find rust in one photo.

    Parameters
    ----------
    image : path, bytes, PIL image or (H, W, 3) uint8
    model : `load_model()`
    config : options; the defaults were chosen by measurement

    Returns
    -------
    `Segmentation`; arrays at the photo's own size

    Raises
    ------
    ImageError
        The photo cannot be read; the message gives the reason.
    """
    config = config or Config()
    clock = _Clock()
    with clock.stage("read"):
        photo = images.read(image)
        plan = plan_of(photo, model, config)
        x = jnp.asarray(network_input(photo, model))
    with clock.stage("classify"):
        output = model(x)  # returns at once; JAX computes in its own threads
        logits = model.verdict(x, output)
    with clock.stage("lattice"):
        # Most of the CRF's fixed cost depends on the photo alone: it runs in parallel.
        lattice = lattice_of(photo, crf_of(plan, config.crf, config.tiles))
    with clock.stage("classify"):
        logits.block_until_ready()
    with clock.stage("localise"):
        [whole] = look(model, x, output, logits, config)
    evidence, _ = whole
    if plan is not None:
        with clock.stage("windows"):
            evidence = look_closer(photo, model, plan, whole, config)
    return _conclude(photo, evidence, config, model.describe(), clock, lattice=lattice)


def segment_batch(
    photos: Iterable[PhotoLike],
    model: Classifier,
    config: Config | None = None,
    *,
    batch: int = 4,
) -> Iterator[Segmentation]:
    """Find rust in many photos.

    Parameters
    ----------
    photos : as for `segment`; read lazily
    model, config : as for `segment`
    batch : photos that go through the network at once; limits the memory

    Yields
    ------
    `Segmentation`, in order, equal to what `segment` returns for each photo

    Raises
    ------
    ImageError
        A photo cannot be read; raised at the first such photo.
    """
    config = config or Config()
    if batch < 1:
        raise ConfigError(f"batch is {batch}; must be at least 1")
    todo = iter(photos)
    while chunk := [images.read(photo) for photo in islice(todo, batch)]:
        clock = _Clock()
        with clock.stage("classify"):
            inputs = [network_input(photo, model) for photo in chunk]
            # Padded to one shape, so that the last batch is not compiled again.
            inputs += [np.zeros_like(inputs[0])] * (batch - len(chunk))
            x = jnp.asarray(np.concatenate(inputs))
            output = model(x)
            logits = model.verdict(x, output).block_until_ready()
        with clock.stage("localise"):
            looks = look(model, x, output, logits, config)
        shared = {name: seconds / len(chunk) for name, seconds in clock.seconds.items()}
        for photo, whole in zip(chunk, looks, strict=False):  # without the padding
            own = _Clock()
            own.seconds.update(shared)
            evidence, _ = whole
            if (plan := plan_of(photo, model, config)) is not None:
                with own.stage("windows"):
                    evidence = look_closer(photo, model, plan, whole, config)
            yield _conclude(photo, evidence, config, model.describe(), own)


def resegment(
    seg: Segmentation,
    *,
    rust: np.ndarray | None = None,
    clean: np.ndarray | None = None,
    settled: np.ndarray | None = None,
    threshold: float | None = None,
    crf: CRFParams | None = None,
) -> Segmentation:
    """Refine a result again with an expert's strokes or other settings.

    Parameters
    ----------
    seg : an earlier result; not changed
    rust, clean : (H, W) bool strokes at the photo's size, or None; every marked
        pixel keeps its class in the new mask and serves as an example for similar pixels
        around it
    settled : (H, W) bool, or None; marked pixels in this area keep their class too, but do
        not serve as examples, so that an area finished earlier does not grow
    threshold : threshold of the heat map, in (0, 1), instead of the one found
    crf : other CRF parameters

    Returns
    -------
    A new `Segmentation`. If the classifier found no corrosion, strokes of rust
    still give a mask: the expert overrides the verdict, but not the probability.

    Raises
    ------
    ConfigError
        The strokes have another shape or type, or contradict each other.
    """
    if threshold is not None and not 0 < threshold < 1:
        raise ConfigError(f"threshold is {threshold}; must be above 0 and below 1")
    return conclude(
        seg.image,
        seg.evidence,
        replace(seg.config, crf=crf) if crf else seg.config,
        seg.model,
        corroded=seg.corroded,
        threshold=seg.threshold if threshold is None else threshold,
        lattice=seg.lattice,
        rust=rust,
        clean=clean,
        settled=settled,
    )


def conclude(
    photo: np.ndarray,
    evidence: Evidence,
    config: Config,
    model: Mapping[str, Any],
    *,
    corroded: bool | None = None,
    threshold: float | None = None,
    lattice: Lattice | None = None,
    rust: np.ndarray | None = None,
    clean: np.ndarray | None = None,
    settled: np.ndarray | None = None,
) -> Segmentation:
    """Compute the result of a photo from the output of the network.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    evidence : output of the network for the photo
    config : options
    model : identification of the weights, `Classifier.describe`
    corroded : the verdict, if it should not be derived from the probability
    threshold : threshold of the heat map, in (0, 1]; by default found by `config.threshold`
    lattice : stored lattice of this photo; rebuilt if it does not match the CRF parameters
    rust, clean, settled : strokes, see `resegment`

    Returns
    -------
    `Segmentation`

    Raises
    ------
    ConfigError
        The threshold or the strokes are invalid.
    """
    check_marks(photo.shape[:2], rust, clean, settled)
    if threshold is not None and not 0 < threshold <= 1:
        raise ConfigError(f"threshold is {threshold}; must be above 0 and at most 1")
    return _conclude(
        photo, evidence, config, model, _Clock(),
        corroded=corroded, threshold=threshold, lattice=lattice,
        rust=rust, clean=clean, settled=settled,
    )  # fmt: skip


def _conclude(
    photo: np.ndarray,
    evidence: Evidence,
    config: Config,
    model: Mapping[str, Any],
    clock: _Clock,
    *,
    corroded: bool | None = None,
    threshold: float | None = None,
    lattice: Lattice | None = None,
    rust: np.ndarray | None = None,
    clean: np.ndarray | None = None,
    settled: np.ndarray | None = None,
) -> Segmentation:
    heat = evidence.heat
    with clock.stage("threshold"):
        applied = find_threshold(heat, config.threshold) if threshold is None else float(threshold)
        rough = rough_mask(heat, applied, (photo.shape[0], photo.shape[1]))
    if corroded is None:
        corroded = evidence.probability >= config.decision_threshold
    marked = rust is not None and bool(rust.any())
    refined = marked or (corroded and bool(rough.any()))
    posterior, mask = None, np.zeros(photo.shape[:2], bool)
    if refined:
        params = evidence.crf(config)
        with clock.stage("lattice"):
            fits = lattice is not None and lattice.fits(params)
            lattice = lattice.weighted(params) if lattice and fits else lattice_of(photo, params)
        with clock.stage("refine"):
            posterior, mask = refine_mask(
                photo, heat if corroded else None, applied, lattice, params,
                rust=rust, clean=clean, settled=settled,
            )  # fmt: skip
    return Segmentation(
        image=photo,
        probability=evidence.probability,
        corroded=corroded,
        reason=_reason(mask, refined=refined, corroded=corroded),
        heatmap=evidence.heatmap,
        heat_maximum=evidence.heat_maximum,
        threshold=applied,
        rough=rough,
        posterior=posterior,
        mask=mask,
        timings=clock.seconds,
        config=config,
        model=model,
        lattice=lattice,
        tiling=evidence.tiling,
        fine_heatmap=evidence.fine_heatmap,
    )


def _reason(mask: np.ndarray, *, refined: bool, corroded: bool) -> str:
    """Return the reason why a mask is empty, or "" if it is not."""
    if refined:
        return "" if mask.any() else NOTHING_LEFT
    return NO_HEAT if corroded else NO_CORROSION
