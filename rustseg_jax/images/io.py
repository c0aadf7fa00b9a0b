"""Read photos from any source as upright RGB uint8.

All input (upload, command line, data folder, canvas) goes through `read`, which
rejects files that are too small, too large, damaged or not images, with a clear
message. Layout everywhere: (H, W, 3) uint8, sRGB, row 0 is the top of the upright photo.

How each kind of image is converted to 8-bit sRGB:

- EXIF orientation is applied; of an animation or a multi-page file the first frame is read.
- An embedded ICC profile (Display P3 of phones, Adobe RGB, CMYK) is converted to sRGB;
  an unusable profile is ignored. CMYK without a profile is converted by Pillow.
- Transparent images are composited over white.
- Grey of 12, 16 or 32 bits is scaled so that the largest value becomes 255, and rounded.
  16-bit colour is reduced by Pillow, which keeps the high byte: at most one level darker.
- 32-bit integers are read on the 16-bit scale 0..65535, floats on 0..1; other values are
  rejected, because their white level is unknown.

Pillow cannot read TIFFs with float or 32-bit colour, nor 12-bit JPEGs: they are rejected.
"""

from __future__ import annotations

import glob
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from rustseg_jax.errors import ConfigError, ImageError
from rustseg_jax.images.decode import Samples, mend_transparency, quiet, without_slack

__all__ = ["PHOTO_SUFFIXES", "Limits", "find_photos", "read", "resize", "sha256"]

PHOTO_SUFFIXES = (
    ".jpg", ".jpeg", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif",
)  # fmt: skip
"""File extensions (lower case) that `find_photos` accepts in folders and globs."""

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
_KINDS = "JPEG, PNG, WebP, TIFF, BMP or GIF"
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"II*\0", b"MM\0*", b"BM", b"GIF8")
_ORIENTATION = 0x0112  # EXIF 2.32, table 4
_STRIP_PIXELS = 1 << 20  # processed at a time: keeps temporaries of a 50-megapixel photo small

_Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Allowed image sizes; checked on the header, before anything is decoded.

    Attributes
    ----------
    min_side
        Minimum width and height, in pixels.
    max_pixels
        Maximum width times height, in pixels.
    max_bytes
        Maximum file size, in bytes. Does not apply to arrays and open PIL images.
    """

    min_side: int = 16
    max_pixels: int = 50_000_000
    max_bytes: int = 40_000_000


_DEFAULT = Limits()


def read(source: object, *, limits: Limits = _DEFAULT, name: str | None = None) -> _Array:
    """Read a photo as upright RGB.

    Parameters
    ----------
    source
        Path (str or path-like), the bytes of a file, a PIL.Image, or an array of uint8:
        (H, W, 3) RGB or (H, W) grey, assumed to be upright sRGB.
    limits
        Minimum and maximum size.
    name
        Name of the image in error messages; by default its path or the type of source.

    Returns
    -------
    (H, W, 3) uint8, sRGB, C-contiguous, always a copy; H and W are those of the photo
    after EXIF orientation.

    Raises
    ------
    ImageError
        The source is missing, not an image, damaged, outside the limits, or in an unsupported
        format. The message names the image and says what to do.
    """
    if isinstance(source, Image.Image):
        with quiet():
            return _pixels(source, name or "the image", limits)
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes(bytes(source), name or "the upload", limits)
    if isinstance(source, str | os.PathLike):
        path = Path(os.fsdecode(source))
        return _from_bytes(_load(path, name or str(path), limits), name or str(path), limits)
    if hasattr(source, "__array__"):
        return _from_array(np.asarray(source), name or "the array", limits)
    raise ImageError(
        f"source is of type {type(source).__name__}; must be a path, bytes, a PIL.Image or an array"
    )


def read_size(
    source: bytes, *, limits: Limits = _DEFAULT, name: str = "the upload"
) -> tuple[int, int]:
    """Read the height and width of a photo from its header, without decoding it.

    Parameters
    ----------
    source
        The bytes of a file.
    limits, name
        As for `read`.

    Returns
    -------
    (height, width) in pixels, as stored: before any EXIF orientation.

    Raises
    ------
    ImageError
        It is not an image, or outside the limits.
    """
    if not source:
        raise ImageError(f"{name} is empty; copy the file again from its source")
    with quiet(), _open(source, name) as image:
        _check_size(image.width, image.height, name, limits)
        return image.height, image.width


def resize(image: _Array, shape: tuple[int, int]) -> _Array:
    """Resize an image bilinearly, with antialiasing where it shrinks.

    The same filter as ``jax.image.resize(..., "bilinear")``, rounded to uint8.

    Parameters
    ----------
    image
        (H, W, 3) uint8.
    shape
        (height, width) of the result, each at least 1.

    Returns
    -------
    (height, width, 3) uint8; always a copy.

    Raises
    ------
    ImageError
        The image is not (H, W, 3) uint8.
    ConfigError
        The shape is not two whole numbers of at least 1.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ImageError(
            f"image has the shape {image.shape} and type {image.dtype}; must be (H, W, 3) uint8"
        )
    if len(shape) != 2 or any(side != int(side) or side < 1 for side in shape):
        raise ConfigError(f"shape is {shape}; must be (height, width), each at least 1")
    height, width = int(shape[0]), int(shape[1])
    if image.shape[:2] == (height, width):
        return image.copy()
    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.array(picture.resize((width, height), Image.Resampling.BILINEAR))


def sha256(data: bytes) -> str:
    """Return the SHA-256 of a file's bytes, 64 hex digits: the photo's key in the labels store."""
    return hashlib.sha256(data).hexdigest()


def find_photos(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Find the photos given as files, folders and globs.

    Parameters
    ----------
    paths
        One or several. A file is accepted whatever its extension; a folder is searched with its
        subfolders and a glob (``**`` allowed) is expanded, both for `PHOTO_SUFFIXES` only.
        Hidden files and folders are skipped.

    Returns
    -------
    Sorted paths, each file once.

    Raises
    ------
    ConfigError
        A path matches no file, or contains no photo.
    """
    wanted = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    photos = {photo.resolve(): photo for path in wanted for photo in _matches(Path(path))}
    if not photos:
        raise ConfigError("no path given; give at least one photo, folder or glob")
    return sorted(photos.values())


def _matches(path: Path) -> list[Path]:
    path = path.expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        found = list(_walk(path))
    else:
        hits = [Path(hit) for hit in glob.glob(str(path), recursive=True)]  # noqa: PTH207
        if not hits:
            raise ConfigError(f"{path} not found; check the spelling")
        found = [photo for hit in hits for photo in (_walk(hit) if hit.is_dir() else [hit])]
    # Regular files only: reading a pipe would block forever.
    photos = [p for p in found if p.suffix.lower() in PHOTO_SUFFIXES and p.is_file()]
    if not photos:
        raise ConfigError(
            f"{path} contains no photos; supported extensions are {' '.join(PHOTO_SUFFIXES)}"
        )
    return photos


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in files if not name.startswith("."))


def _load(path: Path, name: str, limits: Limits) -> bytes:
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist or is not a file"
            raise ImageError(f"{name} {what}; give an image file")
        with path.open("rb") as file:
            return file.read(limits.max_bytes + 1)  # one byte too many is enough to reject it
    except OSError as error:
        raise ImageError(f"{name} cannot be opened: {error.strerror or error}") from error


def _from_bytes(data: bytes, name: str, limits: Limits) -> _Array:
    if not data:
        raise ImageError(f"{name} is empty; copy the file again from its source")
    if len(data) > limits.max_bytes:
        raise ImageError(
            f"{name} is larger than the limit of {limits.max_bytes / 1e6:g} MB; "
            f"export it as JPEG or reduce its size"
        )
    with quiet(), _open(data, name) as image:
        return _pixels(image, name, limits)


def _open(data: bytes, name: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(without_slack(data)), formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} has far too many pixels; reduce its size") from error
    except Exception as error:  # damaged headers make Pillow raise almost anything
        if data.startswith(_SIGNATURES):
            raise _damaged(name, error) from error
        raise ImageError(
            f"{name} is not an image in a supported format ({_KINDS}); export it as JPEG"
        ) from error
    mend_transparency(image)
    return image


def _damaged(name: str, error: Exception) -> ImageError:
    unknown = isinstance(error, UnidentifiedImageError)  # its text contains a memory address
    why = "bad header" if unknown else str(error) or type(error).__name__
    return ImageError(
        f"{name} cannot be decoded ({why}): it is damaged, truncated, "
        f"empty or in an unsupported variant of its format; copy it again from the camera or "
        f"export it as JPEG"
    )


def _pixels(image: Image.Image, name: str, limits: Limits) -> _Array:
    _check_size(image.width, image.height, name, limits)
    try:
        stored = Samples.of(image, name)
        image.load()
        _check_size(image.width, image.height, name, limits)  # decoding can change the size
        return _upright(image, stored, _orientation(image))
    except ImageError:
        raise
    except Exception as error:  # damaged data make Pillow raise almost anything
        raise _damaged(name, error) from error


def _check_size(width: int, height: int, name: str, limits: Limits) -> None:
    size = f"{name} is {width} x {height} pixels"
    if min(width, height) < limits.min_side:
        raise ImageError(f"{size}; both sides must be at least {limits.min_side}")
    if width * height > limits.max_pixels:
        raise ImageError(
            f"{size}, {width * height / 1e6:.1f} megapixels; the limit is "
            f"{limits.max_pixels / 1e6:g} megapixels: reduce its size or crop it"
        )


def _from_array(array: _Array, name: str, limits: Limits) -> _Array:
    if array.dtype != np.uint8:
        hint = {"b": "mask * np.uint8(255)", "f": "(255 * array).round().astype(np.uint8)"}
        raise ImageError(
            f"{name} is {array.dtype}; must be uint8, 0 to 255: convert it first, for example "
            f"with {hint.get(array.dtype.kind, 'array.astype(np.uint8) after scaling to 0..255')}"
        )
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] != 3):
        raise ImageError(f"{name} has the shape {array.shape}; must be (H, W, 3) or (H, W)")
    _check_size(array.shape[1], array.shape[0], name, limits)
    return np.array(array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2), order="C")


def _orientation(image: Image.Image) -> int:
    try:  # read after loading: PNG can store it at its end, and loading rotates TIFF
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a photo with unreadable EXIF is still usable
        return 1
    return value if value in range(1, 9) else 1


def _upright(image: Image.Image, samples: Samples, orientation: int) -> _Array:
    width, height = image.size
    shape = (height, width, 3) if orientation < 5 else (width, height, 3)
    upright = np.empty(shape, np.uint8)
    stored = _as_stored(upright, orientation)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        stored[top : top + rows] = samples.to_rgb(strip)
    return upright


def _as_stored(upright: _Array, orientation: int) -> _Array:
    """Return a view of an upright image in the layout of the file (EXIF 2.32, orientation)."""
    swapped = upright.swapaxes(0, 1)
    return {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: swapped,
        6: swapped[::-1],
        7: swapped[::-1, ::-1],
        8: swapped[:, ::-1],
    }[orientation]
