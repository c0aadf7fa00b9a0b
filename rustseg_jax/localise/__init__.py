"""Stage 2, localise: where in the photo does the network detect corrosion?

`cam` computes the heat map of one view (Grad-CAM++, Grad-CAM, score map), `views` averages those
of several scales and the mirror image.
"""

from rustseg_jax.config import LocaliseConfig
from rustseg_jax.localise.cam import grad_cam, grad_cam_pp, normalise, score_map
from rustseg_jax.localise.views import localise

__all__ = ["LocaliseConfig", "grad_cam", "grad_cam_pp", "localise", "normalise", "score_map"]
