"""Image input: photos from any source become upright RGB uint8.

`io` reads and checks photos, `decode` handles what Pillow does not, `resample` changes sizes.
"""

from rustseg_jax.images.io import (
    PHOTO_SUFFIXES,
    Limits,
    find_photos,
    read,
    read_size,
    resize,
    sha256,
)

__all__ = ["PHOTO_SUFFIXES", "Limits", "find_photos", "read", "read_size", "resize", "sha256"]
