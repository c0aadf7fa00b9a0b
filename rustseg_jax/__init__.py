"""RustSEG in JAX: find rust in photos from image labels alone.

Three stages turn a verdict into a mask: classify, localise, refine.

>>> import rustseg_jax as rs                      # doctest: +SKIP
>>> model = rs.load_model()                       # doctest: +SKIP
>>> seg = rs.segment("gate.jpg", model)           # doctest: +SKIP
>>> seg.probability, seg.mask                     # doctest: +SKIP
"""

from rustseg_jax.classify import CLASSES, Classifier, Network, NetworkConfig, Output
from rustseg_jax.errors import (
    ConfigError,
    DataError,
    ImageError,
    RustsegError,
    WeightsError,
)
from rustseg_jax.localise import LocaliseConfig, grad_cam, grad_cam_pp
from rustseg_jax.overlay import heat_colours, heat_overlay, overlay, side_by_side
from rustseg_jax.pipeline import Config, Segmentation, resegment, segment, segment_batch
from rustseg_jax.refine import CRFParams, ThresholdConfig, crf_refine
from rustseg_jax.weights import load_model, load_network, save_network

__version__ = "0.1.0"

__all__ = [
    "CLASSES",
    "CRFParams",
    "Classifier",
    "Config",
    "ConfigError",
    "DataError",
    "ImageError",
    "LocaliseConfig",
    "Network",
    "NetworkConfig",
    "Output",
    "RustsegError",
    "Segmentation",
    "ThresholdConfig",
    "WeightsError",
    "__version__",
    "crf_refine",
    "grad_cam",
    "grad_cam_pp",
    "heat_colours",
    "heat_overlay",
    "load_model",
    "load_network",
    "overlay",
    "resegment",
    "save_network",
    "segment",
    "segment_batch",
    "side_by_side",
]
