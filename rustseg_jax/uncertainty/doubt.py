"""Uncertainty of a mask: its map and interval, from the disagreement of variants of the photo.

A variant is the photo mirrored, shifted by half a cell of the heat map, or at another
scale. Each variant goes through all stages (verdict, heat map, threshold, CRF), but uses
the lattice of the photo, which is the most expensive part. Their differences give the
uncertainty map and the interval of `rustseg_jax.uncertainty.interval`.

Maps are (H, W) float32 in [0, 1]; areas are shares of the photo in [0, 1].
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax import images, refine
from rustseg_jax.classify import Classifier
from rustseg_jax.config import Config, UncertaintyConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.images.resample import bilinear, bilinear_strips
from rustseg_jax.pipeline import conclude
from rustseg_jax.result import Segmentation
from rustseg_jax.tiling.evidence import Evidence
from rustseg_jax.uncertainty.augmentations import Look, look_again
from rustseg_jax.uncertainty.interval import AreaEvidence, AreaModel, carry_interval, load_area

__all__ = [
    "Uncertainty",
    "carry_uncertainty",
    "gather",
    "measure_uncertainty",
    "settings_of",
    "update_uncertainty",
]

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Notes of an `Uncertainty` whose interval is not calibrated.
NO_CALIBRATION = (
    "not calibrated: no calibration file found; the interval is the range of the variants"
)
RANGE = "; the interval is the range of the variants"
WINDOWS = "calibrated on photos that were analysed whole, not in tiles"
CORRECTED = "after an expert's strokes: narrowed by a rule, not calibrated"
MOVED = "with other settings: shifted with the mask by a rule, not calibrated"


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Uncertainty of a result.

    Attributes
    ----------
    map : (H, W) float32 in [0, 1], at each pixel the mean over the variants of the
        probability that they assign to the opposite label. 0: all variants agree
        with the mask; 1: all are certain of the opposite. A variant with the verdict "no
        corrosion" assigns 0 to corrosion everywhere. None if it was not computed, see
        `carry_uncertainty`
    area : area of the mask, `Segmentation.area`
    low, high : interval for the true area. It does not always contain `area`: if
        masks are known to be too large, it is below
    middle : best estimate of the true area, from the calibration
    level : share of photos whose true area such intervals should cover
    calibrated : whether the level was checked on photos with masks, for these weights,
        this configuration and this kind of photo
    note : limitation of the interval, or ""
    areas : areas of the variants' masks
    probabilities : P(corrosion) of the variants
    config : the variants used
    looks : output of the network for each variant, for `update_uncertainty`
    """

    map: Map | None = field(repr=False)
    area: float
    low: float
    high: float
    middle: float
    level: float
    calibrated: bool
    note: str
    areas: tuple[float, ...]
    probabilities: tuple[float, ...]
    config: UncertaintyConfig = field(repr=False)
    looks: tuple[Look, ...] = field(repr=False)

    @property
    def interval(self) -> tuple[float, float]:
        """The interval (low, high) of the rusted area."""
        return self.low, self.high

    def to_json(self) -> dict[str, Any]:
        """Return everything except arrays, as plain values for JSON."""
        names = ("area", "low", "high", "middle", "level", "calibrated", "note")
        plain = {name: getattr(self, name) for name in names}
        variants = [
            {**v._asdict(), "area": area, "probability": p}
            for v, area, p in zip(self.config.variants, self.areas, self.probabilities, strict=True)
        ]
        doubt = None if self.map is None else float(self.map.mean())
        return {**plain, "doubt": doubt, "variants": variants}


def measure_uncertainty(
    seg: Segmentation,
    model: Classifier,
    config: UncertaintyConfig | None = None,
    *,
    calibration: AreaModel | None = None,
) -> Uncertainty:
    """Measure the uncertainty of a result with variants of its photo.

    Parameters
    ----------
    seg : result of `segment`, without strokes; for strokes see `update_uncertainty`
    model : the model of this result
    config : the variants and the level; by default five variants and 0.9
    calibration : calibration of the interval; by default that beside the weights (`load_area`)

    Returns
    -------
    `Uncertainty`. The cost is about five passes through the network and five
    inferences of the CRF; for a tiled photo, five times its tiles.

    Raises
    ------
    ConfigError
        `seg` was made with other weights.
    DataError
        The file beside the weights is not a calibration.
    """
    config = config or UncertaintyConfig()
    if dict(seg.model) != model.describe():
        raise ConfigError("seg was made with other weights than model; segment the photo again")
    looks = look_again(seg, model, config)
    doubt, areas = _disagree(seg, looks)
    said = _interval(seg, looks, areas, config, calibration or load_area())
    return Uncertainty(
        map=doubt,
        area=seg.area,
        level=config.level,
        areas=areas,
        probabilities=tuple(look.probability for look in looks),
        config=config,
        looks=looks,
        **said,
    )


def update_uncertainty(
    before: Uncertainty,
    seg: Segmentation,
    *,
    rust: Mask | None = None,
    clean: Mask | None = None,
) -> Uncertainty:
    """Update the uncertainty after strokes or changed settings, without running the network.

    The variants are refined again in the same way as the result: with the same strokes, which they
    keep too, with its CRF, and with their thresholds shifted by the same amount. Without strokes
    the interval is that of `carry_uncertainty`. After strokes the interval contains the new mask's
    area, is narrower than before in proportion to the remaining uncertainty (at most the share of
    unmarked pixels), has the same position relative to the mask's area, and never
    contradicts a marked pixel.

    Parameters
    ----------
    before : result of `measure_uncertainty` before the change
    seg : result of `resegment` with these strokes and settings
    rust, clean : (H, W) bool, all strokes of the result, or None

    Returns
    -------
    `Uncertainty`, never marked as calibrated: there are no corrections to calibrate it on

    Raises
    ------
    ConfigError
        The strokes are invalid for `resegment`.
    """
    doubt, areas = _disagree(seg, before.looks, rust, clean)
    if rust is None and clean is None:
        return replace(carry_uncertainty(before, seg), map=doubt, areas=areas)
    known = {name: _share(stroke) for name, stroke in (("rust", rust), ("clean", clean))}
    left = 1 - known["rust"] - known["clean"]
    was = 0.0 if before.map is None else float(before.map.mean())
    if was > 0:
        left = min(left, float(doubt.mean()) / was)
    low, high = _narrowed(before, seg.area, left)
    low, high = max(low, known["rust"]), min(high, 1 - known["clean"])
    return replace(
        before,
        map=doubt,
        area=seg.area,
        low=min(low, seg.area),
        high=max(high, seg.area),
        middle=seg.area,
        calibrated=False,
        note=CORRECTED if before.calibrated else f"{CORRECTED}; before: {before.note}",
        areas=areas,
    )


def carry_uncertainty(before: Uncertainty, seg: Segmentation) -> Uncertainty:
    """Shift the interval with a mask made with changed settings; takes no time.

    Parameters
    ----------
    before : result of `measure_uncertainty` before the change
    seg : result of `resegment` with changed settings, without strokes

    Returns
    -------
    `Uncertainty` with the interval of `rustseg_jax.uncertainty.interval.carry_interval`, never
    marked as calibrated, and without a map, which `update_uncertainty` computes
    """
    low, high = carry_interval(before.interval, before.area, seg.area)
    return replace(
        before,
        map=None,
        area=seg.area,
        low=low,
        high=high,
        middle=min(max(seg.area, low), high),
        calibrated=False,
        note=f"{MOVED}; before: {before.note}" if before.note else MOVED,
    )


def gather(seg: Segmentation, model: Classifier, config: UncertaintyConfig) -> AreaEvidence:
    """Collect the evidence of a result and its variants on the rusted area, for a calibration.

    Parameters
    ----------
    seg, model, config : as for `measure_uncertainty`

    Returns
    -------
    `AreaEvidence`
    """
    looks = look_again(seg, model, config)
    return _evidence(seg, looks, _disagree(seg, looks)[1])


def settings_of(method: Config, variants: UncertaintyConfig) -> dict[str, Any]:
    """Return the settings to which a calibration applies: those of the method and the variants.

    The level is excluded, because a calibration works for every level, and so are settings that
    only affect tiled photos.
    """
    chosen = {"method": asdict(method), "variants": asdict(variants)}
    del chosen["method"]["tiles"], chosen["variants"]["level"]
    return chosen


def _disagree(
    seg: Segmentation, looks: tuple[Look, ...], rust: Mask | None = None, clean: Mask | None = None
) -> tuple[Map, tuple[float, ...]]:
    """Refine the variants in the same way as the photo; return their disagreement and areas.

    Computed at the working size of the CRF: only the map is enlarged to the photo's size.
    """
    shape = refine.working_shape((seg.image.shape[0], seg.image.shape[1]), seg.crf.working_size)
    small, lattice = images.resize(seg.image, shape), seg.lattice
    small_rust, small_clean = _marks(rust, clean, shape)
    mask = _soft(seg.mask, shape)
    moved = refine.moved_by(seg.threshold, refine.find_threshold(seg.heat, seg.config.threshold))
    total, areas = np.zeros(shape, np.float32), []
    for look in looks:
        threshold = refine.find_threshold(look.heat, seg.config.threshold)
        varied = conclude(
            small,
            _as_seen(seg, look),
            seg.config,
            seg.model,
            # Shifted by as many log odds as the photo's threshold, usually 0.
            threshold=refine.moved_threshold(threshold, moved),
            lattice=lattice,
            rust=small_rust,
            clean=small_clean,
        )
        lattice = varied.lattice or lattice  # built at most once
        areas.append(varied.area)
        total += mask if varied.posterior is None else np.abs(varied.posterior - mask)
    return _enlarged(total / np.float32(len(looks)), seg, rust, clean), tuple(areas)


def _as_seen(seg: Segmentation, look: Look) -> Evidence:
    """Return the evidence of a variant, to be used instead of that of the photo."""
    fine = seg.fine_heatmap is not None
    return replace(
        seg.evidence,
        probability=look.probability,
        heatmap=seg.heatmap if fine else look.heat,
        fine_heatmap=look.heat if fine else None,
        heat_maximum=look.heat_maximum,
    )


def _marks(
    rust: Mask | None, clean: Mask | None, shape: tuple[int, int]
) -> tuple[Mask | None, Mask | None]:
    """Return strokes at another size: the pixels they touch, except those both kinds touch."""
    small = [None if stroke is None else _soft(stroke, shape) > 0 for stroke in (rust, clean)]
    if small[0] is None or small[1] is None:
        return small[0], small[1]
    return small[0] & ~small[1], small[1] & ~small[0]


def _soft(mask: Mask, shape: tuple[int, int]) -> Map:
    """Return a mask at another size, (h, w) float32: its share in each pixel."""
    return bilinear(mask.astype(np.float32), shape)


def _enlarged(small: Map, seg: Segmentation, rust: Mask | None, clean: Mask | None) -> Map:
    """Return the map at the photo's size, 0 where an expert has marked the photo."""
    shape = seg.mask.shape[0], seg.mask.shape[1]
    full = np.empty(shape, np.float32)
    for rows, values in bilinear_strips(small, shape):
        np.clip(values, 0, 1, out=full[rows])
    for stroke in (rust, clean):
        if stroke is not None:
            full[stroke] = 0
    return full


def _evidence(seg: Segmentation, looks: tuple[Look, ...], areas: tuple[float, ...]) -> AreaEvidence:
    return AreaEvidence(
        areas=(seg.area, *areas),
        heats=(float(seg.heat.mean()), *(float(look.heat.mean()) for look in looks)),
        probabilities=(seg.probability, *(look.probability for look in looks)),
    )


def _interval(
    seg: Segmentation,
    looks: tuple[Look, ...],
    areas: tuple[float, ...],
    config: UncertaintyConfig,
    calibration: AreaModel | None,
) -> dict[str, Any]:
    """Return the interval and its note, as attributes of `Uncertainty`."""
    digest = str(seg.model.get("digest", ""))
    note = NO_CALIBRATION
    if calibration is not None:
        reason = calibration.mismatch(digest, settings_of(seg.config, config))
        note = reason + RANGE if reason else WINDOWS if seg.tiling else ""
    if calibration is None or note.endswith(RANGE):
        low, high = min(seg.area, *areas), max(seg.area, *areas)
        return {"low": low, "high": high, "middle": seg.area, "calibrated": False, "note": note}
    low, middle, high = calibration.interval(_evidence(seg, looks, areas), level=config.level)
    return {"low": low, "high": high, "middle": middle, "calibrated": not note, "note": note}


def _narrowed(before: Uncertainty, area: float, left: float) -> tuple[float, float]:
    """Return the interval around a new area: its width times `left`, in the same position."""
    width = before.high - before.low
    below = min(max((before.area - before.low) / width, 0.0), 1.0) if width > 0 else 0.0
    return area - left * below * width, area + left * (1 - below) * width


def _share(mask: Mask | None) -> float:
    return 0.0 if mask is None else float(mask.mean())
