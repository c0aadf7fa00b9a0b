"""The whole way: photo -> verdict -> heat map -> rough mask -> mask, in one frozen result.

`segment` computes every stage once; the `Segmentation` travels from there to the
page, the command line, the store and the metrics. `resegment` goes on from a
result with an expert's strokes or another threshold, at the cost of the CRF's
iterations alone; `conclude` is everything after the network.
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
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def segment(image: PhotoLike, model: Classifier, config: Config | None = None) -> Segmentation:
    """Find the rust in one photo.

    Parameters
    ----------
    image : path, bytes, PIL picture or (H, W, 3) uint8
    model : `load_model()`
    config : what to choose; the default is the measured best

    Returns
    -------
    `Segmentation`; arrays at the photo's own size

    Raises
    ------
    ImageError
        The photo cannot be used; the message says why.
    """
    config = config or Config()
    clock = _Clock()
    with clock.stage("read"):
        photo = images.read(image)
        plan = plan_of(photo, model, config)
        x = jnp.asarray(network_input(photo, model))
    with clock.stage("classify"):
        output = model(x)  # runs in JAX's own threads from here on
        logits = model.verdict(x, output)
    with clock.stage("lattice"):
        # Most of the CRF's fixed cost needs the photo alone: it runs beside the network.
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
    """Find the rust in many photos.

    Parameters
    ----------
    photos : as `segment` takes them; read as they are needed
    model, config : as for `segment`
    batch : photos that go through the network at once; bounds the memory

    Yields
    ------
    `Segmentation`, in order, equal to what `segment` returns for each

    Raises
    ------
    ImageError
        At the first photo that cannot be used.
    """
    config = config or Config()
    if batch < 1:
        raise ConfigError(f"batch is {batch}; allowed is 1 or more")
    todo = iter(photos)
    while chunk := [images.read(photo) for photo in islice(todo, batch)]:
        clock = _Clock()
        with clock.stage("classify"):
            inputs = [network_input(photo, model) for photo in chunk]
            # Filled up to one shape, so that the last batch does not compile anew.
            inputs += [np.zeros_like(inputs[0])] * (batch - len(chunk))
            x = jnp.asarray(np.concatenate(inputs))
            output = model(x)
            logits = model.verdict(x, output).block_until_ready()
        with clock.stage("localise"):
            looks = look(model, x, output, logits, config)
        shared = {name: seconds / len(chunk) for name, seconds in clock.seconds.items()}
        for photo, whole in zip(chunk, looks, strict=False):  # the filling is left over
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
    """Refine a result again, with an expert's strokes or other settings.

    Parameters
    ----------
    seg : an earlier result; left as it is
    rust, clean : (H, W) bool strokes at the photo's size, or None; every marked
        pixel is kept in the new mask, to the pixel, and is an example of what is
        around it that looks alike
    settled : (H, W) bool, or None; marked pixels here are kept like others, but are
        no examples: an area that was finished earlier should not grow
    threshold : another threshold of the heat map, in (0, 1), instead of the found one
    crf : other CRF parameters

    Returns
    -------
    A new `Segmentation`. Where the classifier found no corrosion, strokes of rust
    still give a mask: the expert overrules the verdict, but not the probability.

    Raises
    ------
    ConfigError
        Strokes of another shape or type, or that contradict each other.
    """
    if threshold is not None and not 0 < threshold < 1:
        raise ConfigError(f"threshold is {threshold}; allowed is above 0 and below 1")
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
    """Go from what the network says of a photo to its result: all but the network.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    evidence : what the network says of it
    config : what was chosen
    model : what identifies the weights, `Classifier.describe`
    corroded : the verdict, where it is not to be that of the probability
    threshold : of the heat map, in (0, 1]; found by `config.threshold` when left out
    lattice : of this photo, where one was kept; built anew where it does not fit
    rust, clean, settled : strokes, see `resegment`

    Returns
    -------
    `Segmentation`

    Raises
    ------
    ConfigError
        The threshold or the strokes are not allowed.
    """
    check_marks(photo.shape[:2], rust, clean, settled)
    if threshold is not None and not 0 < threshold <= 1:
        raise ConfigError(f"threshold is {threshold}; allowed is above 0, up to 1")
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
        cut = find_threshold(heat, config.threshold) if threshold is None else float(threshold)
        rough = rough_mask(heat, cut, (photo.shape[0], photo.shape[1]))
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
                photo, heat if corroded else None, cut, lattice, params,
                rust=rust, clean=clean, settled=settled,
            )  # fmt: skip
    return Segmentation(
        image=photo,
        probability=evidence.probability,
        corroded=corroded,
        reason=_reason(mask, refined=refined, corroded=corroded),
        heatmap=evidence.heatmap,
        heat_maximum=evidence.heat_maximum,
        threshold=cut,
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
    """Say why a mask is empty; "" where it is not."""
    if refined:
        return "" if mask.any() else NOTHING_LEFT
    return NO_HEAT if corroded else NO_CORROSION
