"""Stage 3 in one call: compute the mask from a heat map, its threshold and an expert's strokes."""

from __future__ import annotations

import numpy as np

from rustseg_jax.config import CRFParams
from rustseg_jax.errors import ConfigError
from rustseg_jax.images import resize
from rustseg_jax.images.resample import Map, bilinear
from rustseg_jax.refine.crf import (
    Lattice,
    Mask,
    Pixels,
    crf_refine,
    shrink_strokes,
    working_shape,
)
from rustseg_jax.refine.scribbles import SIDE, spread
from rustseg_jax.refine.threshold import foreground_probability

__all__ = ["DOUBT", "check_marks", "lattice_of", "refine_mask"]

DOUBT = 0.4
"""Evidence at every pixel if the verdict is "no corrosion" but an expert marks rust: unmarked
pixels tend towards clean, so that strokes grow along colours and do not flip the whole mask."""


def lattice_of(photo: Pixels, params: CRFParams) -> Lattice:
    """Build the lattice of a photo at its working size.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    params : parameters of the CRF
    """
    shape = working_shape((photo.shape[0], photo.shape[1]), params.working_size)
    return Lattice(photo if photo.shape[:2] == shape else resize(photo, shape), params)


def refine_mask(
    photo: Pixels,
    heat: Map | None,
    threshold: float,
    lattice: Lattice,
    params: CRFParams,
    *,
    rust: Mask | None = None,
    clean: Mask | None = None,
    settled: Mask | None = None,
) -> tuple[Map, Mask]:
    """Run the CRF and threshold its posterior at 0.5.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    heat : (h, w) float32 in [0, 1], the heat map; None if the verdict is "no corrosion"
    threshold : threshold of the heat map
    lattice : lattice of this photo, see `lattice_of`
    params : parameters of the CRF; the weights may differ from those of the lattice
    rust, clean, settled : (H, W) bool strokes, see `rustseg_jax.resegment`

    Returns
    -------
    posterior, mask : (H, W) float32 in [0, 1] and (H, W) bool
    """
    shape = lattice.image.shape[:2]
    if heat is None:
        evidence = np.full(shape, DOUBT, np.float32)
    else:
        evidence = foreground_probability(heat, threshold, shape=shape)
    examples = _unsettled(rust, settled), _unsettled(clean, settled)
    evidence = _with_examples(lattice.image, evidence, *examples)
    posterior = crf_refine(photo, evidence, params, rust=rust, clean=clean, lattice=lattice)
    return posterior, posterior >= 0.5


def _unsettled(mark: Mask | None, settled: Mask | None) -> Mask | None:
    return mark if mark is None or settled is None else mark & ~settled


def _with_examples(small: Pixels, evidence: Map, rust: Mask | None, clean: Mask | None) -> Map:
    """Return the evidence at the CRF's size, updated by the strokes."""
    if not any(mark is not None and mark.any() for mark in (rust, clean)):
        return evidence
    # Colours need no higher resolution than this, and the evidence is smooth.
    shape = working_shape((evidence.shape[0], evidence.shape[1]), SIDE)
    rust, clean = shrink_strokes(rust, clean, shape)
    if shape == evidence.shape:
        return spread(small, evidence, rust=rust, clean=clean)
    before = bilinear(evidence, shape)
    after = spread(resize(small, shape), before, rust=rust, clean=clean)
    full = bilinear(after - before, (evidence.shape[0], evidence.shape[1]))
    return np.clip(evidence + full, 0, 1)


def check_marks(
    shape: tuple[int, ...], rust: Mask | None, clean: Mask | None, settled: Mask | None
) -> None:
    """Raise a ConfigError if strokes have another shape or dtype, or contradict each other."""
    for name, stroke in (("rust", rust), ("clean", clean), ("settled", settled)):
        if stroke is not None and (stroke.dtype != np.bool_ or stroke.shape != shape):
            raise ConfigError(
                f"{name} is {stroke.dtype}{stroke.shape}; must be bool{tuple(shape)}, "
                "the size of the photo"
            )
    if rust is not None and clean is not None and (rust & clean).any():
        raise ConfigError(
            f"rust and clean overlap in {int((rust & clean).sum())} pixels; mark each pixel once"
        )
