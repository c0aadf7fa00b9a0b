"""The one door for pixels: photos from anywhere become upright RGB uint8.

`io` reads and checks, `decode` does what Pillow leaves to do, `resample` enlarges and shrinks.
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
