"""Every option and every default of the method, in one place; without JAX.

One frozen dataclass for each concern; `Config` holds those of a segmentation, is stored as JSON
with every result it produced, and refuses values that are not allowed.
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


# A photo counts as corroded from this calibrated probability on. Rust that is missed costs an
# inspector more than a false alarm; docs/decisions/0006 has the numbers on `val`.
DECISION_THRESHOLD = 0.3


@dataclass(frozen=True)
class NetworkConfig:
    """What shapes the network; travels inside the weights file.

    Attributes
    ----------
    width : channels of the first block; the five blocks have w, 2w, 4w, 8w, 16w
    input_size : the side in pixels to which a photo is resized; a multiple of 16
    pooling : how positions become one verdict: "mean" (global average), or "lse"
        (log-mean-exp of the score map, Pinheiro and Collobert 2015), which lets a
        small part of the picture decide, or "context": "lse" plus a linear term of
        the averaged activations, by which the whole picture can speak for or against
    sharpness : r of "lse" and "context": 0+ is the mean, infinity the maximum
    verdict_scales : sizes, relative to `input_size`, at which a photo is judged; the verdict
        is the mean of their logits, and calibrated as such
    """

    width: int = 16
    input_size: int = 448
    pooling: str = "lse"
    sharpness: float = 1.0  # Pinheiro and Collobert 2015 use 5; see docs/decisions
    verdict_scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not (isinstance(self.width, int) and 1 <= self.width <= 128):
            raise ConfigError(f"width is {self.width}; allowed are whole numbers from 1 to 128")
        size = self.input_size
        if not isinstance(size, int) or size < STRIDE or size % STRIDE:
            raise ConfigError(f"input_size is {size}; allowed are the multiples of {STRIDE}")
        if self.pooling not in POOLINGS:
            raise ConfigError(f"pooling is {self.pooling!r}; allowed are {', '.join(POOLINGS)}")
        if not 0 < self.sharpness < math.inf:
            raise ConfigError(f"sharpness is {self.sharpness}; it must be above 0 and finite")
        object.__setattr__(self, "verdict_scales", tuple(self.verdict_scales))  # a list, from JSON
        if not self.verdict_scales or not all(0.25 <= s <= 2 for s in self.verdict_scales):
            raise ConfigError(
                f"verdict_scales is {self.verdict_scales}; allowed are numbers from 0.25 to 2"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the five blocks."""
        return tuple(self.width * 2**k for k in range(BLOCKS))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NetworkConfig:
        """Read what `dataclasses.asdict` wrote; unknown names are refused."""
        if unknown := set(values) - {f.name for f in fields(cls)}:
            raise ConfigError(f"unknown network options: {', '.join(sorted(unknown))}")
        return cls(**values)


# ---------------------------------------------------------------- localise

METHODS = ("score_map", "grad_cam", "grad_cam_pp")
VARIANTS = ("eq19", "author")
MAX_SCALE = 4.0  # the literature uses 0.5 to 2; at 4 a view of 448 has 3 million pixels


@dataclass(frozen=True)
class LocaliseConfig:
    """How the heat map is made.

    Parameters
    ----------
    method
        ``"score_map"``, ``"grad_cam_pp"`` or ``"grad_cam"``; `rustseg_jax.localise` has their
        formulas.
    variant
        ``"eq19"`` or ``"author"``, see `grad_cam_pp`; used by Grad-CAM++ only.
    scales
        Sizes of the views relative to the input, above 0 and at most 4; sides are
        rounded to multiples of 16 pixels. ``(0.5, 1.0, 1.5, 2.0)`` is common.
    mirror
        Also look at each view mirrored left to right.

    Raises
    ------
    ConfigError
        When a value is not allowed.
    """

    method: str = "score_map"  # measured on half A: docs/decisions/0011
    variant: str = "eq19"
    scales: tuple[float, ...] = (1.0,)  # six views gained half a point: docs/decisions/0011
    mirror: bool = False

    def __post_init__(self) -> None:
        """Check the values; a list of scales (from JSON) becomes a tuple."""
        check_choice("method", self.method, METHODS)
        check_choice("variant", self.variant, VARIANTS)
        try:
            scales = tuple(float(scale) for scale in self.scales)
        except (TypeError, ValueError):
            scales = ()
        if not scales or not all(0 < scale <= MAX_SCALE for scale in scales):
            allowed = f"one or more numbers above 0 and at most {MAX_SCALE:g}, say (0.5, 1.0, 2.0)"
            raise ConfigError(f"scales={self.scales!r} is not allowed: give {allowed}")
        object.__setattr__(self, "scales", scales)


# ---------------------------------------------------------------- refine

Rule = Literal["dynamic", "fixed", "otsu"]


@dataclass(frozen=True)
class ThresholdConfig:
    """How the threshold of a heat map is found.

    Attributes
    ----------
    rule
        ``"fixed"``: `value`. ``"otsu"``: Otsu's threshold of this heat map.
        ``"dynamic"``: Otsu's, trusted only as far as this heat map's histogram
        has two humps, else `value`, and always within [`low`, `high`].
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
            raise ConfigError(f"rule is {self.rule!r}: use one of {', '.join(get_args(Rule))}")
        for name in ("value", "low", "high"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: use above 0, up to 1")
        if self.low > self.high:
            raise ConfigError(f"low is {self.low}, above high, {self.high}: swap them")


@dataclass(frozen=True)
class CRFParams:
    """The dense CRF, its working size, and the way back to the photo's size.

    The defaults of the kernels were chosen on half A: a nearer appearance kernel than
    the published ones keeps small rust (docs/decisions/0011); see `PUBLISHED` for those.

    Attributes
    ----------
    gaussian_sxy, gaussian_compat
        Standard deviation in pixels, and weight, of the smoothness kernel.
    bilateral_sxy, bilateral_srgb, bilateral_compat
        Standard deviations in pixels and in levels of 0 to 255, and weight, of
        the appearance kernel. A weight of 0 leaves a kernel out.
    iterations
        Mean-field updates at most. 5 as in pydensecrf's README. The mean field
        has not converged by then, nor after 10 or 20: small areas go on
        shrinking, so more is not better.
    tolerance
        Stop earlier when no posterior changed by more than this in an update.
    working_size
        The longer side, in pixels, at which the CRF runs; a photo is never enlarged.
    reference_size
        The longer side, in pixels, at which both sxy hold as given; at another
        working size they are scaled in proportion.
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
                raise ConfigError(f"{name} is {getattr(self, name)}: use 0 or more, finite")
        for name in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb", "reference_size"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}: use above 0, finite")
        if not 16 <= self.working_size <= 4096:
            raise ConfigError(f"working_size is {self.working_size}: use 16 to 4096 pixels")


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
"""Parameters of published code: pydensecrf's README; PSA and SEAM; IRN; DeepLab."""


# ---------------------------------------------------------------- large photos

MODES = ("auto", "whole", "tiles")


@dataclass(frozen=True)
class TileConfig:
    """When and how a photo is looked at in windows.

    Attributes
    ----------
    mode : "auto" (windows for photos with a side above `from_side`), "whole" or "tiles"
    from_side : longer side in pixels above which "auto" takes windows
    window : side of a window in pixels of the photo, at least 16
    overlap : share of a window's side that the next one covers too, 0 up to 0.9
    max_windows : so many at most; a photo that needs more is shrunk until they suffice
    whole_share : weight of the whole photo's heat map beside that of the windows, 0 to 1:
        windows see what is small, the whole sees what a window holds too little of
    working_size : longer side in pixels at which the CRF of a tiled photo runs, at most
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
            raise ConfigError(f"mode is {self.mode!r}; allowed are {', '.join(MODES)}")
        for name, low in (("from_side", 1), ("window", STRIDE), ("max_windows", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < low:
                raise ConfigError(f"{name} is {value}; allowed are whole numbers from {low}")
        if not 0 <= self.overlap <= 0.9:
            raise ConfigError(f"overlap is {self.overlap}; allowed is 0 to 0.9")
        if not 0 <= self.whole_share <= 1:
            raise ConfigError(f"whole_share is {self.whole_share}; allowed is 0 to 1")
        CRFParams(working_size=self.working_size)  # its own check


# ---------------------------------------------------------------- how sure


class Variant(NamedTuple):
    """One way to look at a photo again.

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
    """Which variants are looked at, and what the interval should cover.

    Attributes
    ----------
    mirror : look at the mirror image
    shift : look at the photo shifted by so many pixels of the network's input to both
        sides, 0 for neither; 8 is half a cell of the heat map, where it differs most
    scales : look at the photo at these sizes, relative to the network's input, 0.25 to 4
    level : share of photos whose true area the interval should cover, above 0 and below 1
    """

    mirror: bool = True
    shift: int = STRIDE // 2
    scales: tuple[float, ...] = (0.8, 1.25)  # a quarter more and less distance to the steel
    level: float = 0.9

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))  # a list, from JSON
        if not isinstance(self.shift, int) or not 0 <= self.shift <= 4 * STRIDE:
            raise ConfigError(
                f"shift is {self.shift}; allowed are whole numbers, 0 to {4 * STRIDE}"
            )
        if not all(0.25 <= scale <= 4 for scale in self.scales):
            raise ConfigError(f"scales is {self.scales}; allowed are numbers from 0.25 to 4")
        if not 0 < self.level < 1:
            raise ConfigError(f"level is {self.level}; allowed is above 0 and below 1")
        if not self.variants:
            raise ConfigError("mirror, shift and scales leave no variant; choose at least one")

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The variants, those of the network's own size first."""
        same = [Variant(mirror=True)] if self.mirror else []
        same += [Variant(shift=s) for s in (self.shift, -self.shift) if self.shift]
        return (*same, *(Variant(scale=scale) for scale in self.scales))


# ---------------------------------------------------------------- together

# A CAM is divided by its maximum and says where most is; a score map how much is there. Their cuts
# were measured apart, on half A: docs/decisions/0011 and 0022.
CUT_OF_SCORES = ThresholdConfig()
CUT_OF_CAMS = ThresholdConfig(value=0.25, low=0.15, high=0.8)


@dataclass(frozen=True)
class Config:
    """What can be chosen; stored with every result it produced.

    Attributes
    ----------
    decision_threshold : corroded when the calibrated probability reaches it, in [0, 1]
    localise : how the heat map is made
    threshold : how the rough mask is cut from it; left out, what was measured best for this
        kind of heat map
    crf : how the mask follows the picture
    tiles : when and how a large photo is looked at in windows
    """

    decision_threshold: float = DECISION_THRESHOLD
    localise: LocaliseConfig = field(default_factory=LocaliseConfig)
    threshold: ThresholdConfig = None  # type: ignore[assignment]  # given below
    crf: CRFParams = field(default_factory=CRFParams)
    tiles: TileConfig = field(default_factory=TileConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.decision_threshold <= 1:
            raise ConfigError(f"decision_threshold is {self.decision_threshold}; allowed is 0 to 1")
        if self.threshold is None:
            object.__setattr__(self, "threshold", cut_of(self.localise))

    def with_heat_map(self, look: LocaliseConfig) -> Config:
        """Return the same with another heat map, cut as suits it where nothing else was chosen."""
        own = self.threshold == cut_of(self.localise)
        return replace(self, localise=look, threshold=cut_of(look) if own else self.threshold)


def cut_of(look: LocaliseConfig) -> ThresholdConfig:
    """How a kind of heat map is cut unless something else is chosen."""
    return CUT_OF_SCORES if look.method == "score_map" else CUT_OF_CAMS


# ---------------------------------------------------------------- names of choices

HALVES = ("A", "B")  # of the pictures with masks; see `rustseg_jax.manifest.half_of`
SOURCE_TARGET = 0.85
"""Wanted: this recall on each source of corrosion, this specificity on each clean one."""
RULE_TARGET = 1.5
"""Wanted: a mask whose pooled IoU is this many times that of the colour rule."""
FAILURES = ("shadow", "all_rust", "crf_collapse", "post_processing")  # Burton et al. 2022
PRESETS = ("cpu", "labels", "gpu", "smoke")  # recipes of training; see rustseg_jax.learning
IMPORT_FORMATS = ("folder", "coco", "labelme", "pairs")
EXPORT_FORMATS = ("folder", "coco", "labelme", "label-studio", "huggingface")
CONSENT = ("unknown", "given", "not needed")
"""Whether whoever owns the photo, or is seen in it, agrees to its use."""
CONSENSUS = ("majority", "staple")


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuse, with a ConfigError, a value that is not among the allowed ones."""
    if value not in allowed:
        raise ConfigError(f"{name}={value!r} is not allowed: give one of {', '.join(allowed)}")
