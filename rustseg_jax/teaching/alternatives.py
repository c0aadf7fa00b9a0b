"""The same photo done otherwise: other heat maps, threshold rules, CRF settings, side by side.

Each function goes on from a finished result and repeats only what comes after the stage
that changes; the network never runs again for another mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from rustseg_jax import localise, refine
from rustseg_jax.classify import Classifier
from rustseg_jax.config import CORROSION, PUBLISHED, CRFParams, LocaliseConfig, Rule
from rustseg_jax.errors import ConfigError
from rustseg_jax.metrics.faithfulness import Road, road
from rustseg_jax.pipeline import resegment
from rustseg_jax.result import Segmentation
from rustseg_jax.teaching.network import Inside

__all__ = [
    "CRF_PRESETS",
    "HEAT_MAPS",
    "OURS",
    "RULES",
    "Alternative",
    "crf_alternatives",
    "crf_preset",
    "faithfulness",
    "heat_alternatives",
    "threshold_alternatives",
]

OURS = "ours"

HEAT_MAPS: Mapping[str, tuple[str, dict[str, str]]] = MappingProxyType(
    {
        "score_map": ("Score map: probability of each position", {"method": "score_map"}),
        "grad_cam": ("Grad-CAM", {"method": "grad_cam"}),
        "grad_cam_pp_eq19": (
            "Grad-CAM++, the paper's equation 19",
            {"method": "grad_cam_pp", "variant": "eq19"},
        ),
        "grad_cam_pp_author": (
            "Grad-CAM++, the authors' code",
            {"method": "grad_cam_pp", "variant": "author"},
        ),
    }
)
"""Name, as a link carries it -> what a person reads, options of `LocaliseConfig`."""

CRF_PRESETS: Mapping[str, str] = MappingProxyType(
    {
        OURS: "As chosen for this result",
        "pydensecrf": "pydensecrf's README",
        "psa": "PSA and SEAM",
        "irn": "IRN",
        "deeplab": "DeepLab",
    }
)
"""Name -> what a person reads; but for "ours" the rows of `rustseg_jax.refine.crf.PUBLISHED`."""

RULES: Mapping[str, str] = MappingProxyType(
    {
        "dynamic": "Dynamic: Otsu's, as far as the heat has two humps",
        "fixed": "Fixed",
        "otsu": "Otsu's",
    }
)


@dataclass(frozen=True, eq=False)
class Alternative:
    """A result that differs in one choice.

    Attributes
    ----------
    name : short and stable, so that a link can carry it
    title : what a person reads
    seg : the result; its config says what was chosen
    """

    name: str
    title: str
    seg: Segmentation = field(repr=False)


def heat_alternatives(
    seg: Segmentation, model: Classifier, inside: Inside
) -> tuple[Alternative, ...]:
    """The photo with each kind of heat map: score map, Grad-CAM, both forms of Grad-CAM++.

    All are made from the same activations: one view, at the network's own size, of the
    whole photo, so that they differ in the formula alone. Of a large photo or with several
    views the first one is therefore not `seg` itself. The threshold is found anew, by the rule
    that suits each kind where `seg` has the one that suits its own.

    Parameters
    ----------
    seg : a result
    model : what made it
    inside : `look_inside` of the two

    Returns
    -------
    `Alternative`, by the names of `HEAT_MAPS`
    """
    return tuple(
        Alternative(name, title, _with_heat(seg, model, inside, options))
        for name, (title, options) in HEAT_MAPS.items()
    )


def _with_heat(
    seg: Segmentation, model: Classifier, inside: Inside, options: Mapping[str, Any]
) -> Segmentation:
    how = LocaliseConfig(**options)
    heat, maximum = localise.localise(
        model, inside.x, inside.output, class_index=CORROSION, config=how
    )
    heatmap = np.asarray(heat[0])
    tiles = replace(seg.config.tiles, mode="whole")
    changed = replace(
        seg,
        heatmap=heatmap,
        heat_maximum=float(maximum[0]),
        fine_heatmap=None,
        tiling=None,
        config=replace(seg.config, tiles=tiles).with_heat_map(how),
    )
    return _cut(changed, refine.find_threshold(heatmap, changed.config.threshold))


def threshold_alternatives(seg: Segmentation) -> tuple[Alternative, ...]:
    """The photo with each rule for the threshold.

    Parameters
    ----------
    seg : a result; the numbers of its `config.threshold` hold for all rules

    Returns
    -------
    `Alternative`: dynamic, fixed, otsu
    """
    alternatives = []
    for rule in get_args(Rule):
        how = replace(seg.config.threshold, rule=rule)
        changed = replace(seg, config=replace(seg.config, threshold=how))
        cut = _cut(changed, refine.find_threshold(seg.heat, how))
        alternatives.append(Alternative(rule, RULES[rule], cut))
    return tuple(alternatives)


def crf_alternatives(seg: Segmentation) -> tuple[Alternative, ...]:
    """The photo with each set of CRF parameters, at the working size of this result.

    Parameters
    ----------
    seg : a result

    Returns
    -------
    `Alternative`, by the names of `CRF_PRESETS`; the first is `seg` itself
    """
    changed = [
        Alternative(name, CRF_PRESETS[name], resegment(seg, crf=crf_preset(name, seg)))
        for name in PUBLISHED
    ]
    return (Alternative(OURS, CRF_PRESETS[OURS], seg), *changed)


def crf_preset(name: str, seg: Segmentation) -> CRFParams:
    """Published CRF parameters with the working size and the way back of a result.

    Parameters
    ----------
    name : of `CRF_PRESETS`; "ours" gives those of the result
    seg : a result

    Raises
    ------
    ConfigError
        There is no such preset.
    """
    if name not in CRF_PRESETS:
        raise ConfigError(f"name is {name!r}; allowed are {', '.join(CRF_PRESETS)}")
    own = seg.config.crf
    if name == OURS:
        return own
    return replace(
        PUBLISHED[name],
        working_size=own.working_size,
        reference_size=own.reference_size,
        guide_radius=own.guide_radius,
        guide_epsilon=own.guide_epsilon,
        tolerance=own.tolerance,
    )


def faithfulness(inside: Inside, model: Classifier, heatmap: NDArray[np.floating[Any]]) -> Road:
    """Whether the network relies on what a heat map marks: eight more runs of the network.

    Parameters
    ----------
    inside : `look_inside` of the photo
    model : what made it
    heatmap : (h, w) float in [0, 1]

    Returns
    -------
    `Road`; its score is in [-1, 1]: above 0 taking the hottest places away hurts the verdict
    more than taking the coldest, chance is 0
    """
    return road(lambda x: model.probability(model.verdict(x)), inside.seen, heatmap)


def _cut(seg: Segmentation, threshold: float) -> Segmentation:
    """Refine again; `resegment` wants a threshold below 1, and a fixed one may be 1."""
    return resegment(seg, threshold=min(threshold, float(np.nextafter(1.0, 0.0))))
