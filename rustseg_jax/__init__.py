"""RustSEG in JAX: find rust in photos from image labels alone.

Three stages turn a verdict into a mask: classify, localise, refine.

>>> import rustseg_jax as rs                      # doctest: +SKIP
>>> model = rs.load_model()                       # doctest: +SKIP
>>> seg = rs.segment("gate.jpg", model)           # doctest: +SKIP
>>> seg.probability, seg.mask                     # doctest: +SKIP

Names are imported when they are first used (PEP 562), so that the command line
answers `--help` without loading JAX.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rustseg_jax.adjust import Adjustable, Adjustment, adjustable
    from rustseg_jax.classify import CLASSES, Classifier, Network, NetworkConfig, Output
    from rustseg_jax.crf import CRFParams
    from rustseg_jax.errors import (
        ConfigError,
        DataError,
        ImageError,
        LabelsError,
        RustsegError,
        WeightsError,
    )
    from rustseg_jax.localise import LocaliseConfig, grad_cam, grad_cam_pp, score_map
    from rustseg_jax.overlay import (
        heat_colours,
        heat_overlay,
        mask_outline,
        mask_overlay,
        side_by_side,
        uncertainty_overlay,
    )
    from rustseg_jax.pipeline import resegment, segment, segment_batch
    from rustseg_jax.refine import ThresholdConfig, crf_refine
    from rustseg_jax.result import Config, Segmentation
    from rustseg_jax.surface import Surface, measure_part, surface_overlay
    from rustseg_jax.tiles import TileConfig, plan_tiles
    from rustseg_jax.uncertainty import (
        Uncertainty,
        carry_uncertainty,
        measure_uncertainty,
        update_uncertainty,
    )
    from rustseg_jax.variants import UncertaintyConfig
    from rustseg_jax.weights import load_model, load_network, save_network

__version__ = "0.1.0"

_HOMES = {
    "adjust": ("Adjustment", "Adjustable", "adjustable"),
    "classify": ("CLASSES", "Classifier", "Network", "NetworkConfig", "Output"),
    "crf": ("CRFParams",),
    "errors": (
        "ConfigError",
        "DataError",
        "ImageError",
        "LabelsError",
        "RustsegError",
        "WeightsError",
    ),
    "localise": ("LocaliseConfig", "grad_cam", "grad_cam_pp", "score_map"),
    "overlay": (
        "heat_colours",
        "heat_overlay",
        "mask_outline",
        "mask_overlay",
        "side_by_side",
        "uncertainty_overlay",
    ),
    "pipeline": ("resegment", "segment", "segment_batch"),
    "refine": ("ThresholdConfig", "crf_refine"),
    "result": ("Config", "Segmentation"),
    "surface": ("Surface", "measure_part", "surface_overlay"),
    "tiles": ("TileConfig", "plan_tiles"),
    "uncertainty": (
        "Uncertainty",
        "carry_uncertainty",
        "measure_uncertainty",
        "update_uncertainty",
    ),
    "variants": ("UncertaintyConfig",),
    "weights": ("load_model", "load_network", "save_network"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "CLASSES",
    "Adjustable",
    "Adjustment",
    "CRFParams",
    "Classifier",
    "Config",
    "ConfigError",
    "DataError",
    "ImageError",
    "LabelsError",
    "LocaliseConfig",
    "Network",
    "NetworkConfig",
    "Output",
    "RustsegError",
    "Segmentation",
    "Surface",
    "ThresholdConfig",
    "TileConfig",
    "Uncertainty",
    "UncertaintyConfig",
    "WeightsError",
    "__version__",
    "adjustable",
    "carry_uncertainty",
    "crf_refine",
    "grad_cam",
    "grad_cam_pp",
    "heat_colours",
    "heat_overlay",
    "load_model",
    "load_network",
    "mask_outline",
    "mask_overlay",
    "measure_part",
    "measure_uncertainty",
    "plan_tiles",
    "resegment",
    "save_network",
    "score_map",
    "segment",
    "segment_batch",
    "side_by_side",
    "surface_overlay",
    "uncertainty_overlay",
    "update_uncertainty",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
