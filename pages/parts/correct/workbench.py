"""Prepare a photo for the canvas; draws nothing.

What is expensive to compute from a photo (an image file for the browser, superpixels) is cached
by `pages.server.line`. Saving is in `saving`, the choice of the next photo in `next_photo`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pages.components import canvas
from pages.server.line import ahead, once
from pages.server.results import in_full, report
from pages.shared import models
from pages.shared.cases import ChosenPhoto
from rustseg_jax import images, labels
from rustseg_jax.correct.superpixels import superpixels
from rustseg_jax.report.report import Report

__all__ = [
    "Bench",
    "bench",
    "bench_ahead",
    "make_bench",
]

# Prepared photos in the cache, 6 MB each at 12 megapixels: the open one and the next one of six
# experts.
BENCHES = 12


@dataclass(frozen=True, eq=False)
class Bench:
    """A photo with the model's result, as the canvas and the store need it.

    Attributes
    ----------
    found : the report on the photo
    prediction : the part of the result that is stored
    photo : the photo encoded for the browser
    pieces : (h, w) superpixels
    """

    found: Report
    prediction: labels.PredictionDraft
    photo: canvas.Photo
    pieces: np.ndarray = field(repr=False)

    @property
    def mask(self) -> labels.Rle:
        """The model's mask."""
        return self.prediction.mask


def bench(case: ChosenPhoto) -> Bench:
    """Prepare a photo; cached by its bytes and the weights.

    Raises
    ------
    RustsegError
        The photo or the weights cannot be used, or the queue is full.
    """

    return once("bench", _key(case), lambda: make_bench(case), size=BENCHES)


def bench_ahead(case: ChosenPhoto, *, given_up: Callable[[], bool]) -> None:
    """Prepare a photo before it is opened, once no visitor is waiting; see `line.ahead`."""
    ahead("bench", _key(case), lambda: make_bench(case), size=BENCHES, given_up=given_up)


def _key(case: ChosenPhoto) -> tuple[str, str]:
    return case.digest, models.model().digest


def make_bench(case: ChosenPhoto) -> Bench:
    """Prepare a photo without the cache; the caller holds the turn."""
    found = report(case)
    pixels = images.read(case.path.read_bytes(), name=case.title)
    seg = in_full(case, pixels)
    return Bench(
        found,
        labels.PredictionDraft.of(seg),
        canvas.encode_photo(pixels),
        superpixels(pixels),
    )
