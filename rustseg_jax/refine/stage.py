"""Stage 3 as one call: a heat map, its threshold and an expert's strokes in; the mask out."""

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
"""Evidence at every pixel where the verdict was "no corrosion" but an expert marks some: unmarked
pixels lean to clean, so that strokes grow along colour instead of everything flipping."""


def lattice_of(photo: Pixels, params: CRFParams) -> Lattice:
    """Build the lattice of a photo at its working size.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    params : the CRF
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
    """Run the CRF and cut its posterior at one half.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    heat : (h, w) float32 in [0, 1], the heat map; None where the verdict was "no corrosion"
    threshold : of the heat map
    lattice : of this photo, `lattice_of`
    params : the CRF; its weights may differ from the lattice's
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
    """Evidence at the CRF's size, and what strokes say of the pixels around them."""
    if not any(mark is not None and mark.any() for mark in (rust, clean)):
        return evidence
    # Colours need no more pixels than this, and what is said is smooth.
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
    """Refuse, with a ConfigError, strokes of another shape or dtype, or that contradict."""
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
