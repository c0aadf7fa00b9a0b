"""Stage 1: is there corrosion in the photo?

`network` is the 10-layer CNN as training changes it, `classifier` the same frozen for use,
`weights` its file, and `kernels` its convolutions in compiled form.
"""

from rustseg_jax.classify.classifier import Classifier, rescale
from rustseg_jax.classify.network import Network, Output
from rustseg_jax.config import (
    CLASSES,
    CLEAN,
    CORROSION,
    DECISION_THRESHOLD,
    STRIDE,
    NetworkConfig,
)

__all__ = [
    "CLASSES",
    "CLEAN",
    "CORROSION",
    "DECISION_THRESHOLD",
    "STRIDE",
    "Classifier",
    "Network",
    "NetworkConfig",
    "Output",
    "rescale",
]
