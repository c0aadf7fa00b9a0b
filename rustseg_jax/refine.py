"""From a coarse heat map to a mask: threshold, rough mask, dense CRF, strokes.

Heat maps are (h, w) float32 in [0, 1]; photos (H, W, 3) uint8 sRGB; masks and
strokes (H, W) bool; posteriors (H, W) float32 in [0, 1], the probability of
corrosion, where 0.5 and above is corrosion.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from rustseg_jax.config import PUBLISHED, CRFParams, ThresholdConfig
from rustseg_jax.crf import CLIP, Lattice, Mask, Photo, check_photo, check_strokes, checked_unit
from rustseg_jax.errors import ConfigError
from rustseg_jax.images import resize
from rustseg_jax.upsample import Map, Shape, bilinear, bilinear_strips, guided_upsample

__all__ = [
    "PUBLISHED",
    "CRFParams",
    "Lattice",
    "ThresholdConfig",
    "crf_refine",
    "find_threshold",
    "foreground_probability",
    "moved_by",
    "moved_threshold",
    "rough_mask",
    "shrink_strokes",
    "working_shape",
]


ONE_HUMP = 2 / np.pi
"""Otsu's separability of a single Gaussian hump split at its mean; two far humps give 1."""


def find_threshold(heatmap: Map, config: ThresholdConfig | None = None) -> float:
    """Return the threshold that separates corrosion from the rest of a heat map.

    The dynamic rule: with Otsu's threshold ``o``, its separability
    ``eta = between-class variance / variance`` and ``trust = (eta - 2/pi) /
    (1 - 2/pi)``, cut to [0, 1], the threshold is ``value + trust * (o - value)``,
    cut to [low, high]. A heat map that is warm all over has one hump: Otsu alone
    would cut the corrosion in two, while this keeps it whole.

    RustSEG [1]_ names a dynamic threshold; its formula is not in public text
    that could be found, so this rule is our own.

    Parameters
    ----------
    heatmap
        (h, w) floating point in [0, 1].
    config
        The rule and its numbers; ``ThresholdConfig()`` when left out.

    Returns
    -------
    The threshold in (0, 1]. Corrosion is where the heat map is at or above it.
    ``otsu`` returns `config.value` for a constant heat map, which has no Otsu threshold.

    Raises
    ------
    ConfigError
        The heat map is not a finite (h, w) array in [0, 1].

    References
    ----------
    .. [1] Burton et al., "RustSEG: Automated segmentation of corrosion using
       deep learning", 2022.
    .. [2] Otsu, "A threshold selection method from gray-level histograms",
       IEEE Trans. SMC 9(1), 1979.

    Examples
    --------
    >>> import numpy as np
    >>> find_threshold(np.array([[0.0, 0.0], [0.0, 1.0]]), ThresholdConfig("otsu"))
    0.5
    """
    config = config or ThresholdConfig()
    heatmap = checked_unit(heatmap, "heatmap")
    if config.rule == "fixed":
        return config.value
    otsu, separability = _otsu(heatmap)
    if config.rule == "otsu":
        return config.value if otsu is None else otsu
    if otsu is None:
        return min(max(config.value, config.low), config.high)
    trust = min(max((separability - ONE_HUMP) / (1 - ONE_HUMP), 0.0), 1.0)
    return min(max(config.value + trust * (otsu - config.value), config.low), config.high)


def moved_threshold(threshold: float, odds: float) -> float:
    """Move a threshold in log odds, which never leave (0, 1).

    Parameters
    ----------
    threshold
        In (0, 1].
    odds
        What is added to its log odds; 0 gives back the threshold itself.

    Returns
    -------
    The threshold in (0, 1), or what was given.
    """
    _check_threshold(threshold)
    if odds == 0:
        return threshold
    return float(expit(logit(min(threshold, 1 - CLIP)) + odds))


def moved_by(threshold: float, found: float) -> float:
    """Say by how many log odds a threshold was moved from the one that was found."""
    if threshold == found:
        return 0.0
    return float(logit(min(threshold, 1 - CLIP)) - logit(min(found, 1 - CLIP)))


def _otsu(heatmap: Map) -> tuple[float | None, float]:
    """Return Otsu's threshold, of the values and not of bins, and its separability."""
    values = np.sort(heatmap.astype(np.float64), axis=None)
    variance = values.var()
    cuts = np.flatnonzero(np.diff(values) > 0) + 1
    if cuts.size == 0:
        return None, 0.0
    share = cuts / values.size
    sums = np.cumsum(values)[cuts - 1]
    gap = (values.sum() - sums) / (values.size - cuts) - sums / cuts
    between = share * (1 - share) * gap**2
    best = int(np.argmax(between))
    cut = cuts[best]
    return float((values[cut - 1] + values[cut]) / 2), float(between[best] / variance)


def rough_mask(heatmap: Map, threshold: float, shape: Shape) -> Mask:
    """Enlarge a heat map bilinearly and cut it: True where it is at or above the threshold.

    Parameters
    ----------
    heatmap
        (h, w) floating point in [0, 1].
    threshold
        In (0, 1].
    shape
        (H, W) of the photo, in pixels. Memory beyond the mask does not grow with it.

    Returns
    -------
    (H, W) bool.
    """
    _check_threshold(threshold)
    mask = np.empty(shape, np.bool_)
    for rows, values in bilinear_strips(checked_unit(heatmap, "heatmap"), shape):
        np.greater_equal(values, threshold, out=mask[rows])
    return mask


def foreground_probability(
    heatmap: Map, threshold: float, *, shape: Shape | None = None, confidence: float = 0.95
) -> Map:
    """Turn heat into a probability of corrosion that is 0.5 exactly at the threshold.

    Linear from ``1 - confidence`` at heat 0 to 0.5 at the threshold, and on to
    `confidence` at heat 1.

    Parameters
    ----------
    heatmap
        (h, w) floating point in [0, 1].
    threshold
        In (0, 1].
    shape
        (H, W) to enlarge the heat map to beforehand, bilinearly, so that the line of
        probability 0.5 is the border of `rough_mask`; its own shape when left out.
    confidence
        Probability at heat 1, above 0.5 and below 1: how far the CRF may trust the heat.

    Returns
    -------
    (h, w) or `shape`, float32 in [1 - confidence, confidence].
    """
    _check_threshold(threshold)
    if not 0.5 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}: use above 0.5 and below 1")
    heat = checked_unit(heatmap, "heatmap")
    heat = heat if shape is None else bilinear(heat, shape)
    # At the threshold 1 nothing is above it: any divisor but 0 will do.
    above = (heat - threshold) / ((1 - threshold) or 1)
    signed = np.where(heat < threshold, heat / threshold - 1, above)
    return (0.5 + (confidence - 0.5) * signed).astype(np.float32)


def working_shape(shape: Shape, working_size: int) -> Shape:
    """Return (h, w) of a photo shrunk, never enlarged, to this longer side, at least 1 x 1."""
    scale = min(1.0, working_size / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def crf_refine(
    image: Photo,
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


def _check_threshold(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise ConfigError(f"threshold is {threshold}: use above 0, up to 1")
