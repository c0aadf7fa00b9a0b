"""The dense CRF of a photo at its working size, on pydensecrf's lattice.

Photos are (h, w, 3) uint8 sRGB; probabilities and posteriors (h, w) float32 in
[0, 1], of corrosion; strokes (h, w) bool.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydensecrf.densecrf import DenseCRF2D
from pydensecrf.eigen import matrixXf
from scipy.ndimage import gaussian_filter

from rustseg_jax.config import CRFParams
from rustseg_jax.errors import ConfigError
from rustseg_jax.images import resize
from rustseg_jax.images.resample import Map, Shape, bilinear, guided_upsample

__all__ = [
    "Lattice",
    "check_photo",
    "check_strokes",
    "checked_unit",
    "crf_refine",
    "shrink_strokes",
    "working_shape",
]

Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

CLIP = 1e-5
"""Probabilities are kept this far from 0 and 1, as in pydensecrf's `unary_from_softmax`."""

_BUILT = ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb", "working_size", "reference_size")
# What a lattice is built from; all else is only used when it infers.


class Lattice:
    """The dense CRF of one photo, built once and reused for every threshold, stroke and weight.

    The appearance kernel is pydensecrf's permutohedral lattice, whose building takes
    about a third of a refinement. Two things make it cheaper than pydensecrf's own
    `inference` (about 0.7 of its time; mean IoU of the masks 0.996 over 24 cases,
    lower only where a mask has nearly vanished):

    - With two labels and a Potts model the messages are ``K Q`` and ``K (1 - Q)``,
      and only their difference ``K (2 Q - 1)`` matters. So the lattice filters one
      channel instead of two: a CRF of one label, whose single step leaves ``K`` of
      whatever it was given in its first scratch matrix.
    - The smoothness kernel has no colour. It is a plain separable Gaussian,
      normalised symmetrically as pydensecrf does, and exact where the lattice is
      an approximation.

    An object may be used from several threads: `infer` changes nothing in it.

    Parameters
    ----------
    image
        (h, w, 3) uint8, the photo at its working size.
    params
        The CRF; ``CRFParams()`` when left out.

    Attributes
    ----------
    image, params
        As given.
    """

    def __init__(self, image: Pixels, params: CRFParams | None = None) -> None:
        check_photo(image)
        self.image = np.ascontiguousarray(image)
        self.params = params = params or CRFParams()
        height, width = image.shape[:2]
        scale = max(height, width) / params.reference_size
        self._crf: DenseCRF2D | None = None
        if params.bilateral_compat > 0:
            self._crf = DenseCRF2D(width, height, 1)
            self._crf.addPairwiseBilateral(
                sxy=params.bilateral_sxy * scale,
                srgb=params.bilateral_srgb,
                rgbim=self.image,
                compat=1.0,  # `_messages` weighs it: so the weight may change, see `weighted`
            )
        self._sigma = params.gaussian_sxy * scale
        self._norm = 1 / np.sqrt(self._blur(np.ones((height, width), np.float32)))

    def fits(self, params: CRFParams) -> bool:
        """Whether what was built also serves these parameters: reaches and size are the same.

        Weights, iterations and what concerns the way back may differ, but for an appearance
        kernel that was left out, which is not there.
        """
        built = all(getattr(self.params, name) == getattr(params, name) for name in _BUILT)
        return built and (self._crf is not None or params.bilateral_compat == 0)

    def weighted(self, params: CRFParams) -> Lattice:
        """Return the same lattice with other weights; all that was built is shared.

        Parameters
        ----------
        params
            Parameters that `fits`.

        Returns
        -------
        A lattice that infers as one built anew with `params` does, bit for bit; itself where
        they are its own.

        Raises
        ------
        ConfigError
            The parameters need another lattice.
        """
        if params == self.params:
            return self
        if not self.fits(params):
            raise ConfigError(
                f"params is {params}: give the {', '.join(_BUILT)} that the lattice was built "
                f"with, {self.params}, or build another"
            )
        other = copy(self)
        other.params = params
        return other

    def infer(
        self, probability: Map, *, rust: Mask | None = None, clean: Mask | None = None
    ) -> Map:
        """Return the mean-field posterior of corrosion.

        Parameters
        ----------
        probability
            (h, w) floating point in [0, 1], the evidence at each pixel.
        rust, clean
            (h, w) bool, strokes of an expert: held at 1 and at 0 in every update.

        Returns
        -------
        (h, w) float32 in [0, 1].

        Raises
        ------
        ConfigError
            A shape or dtype is wrong, a probability is NaN or outside [0, 1], or
            the strokes contradict each other.
        """
        for last in self._fields(probability, rust, clean):
            field = last  # one at a time: the others are let go
        return (field + 1) / 2

    def steps(self, probability: Map) -> Iterator[Map]:
        """Yield the posterior before the first update and after each, the last as of `infer`.

        Parameters
        ----------
        probability
            As for `infer`; raises as it does.

        Yields
        ------
        (h, w) float32 in [0, 1]; at most ``iterations + 1`` times.
        """
        for field in self._fields(probability, None, None):
            yield (field + 1) / 2

    def _fields(self, probability: Map, rust: Mask | None, clean: Mask | None) -> Iterator[Map]:
        """The mean field of two labels in one number, 2 Q - 1, before and after each update."""
        shape = self.image.shape[:2]
        probability = checked_unit(probability, "probability")
        if probability.shape != shape:
            raise ConfigError(f"probability has the shape {probability.shape}: give {shape}")
        check_strokes(rust, clean, shape)
        evidence = np.clip(probability, CLIP, 1 - CLIP)
        log_odds = np.log(evidence) - np.log1p(-evidence)
        field = _hold(2 * evidence - 1, rust, clean)  # tanh of half the log odds
        yield field
        scratch = self._scratch()
        for _ in range(self.params.iterations):
            update = np.tanh((log_odds + self._messages(field, scratch)) / 2)
            update = _hold(update, rust, clean)
            change = np.abs(update - field).max() / 2
            field = update
            yield field
            if change <= self.params.tolerance:
                break

    def _scratch(self) -> list[Any]:
        """Return the three one-row matrices of a step: what goes in, what comes out, spare."""
        zeros = np.zeros((1, self._norm.size), np.float32)
        return [matrixXf(zeros) for _ in range(3)]

    def _messages(self, signed: Map, scratch: list[Any]) -> Map:
        """Return both kernels, with their weights, applied to ``2 Q - 1``."""
        messages = self.params.gaussian_compat * self._norm * self._blur(self._norm * signed)
        if self._crf is not None and self.params.bilateral_compat > 0:
            given, filtered, _ = scratch
            np.asarray(given)[0] = signed.ravel()
            self._crf.stepInference(*scratch)
            appearance = np.asarray(filtered)[0].reshape(signed.shape)
            messages += np.float32(self.params.bilateral_compat) * appearance
        return messages

    def _blur(self, values: Map) -> Map:
        # Nothing beyond the picture's border takes part in the CRF: hence zeros there.
        return gaussian_filter(values, self._sigma, mode="constant", truncate=3.0)


def _hold(field: Map, rust: Mask | None, clean: Mask | None) -> Map:
    """Set ``2 Q - 1`` to 1 on the rust strokes and -1 on the clean ones, in place; return it."""
    if rust is not None:
        field[rust] = 1
    if clean is not None:
        field[clean] = -1
    return field


def check_strokes(rust: Mask | None, clean: Mask | None, shape: Shape) -> None:
    """Refuse, with a ConfigError, strokes of another dtype or shape, or that overlap."""
    for name, stroke in (("rust", rust), ("clean", clean)):
        if stroke is not None and (stroke.dtype != np.bool_ or stroke.shape != shape):
            raise ConfigError(
                f"{name} is {stroke.dtype} of the shape {stroke.shape}: give bool, {shape}"
            )
    if rust is not None and clean is not None and (both := int((rust & clean).sum())):
        raise ConfigError(
            f"rust and clean share {both} pixels: leave each pixel to the later stroke"
        )


def checked_unit(values: Map, name: str) -> Map:
    """Return a map in [0, 1] as contiguous float32, or say what is wrong with it."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    if values.ndim != 2 or values.size == 0:
        raise ConfigError(f"{name} has the shape {values.shape}: give (h, w), not empty")
    low, high = values.min(), values.max()
    # Written so that a NaN, which compares as False, is refused too.
    if not (low >= 0 and high <= 1):
        raise ConfigError(f"{name} runs from {low} to {high}: give numbers from 0 to 1, no NaN")
    return values


def check_photo(image: Pixels) -> None:
    """Refuse, with a ConfigError, what is not (H, W, 3) uint8."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ConfigError(
            f"image is {image.dtype} of the shape {image.shape}: give (H, W, 3) uint8"
        )


def working_shape(shape: Shape, working_size: int) -> Shape:
    """Return (h, w) of a photo shrunk, never enlarged, to this longer side, at least 1 x 1."""
    scale = min(1.0, working_size / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def crf_refine(
    image: Pixels,
    probability: Map,
    params: CRFParams | None = None,
    *,
    rust: Mask | None = None,
    clean: Mask | None = None,
    lattice: Lattice | None = None,
) -> Map:
    """Refine evidence with a dense CRF [1]_ and return it at the photo's own size.

    Parameters
    ----------
    image
        (H, W, 3) uint8, the photo.
    probability
        (h, w) floating point in [0, 1], of any size, the evidence; brought to the
        working size bilinearly.
    params
        The CRF; those of `lattice`, else ``CRFParams()``, when left out.
    rust, clean
        (H, W) bool, strokes of an expert at the photo's own size. They are hard
        constraints, kept to the pixel: the posterior is 1 and 0 there.
    lattice
        The `Lattice` of this photo at its working size, when it was kept; its weights may
        be others, see `Lattice.weighted`.

    Returns
    -------
    (H, W) float32 in [0, 1], the posterior of corrosion; follows the colour edges
    of the photo where that is larger than the working size.

    Raises
    ------
    ConfigError
        See `Lattice.infer`; or the lattice is of another size or other parameters.

    References
    ----------
    .. [1] Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with
       Gaussian Edge Potentials", NeurIPS 2011.
    """
    check_photo(image)
    params = params or (lattice.params if lattice is not None else CRFParams())
    check_strokes(rust, clean, image.shape[:2])
    small = working_shape(image.shape[:2], params.working_size)
    if lattice is None:
        lattice = Lattice(image if image.shape[:2] == small else resize(image, small), params)
    elif lattice.image.shape[:2] != small or not lattice.fits(params):
        raise ConfigError(
            f"lattice is of the size {lattice.image.shape[:2]} and {lattice.params}: "
            f"give one of the size {small} and {params}, or none"
        )
    evidence = bilinear(checked_unit(probability, "probability"), small)
    small_rust, small_clean = shrink_strokes(rust, clean, small)
    posterior = lattice.weighted(params).infer(evidence, rust=small_rust, clean=small_clean)
    full = guided_upsample(
        posterior, lattice.image, image, radius=params.guide_radius, epsilon=params.guide_epsilon
    )
    if rust is not None:
        full[rust] = 1
    if clean is not None:
        full[clean] = 0
    return full


def shrink_strokes(
    rust: Mask | None, clean: Mask | None, shape: Shape
) -> tuple[Mask | None, Mask | None]:
    """Mark every working pixel that a stroke touches; none that both kinds touch."""
    small_rust, small_clean = _touched(rust, shape), _touched(clean, shape)
    if small_rust is None or small_clean is None:
        return small_rust, small_clean
    return small_rust & ~small_clean, small_clean & ~small_rust


def _touched(stroke: Mask | None, shape: Shape) -> Mask | None:
    if stroke is None or stroke.shape == shape:
        return stroke
    for axis in (0, 1):
        starts = np.arange(shape[axis]) * stroke.shape[axis] // shape[axis]
        stroke = np.logical_or.reduceat(stroke, starts, axis=axis)
    return stroke
