"""Superpixels (SLIC): regions of similar colour, for painting many pixels with one click."""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.segmentation import slic

from rustseg_jax.errors import ConfigError
from rustseg_jax.images import resize

__all__ = ["superpixels"]

WORKING_PIXELS = (
    700_000  # takes about a second; superpixels of large photos are many pixels wide anyway
)
COMPACTNESS = 12.0  # SLIC's weight of distance against colour; scikit-image's default is 10
SMOOTHING = 1.0  # pixels; prevents speckled superpixels on speckled rust
_ROUNDS = 6  # iterations of k-means; superpixels hardly change after that


def superpixels(
    image: np.ndarray[Any, np.dtype[np.uint8]], *, count: int = 1200
) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Segment a photo into superpixels.

    Parameters
    ----------
    image : (H, W, 3) uint8, sRGB
    count : approximate number of superpixels, 1 to 20,000

    Returns
    -------
    (h, w) uint16, the index of the superpixel, from 0. At most 0.7 megapixels: in a larger photo,
    the index of the pixel (x, y) is at ``[(2 y + 1) h // (2 H), (2 x + 1) w // (2 W)]``.

    Raises
    ------
    ConfigError
        count or image is invalid.

    References
    ----------
    .. [1] Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods",
       IEEE TPAMI 34(11), 2012.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ConfigError(f"image is {image.dtype}{image.shape}; must be (H, W, 3) uint8")
    if not 1 <= count <= 20_000:
        raise ConfigError(f"count is {count}; must be between 1 and 20,000")
    scale = min(1.0, (WORKING_PIXELS / (image.shape[0] * image.shape[1])) ** 0.5)
    shape = max(1, int(image.shape[0] * scale)), max(1, int(image.shape[1] * scale))
    small = image if scale == 1 else resize(image, shape)
    pieces = slic(
        small,
        n_segments=count,
        compactness=COMPACTNESS,
        sigma=SMOOTHING,
        max_num_iter=_ROUNDS,
        start_label=0,
        channel_axis=2,
    )
    return pieces.astype(np.uint16)
