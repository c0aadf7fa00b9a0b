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
        mask_overlay,
        side_by_side,
        uncertainty_overlay,
    )
    from rustseg_jax.pipeline import resegment, segment, segment_batch
    from rustseg_jax.refine import ThresholdConfig, crf_refine
    from rustseg_jax.result import Config, Segmentation
    from rustseg_jax.tiles import TileConfig, plan_tiles
    from rustseg_jax.uncertainty import Uncertainty, measure_uncertainty, update_uncertainty
    from rustseg_jax.variants import UncertaintyConfig
    from rustseg_jax.weights import load_model, load_network, save_network

__version__ = "0.1.0"

_HOMES = {
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
        "mask_overlay",
        "side_by_side",
        "uncertainty_overlay",
    ),
    "pipeline": ("resegment", "segment", "segment_batch"),
    "refine": ("ThresholdConfig", "crf_refine"),
    "result": ("Config", "Segmentation"),
    "tiles": ("TileConfig", "plan_tiles"),
    "uncertainty": ("Uncertainty", "measure_uncertainty", "update_uncertainty"),
    "variants": ("UncertaintyConfig",),
    "weights": ("load_model", "load_network", "save_network"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "CLASSES",
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
    "ThresholdConfig",
    "TileConfig",
    "Uncertainty",
    "UncertaintyConfig",
    "WeightsError",
    "__version__",
    "crf_refine",
    "grad_cam",
    "grad_cam_pp",
    "heat_colours",
    "heat_overlay",
    "load_model",
    "load_network",
    "mask_overlay",
    "measure_uncertainty",
    "plan_tiles",
    "resegment",
    "save_network",
    "score_map",
    "segment",
    "segment_batch",
    "side_by_side",
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
