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
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from rustseg_jax import images, localise, refine, tiles, windows
from rustseg_jax.classify import Classifier, Output
from rustseg_jax.config import CLEAN, CORROSION, Config
from rustseg_jax.errors import ConfigError
from rustseg_jax.result import NO_CORROSION, NO_HEAT, NOTHING_LEFT, Segmentation
from rustseg_jax.spread import SIDE, spread
from rustseg_jax.upsample import bilinear

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
        plan = _plan(photo, model, config)
        x = jnp.asarray(_network_input(photo, model))
    with clock.stage("classify"):
        output = model(x)  # runs in JAX's own threads from here on
        logits = model.verdict(x, output)
    with clock.stage("lattice"):
        # Most of the CRF's fixed cost needs the photo alone: it runs beside the network.
        lattice = _lattice(photo, tiles.crf_of(plan, config.crf, config.tiles))
    with clock.stage("classify"):
        logits.block_until_ready()
    with clock.stage("localise"):
        [seen] = _look(model, x, output, logits, config)
    seen = _look_closer(photo, model, plan, seen, config, clock)
    return _decide(photo, seen, config, model.describe(), lattice, clock)


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
            logits = model.verdict(x, output).block_until_ready()
        with clock.stage("localise"):
            seen = _look(model, x, output, logits, config)
        shared = {name: seconds / len(chunk) for name, seconds in clock.seconds.items()}
        for photo, first in zip(chunk, seen, strict=False):  # the filling is left over
            own = _Clock()
            own.seconds.update(shared)
            closer = _look_closer(photo, model, _plan(photo, model, config), first, config, own)
            yield _decide(photo, closer, config, model.describe(), None, own)


def resegment(
    seg: Segmentation,
    *,
    rust: np.ndarray | None = None,
    clean: np.ndarray | None = None,
    settled: np.ndarray | None = None,
    threshold: float | None = None,
    crf: refine.CRFParams | None = None,
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
    _check_strokes(seg.image.shape[:2], rust, clean, settled)
    if crf:
        seg = replace(seg, config=replace(seg.config, crf=crf))
    if threshold is not None and not 0 < threshold < 1:
        raise ConfigError(f"threshold is {threshold}; allowed is above 0 and below 1")
    cut = seg.threshold if threshold is None else float(threshold)
    clock = _Clock()
    with clock.stage("threshold"):
        rough = refine.rough_mask(seg.heat, cut, seg.image.shape[:2])
    marked = rust is not None and bool(rust.any())
    if not (marked or (seg.corroded and rough.any())):
        return replace(
            seg,
            threshold=cut,
            rough=rough,
            posterior=None,  # an earlier one may come from strokes that were taken back
            mask=np.zeros(seg.image.shape[:2], bool),
            reason=NO_HEAT if seg.corroded else NO_CORROSION,
            timings=clock.seconds,
        )
    with clock.stage("lattice"):
        kept = seg.lattice
        fits = kept is not None and kept.fits(seg.crf)
        lattice = kept.weighted(seg.crf) if kept and fits else _lattice(seg.image, seg.crf)
    posterior, mask = _refine(seg, cut, lattice, clock, rust=rust, clean=clean, settled=settled)
    return replace(
        seg,
        threshold=cut,
        rough=rough,
        posterior=posterior,
        mask=mask,
        reason="" if mask.any() else NOTHING_LEFT,
        lattice=lattice,
        timings=clock.seconds,
    )


def _network_input(photo: np.ndarray, model: Classifier) -> np.ndarray:
    """(H, W, 3) uint8 -> (1, 448, 448, 3) float32 in [0, 1]: squashed, as in training."""
    side = model.config.input_size
    return images.resize(photo, (side, side)).astype(np.float32)[None] / np.float32(255)


@dataclass(frozen=True)
class _Seen:
    """What the network says of a photo; names as in `Segmentation`."""

    margin: float
    """Logit of corrosion less that of clean, of the photo as a whole."""
    probability: float
    heatmap: np.ndarray
    heat_maximum: float
    tiling: tiles.Tiling | None = None
    fine_heatmap: np.ndarray | None = None


def _plan(photo: np.ndarray, model: Classifier, config: Config) -> tiles.Plan | None:
    shape = (photo.shape[0], photo.shape[1])
    return tiles.plan_tiles(shape, config.tiles, input_size=model.config.input_size)


def _look(
    model: Classifier, x: jnp.ndarray, output: Output, verdict: jax.Array, config: Config
) -> list[_Seen]:
    """Verdicts and heat maps of a batch of whole photos."""
    heat, maximum = localise.localise(
        model, x, output, class_index=CORROSION, config=config.localise
    )
    logits = np.asarray(verdict, np.float64)
    found = zip(
        logits[:, CORROSION] - logits[:, CLEAN],
        model.probability(logits),
        np.asarray(heat),
        np.asarray(maximum),
        strict=True,
    )
    return [_Seen(float(m), float(p), heatmap, float(peak)) for m, p, heatmap, peak in found]


def _look_closer(
    photo: np.ndarray,
    model: Classifier,
    plan: tiles.Plan | None,
    seen: _Seen,
    config: Config,
    clock: _Clock,
) -> _Seen:
    """Look at a large photo in windows, too; return what is then known."""
    if plan is None:
        return seen
    with clock.stage("windows"):
        top = np.array([seen.heat_maximum], np.float32)
        heat = windows.absolute(seen.heatmap[None], top, config.localise)
        whole, share = windows.Views(np.array([seen.margin]), heat), config.tiles.whole_share
        found = windows.look_closer(photo, model, plan, whole, config.localise, share=share)
        return replace(
            seen,
            probability=found.probability,
            heatmap=tiles.reduce(found.heat, plan.cells),
            heat_maximum=found.maximum,
            tiling=found.tiling,
            fine_heatmap=found.heat,
        )


def _lattice(photo: np.ndarray, crf: refine.CRFParams) -> refine.Lattice:
    shape = refine.working_shape((photo.shape[0], photo.shape[1]), crf.working_size)
    small = photo if photo.shape[:2] == shape else images.resize(photo, shape)
    return refine.Lattice(small, crf)


def _decide(
    photo: np.ndarray,
    seen: _Seen,
    config: Config,
    about: Mapping[str, Any],
    lattice: refine.Lattice | None,
    clock: _Clock,
) -> Segmentation:
    """Everything after the network, for one photo."""
    heat = seen.heatmap if seen.fine_heatmap is None else seen.fine_heatmap
    with clock.stage("threshold"):
        threshold = refine.find_threshold(heat, config.threshold)
        rough = refine.rough_mask(heat, threshold, photo.shape[:2])
    corroded = seen.probability >= config.decision_threshold
    seg = Segmentation(
        image=photo,
        probability=seen.probability,
        corroded=corroded,
        reason="" if corroded and rough.any() else NO_HEAT if corroded else NO_CORROSION,
        heatmap=seen.heatmap,
        heat_maximum=seen.heat_maximum,
        threshold=threshold,
        rough=rough,
        posterior=None,
        mask=np.zeros(photo.shape[:2], bool),
        timings=clock.seconds,
        config=config,
        model=about,
        lattice=lattice,
        tiling=seen.tiling,
        fine_heatmap=seen.fine_heatmap,
    )
    if seg.reason:
        return seg
    if lattice is None:
        with clock.stage("lattice"):
            lattice = _lattice(photo, seg.crf)
    posterior, mask = _refine(seg, threshold, lattice, clock)
    reason = "" if mask.any() else NOTHING_LEFT
    return replace(seg, posterior=posterior, mask=mask, reason=reason, lattice=lattice)


def _refine(
    seg: Segmentation,
    threshold: float,
    lattice: refine.Lattice,
    clock: _Clock,
    *,
    rust: np.ndarray | None = None,
    clean: np.ndarray | None = None,
    settled: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Run the CRF and cut its posterior at one half."""
    with clock.stage("refine"):
        shape = lattice.image.shape[:2]
        if seg.corroded:
            evidence = refine.foreground_probability(seg.heat, threshold, shape=shape)
        else:
            evidence = np.full(shape, DOUBT, np.float32)
        evidence = _told(
            lattice.image, evidence, _unsettled(rust, settled), _unsettled(clean, settled)
        )
        posterior = refine.crf_refine(
            seg.image, evidence, seg.crf, rust=rust, clean=clean, lattice=lattice
        )
        return posterior, posterior >= 0.5


def _unsettled(mark: np.ndarray | None, settled: np.ndarray | None) -> np.ndarray | None:
    return mark if mark is None or settled is None else mark & ~settled


def _told(
    small: np.ndarray, evidence: np.ndarray, rust: np.ndarray | None, clean: np.ndarray | None
) -> np.ndarray:
    """Evidence at the CRF's size, and what strokes say of the pixels around them."""
    if not any(mark is not None and mark.any() for mark in (rust, clean)):
        return evidence
    # Colours need no more pixels than this, and what is said is smooth.
    shape = refine.working_shape(evidence.shape, SIDE)
    rust, clean = refine.shrink_strokes(rust, clean, shape)
    if shape == evidence.shape:
        return spread(small, evidence, rust=rust, clean=clean)
    before = bilinear(evidence, shape)
    after = spread(images.resize(small, shape), before, rust=rust, clean=clean)
    return np.clip(evidence + bilinear(after - before, evidence.shape), 0, 1)


def _check_strokes(
    shape: tuple[int, ...],
    rust: np.ndarray | None,
    clean: np.ndarray | None,
    settled: np.ndarray | None,
) -> None:
    for name, stroke in (("rust", rust), ("clean", clean), ("settled", settled)):
        if stroke is not None and (stroke.dtype != np.bool_ or stroke.shape != shape):
            raise ConfigError(
                f"{name} is {stroke.dtype}{stroke.shape}; allowed is bool{tuple(shape)}, "
                "the size of the photo"
            )
    if rust is not None and clean is not None and (rust & clean).any():
        raise ConfigError(
            f"rust and clean both mark {int((rust & clean).sum())} pixels; mark each once"
        )
