from .adjust import Adjustable, Adjustment, adjustable
from .classify import Classifier, Network, Output
from .classify.weights import load_model, load_network, save_network
from .config import (
    CLASSES,
    Config,
    CRFParams,
    LocaliseConfig,
    NetworkConfig,
    ThresholdConfig,
    TileConfig,
    UncertaintyConfig,
)
from .drawing.overlay import (
    heat_colours,
    heat_overlay,
    mask_outline,
    mask_overlay,
    side_by_side,
    uncertainty_overlay,
)
from .errors import (
    ConfigError,
    DataError,
    ImageError,
    LabelsError,
    RustsegError,
    WeightsError,
)
from .localise import grad_cam, grad_cam_pp, score_map
from .pipeline import resegment, segment, segment_batch
from .refine import crf_refine
from .report.surface import Surface, measure_part, surface_overlay
from .result import Segmentation
from .tiling.plan import plan_tiles
from .uncertainty.doubt import (
    Uncertainty,
    carry_uncertainty,
    measure_uncertainty,
    update_uncertainty,
)
from .version import __version__

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
