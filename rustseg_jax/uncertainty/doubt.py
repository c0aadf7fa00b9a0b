"""How sure is a mask? Variants of the photo are looked at and disagree, or do not.

A variant is the photo mirrored, shifted by half a cell of the heat map, or at another
size. Each goes the whole way that the photo went (verdict, heat map, threshold, CRF), but on
the lattice of the photo, which is kept and costs most. What they say differently is
drawn as a map, and feeds the interval of `rustseg_jax.uncertainty.interval`.

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

# What an `Uncertainty` says where its interval holds no promise.
NO_CALIBRATION = "not calibrated: no calibration was found; the interval is the variants' range"
RANGE = "; the interval is the variants' range"
WINDOWS = "calibrated on photos that were looked at whole, not in windows"
CORRECTED = "after an expert's strokes: narrowed by a rule, not calibrated"
MOVED = "with other settings: moved along with the mask by a rule, not calibrated"


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How sure a result is.

    Attributes
    ----------
    map : (H, W) float32 in [0, 1], at each pixel the mean over the variants of the
        probability that they give to the opposite of what the mask says. 0: all agree
        with the mask; 1: all are sure of the opposite. A variant whose verdict is "no
        corrosion" gives 0 to corrosion everywhere. None where it was not asked for, see
        `carry_uncertainty`
    area : of the mask, `Segmentation.area`
    low, high : the interval in which the true area lies. It need not hold `area`: where
        masks are known to be too large, it says so
    middle : where calibration sees the true area
    level : share of photos whose true area such intervals should cover
    calibrated : whether the level was checked on photos with masks, for these weights,
        this configuration and this kind of photo
    note : what to know about the interval, or ""
    areas : of the variants' masks
    probabilities : P(corrosion) of the variants
    config : which variants there were
    looks : what the network said of each, for `update_uncertainty`
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
        """(low, high)."""
        return self.low, self.high

    def to_json(self) -> dict[str, Any]:
        """Everything but arrays, as plain values for JSON."""
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
    """Say how sure a result is, by looking at variants of its photo.

    Parameters
    ----------
    seg : what `segment` found, without strokes; see `update_uncertainty` for those
    model : that found it
    config : which variants, and the level; five variants and 0.9 when left out
    calibration : of the interval; that beside the weights (`load_area`) when left out

    Returns
    -------
    `Uncertainty`. It costs about five passes through the network and as many
    inferences of the CRF; of a photo looked at in windows, five times its windows.

    Raises
    ------
    ConfigError
        `seg` was found with other weights.
    DataError
        The file beside the weights is no calibration.
    """
    config = config or UncertaintyConfig()
    if dict(seg.model) != model.describe():
        raise ConfigError("seg was found with other weights than model; segment the photo again")
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
    """Say how sure a result is with strokes or other settings; the network is not asked.

    The variants are refined again as the result was: with the strokes, which they keep, too,
    with its CRF, and with their thresholds moved as far as its was. Without strokes the
    interval is that of `carry_uncertainty`. After strokes it holds the new mask's area, is
    narrower than the old one in proportion to the doubt that is left (at most the share of
    pixels that is not marked), lies about the mask's area as the old one did, and never
    denies a marked pixel.

    Parameters
    ----------
    before : `measure_uncertainty` of the result that was changed
    seg : what `resegment` made of that result, these strokes and settings
    rust, clean : (H, W) bool, all strokes that it has, or None for none

    Returns
    -------
    `Uncertainty`, never called calibrated: there are no corrections to calibrate it on

    Raises
    ------
    ConfigError
        The strokes are refused by `resegment`.
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
    """Move the interval along with a mask that was made with other settings; costs nothing.

    Parameters
    ----------
    before : `measure_uncertainty` of the result whose settings were changed
    seg : what `resegment` made of that result with other settings, without strokes

    Returns
    -------
    `Uncertainty` with the interval of `rustseg_jax.uncertainty.interval.carry_interval`, never
    called calibrated, and without a map: `update_uncertainty` makes that, too
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
    """Gather what a result and its variants say of the rusted area, for a calibration.

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
    """What a calibration holds for: the method's configuration and the variants'.

    The level is left out, as a calibration serves every level; so is what only
    concerns photos looked at in windows.
    """
    chosen = {"method": asdict(method), "variants": asdict(variants)}
    del chosen["method"]["tiles"], chosen["variants"]["level"]
    return chosen


def _disagree(
    seg: Segmentation, looks: tuple[Look, ...], rust: Mask | None = None, clean: Mask | None = None
) -> tuple[Map, tuple[float, ...]]:
    """Refine the variants as the photo was; return where they disagree, and their areas.

    At the size at which the CRF works: only the map is then enlarged to that of the photo.
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
            # Moved by as many log odds as that of the photo was, 0 as a rule.
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
    """What the network says of a variant, in place of what it says of the photo."""
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
    """Strokes at another size: what they touch, but for what both kinds touch."""
    small = [None if stroke is None else _soft(stroke, shape) > 0 for stroke in (rust, clean)]
    if small[0] is None or small[1] is None:
        return small[0], small[1]
    return small[0] & ~small[1], small[1] & ~small[0]


def _soft(mask: Mask, shape: tuple[int, int]) -> Map:
    """A mask at another size, (h, w) float32: the share of it in each pixel."""
    return bilinear(mask.astype(np.float32), shape)


def _enlarged(small: Map, seg: Segmentation, rust: Mask | None, clean: Mask | None) -> Map:
    """The map at the photo's size; of what an expert has marked there is no doubt."""
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
    """The interval and what to know about it, as attributes of `Uncertainty`."""
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
    """The interval about a new area: the old one's width times `left`, placed as it was."""
    width = before.high - before.low
    below = min(max((before.area - before.low) / width, 0.0), 1.0) if width > 0 else 0.0
    return area - left * below * width, area + left * (1 - below) * width


def _share(mask: Mask | None) -> float:
    return 0.0 if mask is None else float(mask.mean())
