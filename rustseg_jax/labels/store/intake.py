"""Validate a photo before it is stored, and make its row."""

from __future__ import annotations

import io
from pathlib import Path

from rustseg_jax import images
from rustseg_jax.config import CONSENT
from rustseg_jax.errors import ConfigError, ImageError
from rustseg_jax.labels.records import now
from rustseg_jax.labels.store import exif as _exif
from rustseg_jax.labels.store.checks import words
from rustseg_jax.labels.store.rows import Row

__all__ = ["check_choices", "new_photo", "read_bytes"]

_SIGNATURES = {
    b"\xff\xd8": "jpeg", b"\x89PNG": "png", b"RIFF": "webp", b"II*\0": "tiff", b"MM\0*": "tiff",
    b"BM": "bmp", b"GIF8": "gif",
}  # fmt: skip


def check_choices(*, consent: str, exif: str) -> None:
    """Raise ConfigError if one of them is not allowed."""
    if consent not in CONSENT:
        raise ConfigError(f"consent is {consent!r}; it must be one of {', '.join(CONSENT)}")
    if exif not in ("kept", "stripped"):
        raise ConfigError(f"exif is {exif!r}; it must be 'kept' or 'stripped'")


def read_bytes(photo: bytes | Path | str) -> bytes:
    """The bytes of a file, at most one more than allowed; ImageError if it cannot be opened."""
    if isinstance(photo, bytes):
        return photo
    path = Path(photo)
    try:
        with path.open("rb") as file:
            return file.read(images.Limits().max_bytes + 1)
    except OSError as error:
        raise ImageError(f"{path} cannot be opened: {error.strerror or error}") from error


def new_photo(
    given: bytes,
    *,
    origin: str,
    consent: str,
    licence: str,
    exif: str,
    source: str,
    scene: str,
    split: str,
) -> tuple[Row, bytes]:
    """Validate a new photo.

    Parameters
    ----------
    given : the bytes of its file
    others : as in `Store.add_photo`

    Returns
    -------
    Its row, and the bytes to store: those given, or without EXIF

    Raises
    ------
    ImageError
        The file cannot be read as a photo.
    """
    height, width = images.read(given, name=origin or "the upload").shape[:2]
    data = given if exif == "kept" else _exif.strip(given)
    row = {
        "sha256": images.sha256(data),
        "original": images.sha256(given),
        "bytes": len(data),
        "width": width,
        "height": height,
        "kind": _kind(data),
        "exif": exif,
        "consent": consent,
        "licence": words("licence", licence, most=500),
        "origin": words("origin", origin, most=1000),
        "source": words("source", source, most=500),
        "scene": words("scene", scene, most=500),
        "split": words("split", split, most=100),
        "added": now(),
    }
    return row, data


def _kind(data: bytes) -> str:
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    # Pillow also accepts files with something before the signature.
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return str(image.format).lower()
