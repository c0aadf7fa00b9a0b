"""Stage 1, classify: is there corrosion in the photo?

`network` is the trainable 10-layer CNN, `classifier` the same network frozen for inference,
`weights` reads and writes its file, and `kernels` has its compiled convolutions.
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
