"""The whole way: photo -> verdict -> heat map -> rough mask -> mask, in one frozen result.

`segment` computes every stage once; the `Segmentation` travels from there to the
page, the command line, the store and the metrics. `resegment` goes on from a
result with an expert's strokes or another threshold, at the cost of the CRF's
iterations alone.
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

from rustseg_jax import images, localise, refine
from rustseg_jax.classify import CORROSION, Classifier
from rustseg_jax.errors import ConfigError
from rustseg_jax.result import NO_CORROSION, NO_HEAT, NOTHING_LEFT, Config, Segmentation

__all__ = ["Config", "Segmentation", "resegment", "segment", "segment_batch"]

Photo = Path | str | bytes | Image.Image | np.ndarray

# Where the verdict was "no corrosion" but an expert marks some, unmarked pixels lean to clean:
# the strokes then grow along colour, instead of everything flipping.
DOUBT = 0.4


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


def segment(image: Photo, model: Classifier, config: Config | None = None) -> Segmentation:
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
        x = jnp.asarray(_network_input(photo, model))
    with clock.stage("classify"):
        output = model(x)  # runs in JAX's own threads from here on
    with clock.stage("lattice"):
        # Most of the CRF's fixed cost needs the photo alone: it runs beside the network.
        lattice = _lattice(photo, config)
    with clock.stage("classify"):
        output.logits.block_until_ready()
    with clock.stage("localise"):
        heat, maximum = localise.localise(
            model, x, output, class_index=CORROSION, config=config.localise
        )
        heatmap, peak = np.asarray(heat)[0], float(np.asarray(maximum)[0])
    probability = float(model.probability(np.asarray(output.logits))[0])
    return _decide(photo, probability, heatmap, peak, config, model.describe(), lattice, clock)


def segment_batch(
    photos: Iterable[Photo],
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
            inputs = [_network_input(photo, model) for photo in chunk]
            # Filled up to one shape, so that the last batch does not compile anew.
            inputs += [np.zeros_like(inputs[0])] * (batch - len(chunk))
            x = jnp.asarray(np.concatenate(inputs))
            output = model(x)
            probabilities = model.probability(np.asarray(output.logits))
        with clock.stage("localise"):
            heat, maximum = localise.localise(
                model, x, output, class_index=CORROSION, config=config.localise
            )
            heatmaps, peaks = np.asarray(heat), np.asarray(maximum)
        shared = {name: seconds / len(chunk) for name, seconds in clock.seconds.items()}
        for k, photo in enumerate(chunk):
            own = _Clock()
            own.seconds.update(shared)
            yield _decide(
                photo,
                float(probabilities[k]),
                heatmaps[k],
                float(peaks[k]),
                config,
                model.describe(),
                None,
                own,
            )


def resegment(
    seg: Segmentation,
    *,
    rust: np.ndarray | None = None,
    clean: np.ndarray | None = None,
    threshold: float | None = None,
    crf: refine.CRFParams | None = None,
) -> Segmentation:
    """Refine a result again, with an expert's strokes or other settings.

    Parameters
    ----------
    seg : an earlier result; left as it is
    rust, clean : (H, W) bool strokes at the photo's size, or None; every marked
        pixel is kept in the new mask, to the pixel
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
    _check_strokes(seg.image.shape[:2], rust, clean)
    config = replace(seg.config, crf=crf) if crf else seg.config
    if threshold is not None and not 0 < threshold < 1:
        raise ConfigError(f"threshold is {threshold}; allowed is above 0 and below 1")
    cut = seg.threshold if threshold is None else float(threshold)
    clock = _Clock()
    with clock.stage("threshold"):
        rough = refine.rough_mask(seg.heatmap, cut, seg.image.shape[:2])
    marked = rust is not None and bool(rust.any())
    if not (marked or (seg.corroded and seg.heat_maximum > 0)):
        return replace(
            seg,
            threshold=cut,
            rough=rough,
            posterior=None,  # an earlier one may come from strokes that were taken back
            mask=np.zeros(seg.mask.shape, bool),
            reason=NO_HEAT if seg.corroded else NO_CORROSION,
            config=config,
            timings=clock.seconds,
        )
    with clock.stage("lattice"):
        reuse = seg.lattice is not None and seg.lattice.params == config.crf
        lattice = seg.lattice if reuse and seg.lattice else _lattice(seg.image, config)
    posterior, mask = _refine(seg, cut, lattice, config, clock, rust=rust, clean=clean)
    return replace(
        seg,
        threshold=cut,
        rough=rough,
        posterior=posterior,
        mask=mask,
        reason="" if mask.any() else NOTHING_LEFT,
        config=config,
        lattice=lattice,
        timings=clock.seconds,
    )


def _network_input(photo: np.ndarray, model: Classifier) -> np.ndarray:
    """(H, W, 3) uint8 -> (1, 448, 448, 3) float32 in [0, 1]: squashed, as in training."""
    side = model.config.input_size
    return images.resize(photo, (side, side)).astype(np.float32)[None] / np.float32(255)


def _lattice(photo: np.ndarray, config: Config) -> refine.Lattice:
    shape = refine.working_shape(photo.shape[:2], config.crf.working_size)
    small = photo if photo.shape[:2] == shape else images.resize(photo, shape)
    return refine.Lattice(small, config.crf)


def _decide(
    photo: np.ndarray,
    probability: float,
    heatmap: np.ndarray,
    peak: float,
    config: Config,
    about: Mapping[str, Any],
    lattice: refine.Lattice | None,
    clock: _Clock,
) -> Segmentation:
    """Everything after the network, for one photo."""
    with clock.stage("threshold"):
        threshold = refine.find_threshold(heatmap, config.threshold)
        rough = refine.rough_mask(heatmap, threshold, photo.shape[:2])
    corroded = probability >= config.decision_threshold
    seg = Segmentation(
        image=photo,
        probability=probability,
        corroded=corroded,
        reason="" if corroded and peak > 0 else NO_HEAT if corroded else NO_CORROSION,
        heatmap=heatmap,
        heat_maximum=peak,
        threshold=threshold,
        rough=rough,
        posterior=None,
        mask=np.zeros(photo.shape[:2], bool),
        timings=clock.seconds,
        config=config,
        model=about,
        lattice=lattice,
    )
    if seg.reason:
        return seg
    if lattice is None:
        with clock.stage("lattice"):
            lattice = _lattice(photo, config)
    posterior, mask = _refine(seg, threshold, lattice, config, clock)
    reason = "" if mask.any() else NOTHING_LEFT
    return replace(seg, posterior=posterior, mask=mask, reason=reason, lattice=lattice)


def _refine(
    seg: Segmentation,
    threshold: float,
    lattice: refine.Lattice,
    config: Config,
    clock: _Clock,
    *,
    rust: np.ndarray | None = None,
    clean: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Run the CRF and cut its posterior at one half."""
    with clock.stage("refine"):
        shape = lattice.image.shape[:2]
        if seg.corroded:
            evidence = refine.foreground_probability(seg.heatmap, threshold, shape=shape)
        else:
            evidence = np.full(shape, DOUBT, np.float32)
        posterior = refine.crf_refine(
            seg.image, evidence, config.crf, rust=rust, clean=clean, lattice=lattice
        )
        return posterior, posterior >= 0.5


def _check_strokes(
    shape: tuple[int, ...], rust: np.ndarray | None, clean: np.ndarray | None
) -> None:
    for name, stroke in (("rust", rust), ("clean", clean)):
        if stroke is not None and (stroke.dtype != np.bool_ or stroke.shape != shape):
            raise ConfigError(
                f"{name} is {stroke.dtype}{stroke.shape}; allowed is bool{tuple(shape)}, "
                "the size of the photo"
            )
    if rust is not None and clean is not None and (rust & clean).any():
        raise ConfigError(
            f"rust and clean both mark {int((rust & clean).sum())} pixels; mark each once"
        )
