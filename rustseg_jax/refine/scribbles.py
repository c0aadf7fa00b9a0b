"""Scribbles: extend an expert's strokes to similar pixels around them, as evidence for the CRF.

A stroke alone has little effect on the CRF where the heat map is confident. Therefore the pixels
around each stroke are compared with the stroke and with its surroundings; the resulting evidence
replaces that of the heat map near the stroke and fades out away from it. The CRF then follows the
edges and keeps the strokes.

Images are (h, w, 3) uint8 sRGB, evidence is (h, w) float32 in [0, 1], the probability of corrosion,
strokes are (h, w) bool. Lengths are in pixels of an image whose longer side is `SIDE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit, logit
from skimage.color import rgb2lab

from rustseg_jax.images.resample import Map
from rustseg_jax.refine.crf import CLIP, Mask, Pixels

__all__ = [
    "SIDE",
    "Features",
    "Field",
    "Look",
    "Weights",
    "features_of",
    "fields",
    "join",
    "spread",
]

SIDE = 448
"""Longer side in pixels at which all constants were measured (docs/decisions/0021-scribbles.md)."""

EIGHT = np.ones((3, 3), np.bool_)
SMOOTHING = 1.0  # pixels; removes the noise of sensor and JPEG
STEP = 4  # levels of Lab per histogram bin
FINE, COARSE = 1.0, 2.0  # bins; standard deviations for smoothing the histograms
FLOOR = 1e-5  # share assigned to colours that do not occur
GRAIN = 4.0  # pixels; standard deviation of the window in which roughness is measured
TOUCH = 3  # pixels; strokes closer than twice this distance form one piece
MOST_PIECES = 16  # of each kind; more are first merged with their neighbours
LEAST_EXTENT = 6.0  # pixels; minimum extent (half the diagonal) of a piece, even of a dot
SURROUNDINGS = 0.25, 4.0  # inner and outer distance of the surroundings, in extents of the stroke
STROKE_SHARE = 5.0  # weight of a pixel of the stroke relative to other pixels with its label
REACH, REACH_LEAST, REACH_MOST = 2.0, 60.0, 0.35 * SIDE  # extents; pixels; pixels
FREE = 0.12 * SIDE  # pixels; beyond this distance only pixels connected to the stroke change
SOFTEN = 5.0  # pixels added to the distance in the weights of several pieces
MOST_ODDS = 6.0  # log odds; limits the evidence so that the CRF can still overrule it

Floats = NDArray[np.floating[Any]]
Window = tuple[slice, slice]


@dataclass(frozen=True)
class Weights:
    """Weights of the features in the log odds of a stroke's label; see `features_of`.

    Fitted on half A with the predecessor of `python -m benchmarks.scribbles_fit`;
    another selection of images gives slightly different numbers.
    """

    evidence: float = 1.538
    at_stroke: float = -1.733
    distance: float = -0.245
    colour: float = 0.964
    region: float = 1.133
    roughness: float = -0.512
    constant: float = 1.959
    rust: float = -1.185

    def vector(self) -> NDArray[np.float32]:
        """Return the weights in the order of `Features.values`."""
        return np.array(list(vars(self).values()), np.float32)


WEIGHTS = Weights()


@dataclass(frozen=True)
class Look:
    """Properties of an image that do not depend on the strokes.

    Attributes
    ----------
    colour : (h, w) int, the histogram bin of a pixel's Lab colour
    roughness : (h, w) float32, log of the standard deviation of the brightness around it
    scale : longer side of the image divided by `SIDE`
    """

    colour: NDArray[np.intp]
    roughness: Map
    scale: float

    @classmethod
    def at(cls, image: Pixels) -> Look:
        """Measure an image, (h, w, 3) uint8."""
        scale = max(image.shape[:2]) / SIDE
        sigma = SMOOTHING * scale
        smooth = ndimage.gaussian_filter(image.astype(np.float32), (sigma, sigma, 0))
        lab = rgb2lab(smooth / np.float32(255))
        bins = ((lab - _LOW) / STEP).astype(np.intp)
        bins = np.clip(bins, 0, np.array(_BINS) - 1)
        grey = lab[..., 0]
        mean = ndimage.gaussian_filter(grey, GRAIN * scale)
        square = ndimage.gaussian_filter(grey * grey, GRAIN * scale)
        rough = np.log1p(np.sqrt(np.maximum(square - mean * mean, 0)))
        return cls(
            np.ravel_multi_index(np.moveaxis(bins, -1, 0), _BINS),
            rough.astype(np.float32),
            scale,
        )


# Lab of sRGB: L 0 to 100, a -87 to 99, b -108 to 95.
_LOW = np.array([0, -88, -108], np.float32)
_BINS = (26, 48, 52)


@dataclass(frozen=True)
class Features:
    """Features by which the pixels of a window are compared with one stroke.

    Attributes
    ----------
    window : position in the image
    rust : whether the stroke's label is rust
    values : (8, h, w) float32, in the order of `Weights`
    distance : (h, w) float32, distance to the stroke
    near : (h, w) float32 in [0, 1], influence of the stroke
    stroke : (h, w) bool
    """

    window: Window
    rust: bool
    values: NDArray[np.float32]
    distance: Map
    near: Map
    stroke: Mask


@dataclass(frozen=True)
class Field:
    """Evidence of one stroke: log odds of corrosion in a window, and its weights, (h, w)."""

    window: Window
    odds: Map
    near: Map
    share: Map


def spread(
    image: Pixels, evidence: Map, *, rust: Mask | None = None, clean: Mask | None = None
) -> Map:
    """Return the evidence updated by strokes, as examples for similar pixels around them.

    Parameters
    ----------
    image : (h, w, 3) uint8
    evidence : (h, w) floating point in [0, 1], without the strokes
    rust, clean : (h, w) bool strokes that do not overlap, or None

    Returns
    -------
    (h, w) float32 in [0, 1]; equal to `evidence` beyond the reach of all strokes, and everywhere
    if there are no strokes
    """
    evidence = np.asarray(evidence, np.float32)
    said = list(fields(image, evidence, rust=rust, clean=clean))
    return join(evidence, said) if said else evidence.copy()


def fields(
    image: Pixels, evidence: Map, *, rust: Mask | None, clean: Mask | None
) -> Iterator[Field]:
    """Yield the evidence of each piece of the strokes; arguments as for `spread`."""
    for features in features_of(image, evidence, rust=rust, clean=clean):
        yield _field(features, WEIGHTS.vector())


def features_of(
    image: Pixels, evidence: Map, *, rust: Mask | None, clean: Mask | None
) -> Iterator[Features]:
    """Yield the features of each piece of the strokes; arguments as for `spread`.

    The features of a pixel, with log odds counted towards the label of the stroke, are: the
    evidence in log odds; the mean evidence of the stroke; the log of 1 plus the distance in extents
    of the stroke; the log ratio of the colour's share in the stroke to its share in those
    surroundings that currently have the other label; the same with the pixels that currently have
    the stroke's label added to the stroke; the difference in roughness; 1; and 1 for rust, -1 for
    clean.
    """
    kinds = [
        (mark, is_rust) for mark, is_rust in ((rust, True), (clean, False)) if mark is not None
    ]
    if not any(mark.any() for mark, _ in kinds):
        return
    look = Look.at(image)
    odds = logit(np.clip(np.asarray(evidence, np.float32), CLIP, 1 - CLIP))
    for mark, is_rust in kinds:
        for box, stroke in _pieces(mark, look.scale):
            yield _features(look, odds, box, stroke, is_rust)


def join(evidence: Map, said: list[Field]) -> Map:
    """Combine the evidence of the strokes with the earlier evidence, (h, w) in [0, 1]."""
    odds = logit(np.clip(evidence, CLIP, 1 - CLIP)).astype(np.float32)
    total, shares, near = (np.zeros_like(odds) for _ in range(3))
    for one in said:
        total[one.window] += one.share * one.odds
        shares[one.window] += one.share
        np.maximum(near[one.window], one.near, out=near[one.window])
    mean = np.divide(total, shares, out=np.zeros_like(total), where=shares > 0)
    mixed = (1 - near) * odds + near * np.clip(mean, -MOST_ODDS, MOST_ODDS)
    return np.where(near > 0, expit(mixed), evidence).astype(np.float32)


def _pieces(mark: Mask, scale: float) -> Iterator[tuple[Window, Mask]]:
    """Yield the bounding box of each piece of the strokes, and the piece in it."""
    if not mark.any():
        return
    touch, count = TOUCH * scale, MOST_PIECES + 1
    distance = ndimage.distance_transform_edt(~mark)
    while count > MOST_PIECES:
        numbers, count = ndimage.label(distance <= touch, EIGHT)
        touch = 2 * touch + 1
    numbers[~mark] = 0
    for k, box in enumerate(ndimage.find_objects(numbers), start=1):
        if box is not None:
            yield box, numbers[box] == k


def _features(look: Look, odds: Map, box: Window, piece: Mask, is_rust: bool) -> Features:
    extent = max(np.hypot(*piece.shape) / 2, LEAST_EXTENT * look.scale)
    reach = min(max(REACH * extent, REACH_LEAST * look.scale), REACH_MOST * look.scale)
    first, last = (share * extent for share in SURROUNDINGS)
    window, stroke = _widen(box, piece, int(np.ceil(max(reach, last))), odds.shape)
    sign = 1 if is_rust else -1
    own = sign * odds[window]
    distance = ndimage.distance_transform_edt(~stroke).astype(np.float32)
    around = (distance < last) & ~stroke
    agrees = own >= 0 if is_rust else own > 0
    colour = look.colour[window]
    others = _counts(colour, (around & ~agrees & (distance > first)).astype(np.float32))
    alone = _counts(colour, stroke.astype(np.float32))
    region = _counts(colour, np.where(stroke, STROKE_SHARE, around & agrees))
    rough = look.roughness[window]
    # The larger window was needed for the surroundings; the evidence ends at the reach.
    inner = _within(distance, reach)
    ones = np.ones_like(own[inner])
    values = np.stack(
        [
            own[inner],
            own[stroke].mean() * ones,
            np.log1p(distance[inner] / np.float32(extent)),
            _ratio(alone, others, COARSE)[colour[inner]],
            _ratio(region, others, FINE)[colour[inner]],
            np.abs(rough[inner] - np.median(rough[stroke])),
            ones,
            sign * ones,
        ]
    ).astype(np.float32)
    fade = np.clip(2 * (1 - distance[inner] / reach), 0, 1).astype(np.float32)
    return Features(
        (_shift(window[0], inner[0]), _shift(window[1], inner[1])),
        is_rust,
        values,
        distance[inner] / np.float32(look.scale),
        fade * fade * (3 - 2 * fade),
        stroke[inner],
    )


def _field(features: Features, weights: NDArray[np.float32]) -> Field:
    own = np.tensordot(weights, features.values, axes=1)
    before = features.values[0]
    there = (features.near * own + (1 - features.near) * before > 0) | features.stroke
    numbers, count = ndimage.label(there, EIGHT)
    touched = np.zeros(count + 1, np.bool_)
    touched[numbers[features.stroke]] = True
    lost = there & ~touched[numbers] & (before < 0) & (features.distance > FREE)
    near = np.where(lost, np.float32(0), features.near)
    share = near / (features.distance + np.float32(SOFTEN)) ** 2
    return Field(features.window, own if features.rust else -own, near, share)


def _counts(colour: NDArray[np.intp], weight: Floats) -> Floats:
    """Return the weighted colour histogram with sum 1; all 0 if the weights are 0."""
    size = int(np.prod(_BINS))
    counts = np.bincount(colour.ravel(), weights=weight.ravel(), minlength=size)
    return (counts / max(float(weight.sum()), 1e-9)).reshape(_BINS)


def _ratio(this: Floats, that: Floats, sigma: float) -> NDArray[np.float32]:
    """Return the log ratio of two smoothed histograms, flattened."""
    smooth = [ndimage.gaussian_filter(x, sigma, mode="constant", truncate=3) for x in (this, that)]
    return np.log((smooth[0] + FLOOR) / (smooth[1] + FLOOR)).ravel().astype(np.float32)


def _widen(box: Window, piece: Mask, by: int, shape: tuple[int, ...]) -> tuple[Window, Mask]:
    rows, columns = (
        slice(max(0, side.start - by), min(size, side.stop + by))
        for side, size in zip(box, shape, strict=True)
    )
    stroke = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.bool_)
    top, left = box[0].start - rows.start, box[1].start - columns.start
    stroke[top : top + piece.shape[0], left : left + piece.shape[1]] = piece
    return (rows, columns), stroke


def _within(distance: Map, reach: float) -> Window:
    boxes = ndimage.find_objects((distance < reach).astype(np.int32))
    rows, columns = boxes[0]
    return rows, columns


def _shift(outer: slice, inner: slice) -> slice:
    return slice(outer.start + inner.start, outer.start + inner.stop)
