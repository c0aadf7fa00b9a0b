"""All options and defaults of the method, in one module that does not import JAX.

There is one frozen dataclass per concern. `Config` holds the options of a segmentation, is stored
as JSON with every result, and rejects invalid values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple, get_args

from rustseg_jax.errors import ConfigError

# ---------------------------------------------------------------- classify

CLASSES = ("clean", "corrosion")
CLEAN, CORROSION = 0, 1
BLOCKS = 5  # U-Net's encoder: four poolings, so the map is 1/16 of the input
STRIDE = 2 ** (BLOCKS - 1)
POOLINGS = ("mean", "lse", "context")


# A photo is classified as corroded if its calibrated probability reaches this value. Missed rust
# costs an inspector more than a false alarm; docs/decisions/0006 has the numbers on `val`.
DECISION_THRESHOLD = 0.3


@dataclass(frozen=True)
class NetworkConfig:
    """Architecture of the network; stored in the weights file.

    Attributes
    ----------
    width : channels of the first block; the five blocks have w, 2w, 4w, 8w, 16w
    input_size : side in pixels to which a photo is resized; a multiple of 16
    pooling : how the scores of all positions are combined into one verdict: "mean" (global
        average); "lse" (log-mean-exp of the score map, Pinheiro and Collobert 2015), in which a
        small part of the image can decide; or "context", "lse" plus a linear term in
        the averaged activations, through which the whole image contributes
    sharpness : r of "lse" and "context": the limit 0 is the mean, infinity the maximum
    verdict_scales : scales, relative to `input_size`, at which a photo is classified; the verdict
        is computed from the mean of their logits and calibrated for it
    """

    width: int = 16
    input_size: int = 448
    pooling: str = "lse"
    sharpness: float = 1.0  # Pinheiro and Collobert 2015 use 5; see docs/decisions
    verdict_scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not (isinstance(self.width, int) and 1 <= self.width <= 128):
            raise ConfigError(f"width is {self.width}; must be a whole number from 1 to 128")
        size = self.input_size
        if not isinstance(size, int) or size < STRIDE or size % STRIDE:
            raise ConfigError(f"input_size is {size}; must be a multiple of {STRIDE}")
        if self.pooling not in POOLINGS:
            raise ConfigError(f"pooling is {self.pooling!r}; must be one of {', '.join(POOLINGS)}")
        if not 0 < self.sharpness < math.inf:
            raise ConfigError(f"sharpness is {self.sharpness}; must be above 0 and finite")
        object.__setattr__(self, "verdict_scales", tuple(self.verdict_scales))  # JSON has a list
        if not self.verdict_scales or not all(0.25 <= s <= 2 for s in self.verdict_scales):
            raise ConfigError(
                f"verdict_scales is {self.verdict_scales}; must be one or more numbers between "
                "0.25 and 2"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the five blocks."""
        return tuple(self.width * 2**k for k in range(BLOCKS))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NetworkConfig:
        """Build the configuration from `dataclasses.asdict` output; unknown names are errors."""
        if unknown := set(values) - {f.name for f in fields(cls)}:
            raise ConfigError(f"unknown network options: {', '.join(sorted(unknown))}")
        return cls(**values)


# ---------------------------------------------------------------- localise

METHODS = ("score_map", "grad_cam", "grad_cam_pp")
VARIANTS = ("eq19", "author")
MAX_SCALE = 4.0  # the literature uses 0.5 to 2; at 4 a view of 448 has 3 million pixels


@dataclass(frozen=True)
class LocaliseConfig:
    """Method of the heat map.

    Parameters
    ----------
    method
        ``"score_map"``, ``"grad_cam_pp"`` or ``"grad_cam"``; for the formulas see
        `rustseg_jax.localise`.
    variant
        ``"eq19"`` or ``"author"``, see `grad_cam_pp`; used by Grad-CAM++ only.
    scales
        Scales of the views relative to the input, above 0 and at most 4; sides are
        rounded to multiples of 16 pixels. ``(0.5, 1.0, 1.5, 2.0)`` is common.
    mirror
        Also analyse each view mirrored left to right.

    Raises
    ------
    ConfigError
        A value is invalid.
    """

    method: str = "score_map"  # measured on half A: docs/decisions/0011
    variant: str = "eq19"
    scales: tuple[float, ...] = (1.0,)  # six views gained half a point: docs/decisions/0011
    mirror: bool = False

    def __post_init__(self) -> None:
        """Check the values; convert a list of scales (from JSON) to a tuple."""
        check_choice("method", self.method, METHODS)
        check_choice("variant", self.variant, VARIANTS)
        try:
            scales = tuple(float(scale) for scale in self.scales)
        except (TypeError, ValueError):
            scales = ()
        if not scales or not all(0 < scale <= MAX_SCALE for scale in scales):
            raise ConfigError(
                f"scales is {self.scales!r}; must be one or more numbers above 0 and at most "
                f"{MAX_SCALE:g}, for example (0.5, 1.0, 2.0)"
            )
        object.__setattr__(self, "scales", scales)


# ---------------------------------------------------------------- refine

Rule = Literal["dynamic", "fixed", "otsu"]


@dataclass(frozen=True)
class ThresholdConfig:
    """Rule for the threshold of a heat map.

    Attributes
    ----------
    rule
        ``"fixed"``: `value`. ``"otsu"``: Otsu's threshold of this heat map.
        ``"dynamic"``: Otsu's threshold, weighted by how clearly the histogram of the heat map
        has two modes, and `value` for the rest; always within [`low`, `high`].
    value
        The fixed threshold, in (0, 1].
    low, high
        Bounds of the dynamic threshold, in (0, 1].
    """

    rule: Rule = "dynamic"
    value: float = 0.7  # all three measured on half A: docs/decisions/0011, 0022
    low: float = 0.3
    high: float = 0.8

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise ConfigError(f"rule is {self.rule!r}; must be one of {', '.join(get_args(Rule))}")
        for name in ("value", "low", "high"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; must be above 0 and at most 1")
        if self.low > self.high:
            raise ConfigError(f"low is {self.low}; must not be above high, {self.high}")


@dataclass(frozen=True)
class CRFParams:
    """Parameters of the dense CRF, its working size, and the upsampling to the photo's size.

    The kernel defaults were chosen on half A: an appearance kernel narrower than the published
    ones preserves small areas of rust (docs/decisions/0011); see `PUBLISHED` for those.

    Attributes
    ----------
    gaussian_sxy, gaussian_compat
        Standard deviation in pixels, and weight, of the smoothness kernel.
    bilateral_sxy, bilateral_srgb, bilateral_compat
        Standard deviations in pixels and in levels of 0 to 255, and weight, of
        the appearance kernel. A weight of 0 disables a kernel.
    iterations
        Maximum number of mean-field updates; 5 as in the README of pydensecrf. The mean field
        has not converged by then, nor after 10 or 20: small areas keep
        shrinking, so more updates are not better.
    tolerance
        Stop early if no posterior changes by more than this in an update.
    working_size
        The longer side, in pixels, at which the CRF runs; photos are never enlarged.
    reference_size
        The longer side, in pixels, to which both sxy refer; at other
        working sizes they are scaled in proportion.
    guide_radius, guide_epsilon
        See `rustseg_jax.images.resample.guided_upsample`.
    """

    gaussian_sxy: float = 3.0
    gaussian_compat: float = 3.0
    bilateral_sxy: float = 25.0
    bilateral_srgb: float = 8.0
    bilateral_compat: float = 10.0
    iterations: int = 5
    tolerance: float = 1e-3
    working_size: int = 448
    reference_size: int = 448
    guide_radius: int = 1
    guide_epsilon: float = 1e-3

    def __post_init__(self) -> None:
        for name in ("gaussian_compat", "bilateral_compat", "iterations", "tolerance"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; must be at least 0 and finite")
        for name in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb", "reference_size"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; must be above 0 and finite")
        if not 16 <= self.working_size <= 4096:
            raise ConfigError(
                f"working_size is {self.working_size}; must be between 16 and 4096 pixels"
            )


PUBLISHED: dict[str, CRFParams] = {
    "pydensecrf": CRFParams(bilateral_sxy=80.0, bilateral_srgb=13.0),
    "psa": CRFParams(bilateral_sxy=80.0, bilateral_srgb=13.0, iterations=10),
    "irn": CRFParams(bilateral_sxy=50.0, bilateral_srgb=5.0, iterations=10),
    "deeplab": CRFParams(
        gaussian_sxy=1.0,
        bilateral_sxy=67.0,
        bilateral_srgb=3.0,
        bilateral_compat=4.0,
        iterations=10,
    ),
}
"""Parameters of published code: the README of pydensecrf; PSA and SEAM; IRN; DeepLab."""


# ---------------------------------------------------------------- large photos

MODES = ("auto", "whole", "tiles")


@dataclass(frozen=True)
class TileConfig:
    """When and how a photo is analysed in overlapping tiles.

    Attributes
    ----------
    mode : "auto" (tiles for photos with a side above `from_side`), "whole" or "tiles"
    from_side : longer side in pixels above which "auto" uses tiles
    window : side of a tile in pixels of the photo, at least 16
    overlap : share of a tile's side that the next one overlaps, 0 to 0.9
    max_windows : maximum number of tiles; a photo that needs more is downscaled first
    whole_share : weight of the whole photo's heat map relative to that of the tiles, 0 to 1:
        tiles show small rust, the whole photo shows what is too large for a tile
    working_size : maximum longer side, in pixels, at which the CRF of a tiled photo runs
    """

    mode: str = "auto"
    from_side: int = 1500
    window: int = 448
    overlap: float = 0.25
    max_windows: int = 128
    whole_share: float = 0.5  # measured: docs/decisions/0008
    working_size: int = 896

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(f"mode is {self.mode!r}; must be one of {', '.join(MODES)}")
        for name, low in (("from_side", 1), ("window", STRIDE), ("max_windows", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < low:
                raise ConfigError(f"{name} is {value}; must be a whole number of at least {low}")
        if not 0 <= self.overlap <= 0.9:
            raise ConfigError(f"overlap is {self.overlap}; must be between 0 and 0.9")
        if not 0 <= self.whole_share <= 1:
            raise ConfigError(f"whole_share is {self.whole_share}; must be between 0 and 1")
        CRFParams(working_size=self.working_size)  # for its check of the value


# ---------------------------------------------------------------- uncertainty


class Variant(NamedTuple):
    """One augmentation of a photo at test time.

    Attributes
    ----------
    mirror : left to right
    shift : pixels of the network's input to the right and down; the border is repeated
    scale : size relative to the network's input
    """

    mirror: bool = False
    shift: int = 0
    scale: float = 1.0


@dataclass(frozen=True)
class UncertaintyConfig:
    """Variants used to measure uncertainty, and the level of the interval.

    Attributes
    ----------
    mirror : use the mirror image
    shift : use the photo shifted in both directions by this number of pixels of the network's
        input, 0 for no shift; 8 is half a cell of the heat map, where the effect is largest
    scales : use the photo at these sizes, relative to the network's input, 0.25 to 4
    level : share of photos whose true area the interval should cover, above 0 and below 1
    """

    mirror: bool = True
    shift: int = STRIDE // 2
    scales: tuple[float, ...] = (0.8, 1.25)  # a quarter more and less distance to the steel
    level: float = 0.9

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))  # JSON has a list
        if not isinstance(self.shift, int) or not 0 <= self.shift <= 4 * STRIDE:
            raise ConfigError(
                f"shift is {self.shift}; must be a whole number from 0 to {4 * STRIDE}"
            )
        if not all(0.25 <= scale <= 4 for scale in self.scales):
            raise ConfigError(f"scales is {self.scales}; must be numbers between 0.25 and 4")
        if not 0 < self.level < 1:
            raise ConfigError(f"level is {self.level}; must be above 0 and below 1")
        if not self.variants:
            raise ConfigError("mirror, shift and scales give no variant; choose at least one")

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The variants, those at the network's input size first."""
        same = [Variant(mirror=True)] if self.mirror else []
        same += [Variant(shift=s) for s in (self.shift, -self.shift) if self.shift]
        return (*same, *(Variant(scale=scale) for scale in self.scales))


# ---------------------------------------------------------------- together

# A CAM is divided by its maximum and is relative; a score map is absolute. Their thresholds
# were therefore measured separately, on half A: docs/decisions/0011 and 0022.
SCORE_MAP_THRESHOLD = ThresholdConfig()
CAM_THRESHOLD = ThresholdConfig(value=0.25, low=0.15, high=0.8)


@dataclass(frozen=True)
class Config:
    """Options of a segmentation; stored with every result.

    Attributes
    ----------
    decision_threshold : a photo is corroded if its calibrated probability reaches it, in [0, 1]
    localise : method of the heat map
    threshold : rule for the threshold of the heat map; by default the one measured best for
        this method
    crf : parameters of the dense CRF
    tiles : when and how a large photo is analysed in tiles
    """

    decision_threshold: float = DECISION_THRESHOLD
    localise: LocaliseConfig = field(default_factory=LocaliseConfig)
    threshold: ThresholdConfig = None  # type: ignore[assignment]  # set below
    crf: CRFParams = field(default_factory=CRFParams)
    tiles: TileConfig = field(default_factory=TileConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.decision_threshold <= 1:
            raise ConfigError(
                f"decision_threshold is {self.decision_threshold}; must be between 0 and 1"
            )
        if self.threshold is None:
            object.__setattr__(self, "threshold", default_threshold(self.localise))

    def with_heat_map(self, look: LocaliseConfig) -> Config:
        """Return a copy with another heat map; a default threshold changes with it."""
        default = self.threshold == default_threshold(self.localise)
        threshold = default_threshold(look) if default else self.threshold
        return replace(self, localise=look, threshold=threshold)


def default_threshold(look: LocaliseConfig) -> ThresholdConfig:
    """Return the default threshold rule for a heat-map method."""
    return SCORE_MAP_THRESHOLD if look.method == "score_map" else CAM_THRESHOLD


# ---------------------------------------------------------------- names of choices

HALVES = ("A", "B")  # of the images with masks; see `rustseg_jax.manifest.half_of`
SOURCE_TARGET = 0.85
"""Target recall on each source of corrosion, and target specificity on each clean source."""
RULE_TARGET = 1.5
"""Target ratio of the mask's pooled IoU to that of the colour rule."""
FAILURES = ("shadow", "all_rust", "crf_collapse", "post_processing")  # Burton et al. 2022
PRESETS = ("cpu", "labels", "gpu", "smoke")  # recipes of training; see rustseg_jax.learning
IMPORT_FORMATS = ("folder", "coco", "labelme", "pairs")
EXPORT_FORMATS = ("folder", "coco", "labelme", "label-studio", "huggingface")
CONSENT = ("unknown", "given", "not needed")
"""Consent of the owner of the photo, and of people visible in it, to its use."""
CONSENSUS = ("majority", "staple")


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise a ConfigError unless the value is one of those allowed."""
    if value not in allowed:
        raise ConfigError(f"{name} is {value!r}; must be one of {', '.join(allowed)}")
