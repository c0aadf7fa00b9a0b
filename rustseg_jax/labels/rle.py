"""Masks as COCO run-length encoding: exact, small, readable by other tools.

A mask is (H, W) bool. Its pixels are read **column by column**, left to right, and stored as run
lengths that alternate between clean and marked, starting with clean. The lengths are packed into
printable ASCII as in pycocotools: five bits per character and, from the fourth run on, as the
difference from the run two before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.errors import ConfigError
from rustseg_jax.labels.errors import DamagedError

__all__ = ["Rle", "check_lengths", "check_mask", "decode", "encode", "from_runs", "runs"]

Mask = NDArray[np.bool_]

_BITS, _MORE, _SIGN, _BASE = 5, 0x20, 0x10, 48  # pycocotools, common/maskApi.c, rleToString
_LONGEST = 8  # maximum characters of a run length: 40 bits


@dataclass(frozen=True)
class Rle:
    """An encoded mask; decoded on request.

    Attributes
    ----------
    counts : the encoded runs
    height, width : of the mask, in pixels
    """

    counts: str = field(repr=False)
    height: int
    width: int

    @classmethod
    def of(cls, mask: Mask) -> Rle:
        """Encode a (H, W) bool mask."""
        height, width = check_mask("mask", mask).shape
        return cls(encode(mask), height, width)

    def decode(self) -> Mask:
        """Return the (H, W) bool mask; DamagedError if it does not have this size."""
        return decode(self.counts, (self.height, self.width))

    @property
    def area(self) -> int:
        """Number of marked pixels, without decoding them."""
        return int(_lengths(self.counts)[1::2].sum())

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(left, top, width, height) of the bounding box, without decoding; 0s if empty."""
        edges = _lengths(self.counts).cumsum()
        stops = edges[1::2]
        starts = edges[::2][: stops.size]
        starts, last = starts[starts < stops], stops[starts < stops] - 1
        if not starts.size:
            return 0, 0, 0, 0
        left, right = int(starts[0]) // self.height, int(last[-1]) // self.height
        # A run that continues in the next column has the last row of this one, the first of that.
        over = bool((starts // self.height < last // self.height).any())
        top = 0 if over else int((starts % self.height).min())
        bottom = self.height - 1 if over else int((last % self.height).max())
        return left, top, right + 1 - left, bottom + 1 - top

    def to_coco(self) -> dict[str, object]:
        """The `segmentation` of a COCO annotation."""
        return {"size": [self.height, self.width], "counts": self.counts}


def encode(mask: Mask) -> str:
    """Encode a mask.

    Parameters
    ----------
    mask : (H, W) bool, H and W at least 1

    Returns
    -------
    The counts, as `pycocotools.mask.encode` writes them
    """
    lengths = runs(mask)
    lengths[3:] -= lengths[1:-2].copy()
    return _pack(lengths)


def runs(mask: Mask) -> NDArray[np.int64]:
    """Lengths of the runs down the columns: clean, marked, clean, ...; the first may be 0."""
    flat = check_mask("mask", mask).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = [0] if not flat[0] else [0, 0]
    edges = np.concatenate([starts, changes, [flat.size]]).astype(np.int64)
    return np.diff(edges)


def decode(counts: str, shape: tuple[int, int]) -> Mask:
    """Decode counts.

    Parameters
    ----------
    counts : from `encode`, or from pycocotools as str
    shape : (H, W) of the mask

    Returns
    -------
    (H, W) bool

    Raises
    ------
    DamagedError
        The counts are malformed, or do not match a mask of this size.
    """
    return from_runs(_lengths(counts), shape)


def from_runs(lengths: NDArray[np.int64], shape: tuple[int, int]) -> Mask:
    """Return the (H, W) bool mask of these runs down the columns."""
    _check(lengths, shape)
    height, width = shape
    values = np.zeros(lengths.size, np.bool_)
    values[1::2] = True
    flat = np.repeat(values, lengths)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def check_lengths(rle: Rle) -> None:
    """Raise DamagedError if the runs do not match the mask's size, without decoding its pixels."""
    _check(_lengths(rle.counts), (rle.height, rle.width))


def _check(lengths: NDArray[np.int64], shape: tuple[int, int]) -> None:
    height, width = shape
    if (lengths < 0).any() or int(lengths.sum()) != height * width:
        raise DamagedError(
            f"a mask's runs cover {int(lengths.sum())} pixels, but its photo has "
            f"{width} x {height} = {width * height}: the mask is damaged or of another photo"
        )


def check_mask(name: str, mask: Mask) -> Mask:
    """Raise ConfigError unless the mask is (H, W) bool."""
    kind = getattr(mask, "dtype", type(mask).__name__)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.ndim != 2:
        shape = getattr(mask, "shape", "")
        raise ConfigError(f"{name} is {kind}{shape}; it must be bool (H, W), the size of the photo")
    if mask.size == 0:
        raise ConfigError(f"{name} has the shape {mask.shape}; it must have at least one pixel")
    return mask


def _lengths(counts: str) -> NDArray[np.int64]:
    lengths = _unpack(counts)
    # From the fourth on, each is the difference from the one two before: two running sums.
    lengths[1::2] = lengths[1::2].cumsum()
    lengths[2::2] = lengths[2::2].cumsum()
    return lengths


def _pack(values: NDArray[np.int64]) -> str:
    """Five bits per character, lowest first, until only the sign is left."""
    left = values.copy()
    table = np.zeros((_LONGEST, values.size), np.uint8)
    used = np.zeros((_LONGEST, values.size), bool)
    open_ = np.ones(values.size, bool)
    for k in range(_LONGEST):
        bits = left & 0x1F
        left >>= _BITS
        more = np.where(bits & _SIGN, left != -1, left != 0)
        table[k], used[k] = bits + np.where(more, _MORE, 0) + _BASE, open_
        open_ = open_ & more
        if not open_.any():
            break
    return table.T[used.T].tobytes().decode("ascii")


def _unpack(counts: str) -> NDArray[np.int64]:
    try:
        codes = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - _BASE
    except UnicodeEncodeError:
        codes = np.array([-1])
    wrong = codes.size == 0 or (codes < 0).any() or (codes > 63).any() or codes[-1] & _MORE
    if wrong:
        raise DamagedError("a mask is damaged (its runs are not COCO run-length encoding)")
    last = np.flatnonzero((codes & _MORE) == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    place = np.arange(codes.size) - np.repeat(first, last - first + 1)
    if int(place.max()) >= _LONGEST:
        raise DamagedError("a mask is damaged (its runs are longer than any photo)")
    values = np.add.reduceat((codes & 0x1F) << (_BITS * place), first)
    negative = (codes[last] & _SIGN) != 0
    values[negative] -= np.int64(1) << (_BITS * (last - first + 1))[negative]
    return values
