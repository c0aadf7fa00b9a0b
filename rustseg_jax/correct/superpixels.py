"""Pieces of like colour (SLIC), for painting many pixels with one click."""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.segmentation import slic

from rustseg_jax.errors import ConfigError
from rustseg_jax.images import resize

__all__ = ["superpixels"]

WORKING_PIXELS = 700_000  # about a second; a piece of a large photo is many pixels wide anyway
COMPACTNESS = 12.0  # SLIC's weight of nearness against colour; scikit-image's default is 10
SMOOTHING = 1.0  # pixels; rust is speckled, and pieces should not be
_ROUNDS = 6  # of k-means; pieces hardly move after that


def superpixels(
    image: np.ndarray[Any, np.dtype[np.uint8]], *, count: int = 1200
) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Cut a photo into pieces of like colour.

    Parameters
    ----------
    image : (H, W, 3) uint8, sRGB
    count : about how many pieces, 1 to 20,000

    Returns
    -------
    (h, w) uint16, the number of the piece, from 0. At most 0.7 megapixels: of a larger photo the
    pixel (x, y) lies in the piece at ``[(2 y + 1) h // (2 H), (2 x + 1) w // (2 W)]``.

    Raises
    ------
    ConfigError
        count or image is not as described.

    References
    ----------
    .. [1] Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods",
       IEEE TPAMI 34(11), 2012.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ConfigError(f"image is {image.dtype}{image.shape}; allowed is (H, W, 3) uint8")
    if not 1 <= count <= 20_000:
        raise ConfigError(f"count is {count}; allowed is 1 to 20,000")
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
