"""The same photo with other heat maps, threshold rules and CRF parameters.

Each function starts from a finished result and repeats only the stages after the one that changes;
the network is not run again.
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
        "score_map": ("Score map (probability at each position)", {"method": "score_map"}),
        "grad_cam": ("Grad-CAM", {"method": "grad_cam"}),
        "grad_cam_pp_eq19": (
            "Grad-CAM++ (equation 19 of the paper)",
            {"method": "grad_cam_pp", "variant": "eq19"},
        ),
        "grad_cam_pp_author": (
            "Grad-CAM++ (the authors' code)",
            {"method": "grad_cam_pp", "variant": "author"},
        ),
    }
)
"""Name, as in a link -> label, options of `LocaliseConfig`."""

CRF_PRESETS: Mapping[str, str] = MappingProxyType(
    {
        OURS: "As in this result",
        "pydensecrf": "pydensecrf README",
        "psa": "PSA and SEAM",
        "irn": "IRN",
        "deeplab": "DeepLab",
    }
)
"""Name -> label; except for "ours", the rows of `rustseg_jax.refine.crf.PUBLISHED`."""

RULES: Mapping[str, str] = MappingProxyType(
    {
        "dynamic": "Dynamic (towards Otsu if the heat has two peaks)",
        "fixed": "Fixed",
        "otsu": "Otsu",
    }
)


@dataclass(frozen=True, eq=False)
class Alternative:
    """A result that differs in one choice.

    Attributes
    ----------
    name : short and stable, for use in a link
    title : label
    seg : the result; its config holds the choice
    """

    name: str
    title: str
    seg: Segmentation = field(repr=False)


def heat_alternatives(
    seg: Segmentation, model: Classifier, inside: Inside
) -> tuple[Alternative, ...]:
    """Return the photo with each kind of heat map: score map, Grad-CAM, both forms of Grad-CAM++.

    All are computed from the same activations: one view of the whole photo, at the network's input
    size, so that they differ only in the formula. For a large photo, or with several views, the
    first one is therefore not `seg` itself. The threshold is computed again; if `seg` uses the rule
    chosen for its kind of heat map, each kind uses its own rule.

    Parameters
    ----------
    seg : a result
    model : the model that computed it
    inside : `look_inside` of the two

    Returns
    -------
    An `Alternative` for each name in `HEAT_MAPS`
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
    """Return the photo with each threshold rule.

    Parameters
    ----------
    seg : a result; the parameters of its `config.threshold` are used for all rules

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
    """Return the photo with each set of CRF parameters, at the working size of this result.

    Parameters
    ----------
    seg : a result

    Returns
    -------
    An `Alternative` for each name in `CRF_PRESETS`; the first is `seg` itself
    """
    changed = [
        Alternative(name, CRF_PRESETS[name], resegment(seg, crf=crf_preset(name, seg)))
        for name in PUBLISHED
    ]
    return (Alternative(OURS, CRF_PRESETS[OURS], seg), *changed)


def crf_preset(name: str, seg: Segmentation) -> CRFParams:
    """Return published CRF parameters with the working size and the upsampling of a result.

    Parameters
    ----------
    name : one of `CRF_PRESETS`; "ours" returns those of the result
    seg : a result

    Raises
    ------
    ConfigError
        `name` is not one of `CRF_PRESETS`.
    """
    if name not in CRF_PRESETS:
        raise ConfigError(f"name is {name!r}; it must be one of {', '.join(CRF_PRESETS)}")
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
    """Measure whether the network relies on what a heat map marks; runs the network eight times.

    Parameters
    ----------
    inside : `look_inside` of the photo
    model : the model that computed it
    heatmap : (h, w) float in [0, 1]

    Returns
    -------
    `Road`; its score is in [-1, 1]. Above 0, removing the hottest areas lowers the probability more
    than removing the coldest; chance is 0
    """
    return road(lambda x: model.probability(model.verdict(x)), inside.seen, heatmap)


def _cut(seg: Segmentation, threshold: float) -> Segmentation:
    """Refine again; `resegment` needs a threshold below 1, and a fixed one may be 1."""
    return resegment(seg, threshold=min(threshold, float(np.nextafter(1.0, 0.0))))
