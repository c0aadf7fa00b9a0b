"""What the page of corrections works on: a photo made ready, the labels store; it draws nothing.

The store is opened anew at every call, which is cheap, and nothing that it says is kept. What is
expensive to make of a photo (a file for the browser, pieces of like colour) is kept by
`pages.server.line`. What is saved is in `saving`, which photo is next in `next_photo`.
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

# Photos kept as the canvas needs them, 6 MB each at 12 megapixels: of six experts the one that is
# open and the one that is next.
BENCHES = 12


@dataclass(frozen=True, eq=False)
class Bench:
    """A photo with what the model says of it, as the canvas and the store need it.

    Attributes
    ----------
    found : the report of it
    prediction : what the store keeps of the result
    photo : for the browser
    pieces : (h, w), of like colour
    """

    found: Report
    prediction: labels.PredictionDraft
    photo: canvas.Photo
    pieces: np.ndarray = field(repr=False)

    @property
    def mask(self) -> labels.Rle:
        """What the model marked."""
        return self.prediction.mask


def bench(case: ChosenPhoto) -> Bench:
    """Make a photo ready; kept for the same bytes and weights.

    Raises
    ------
    RustsegError
        The photo or the weights cannot be used, or too many wait.
    """

    return once("bench", _key(case), lambda: make_bench(case), size=BENCHES)


def bench_ahead(case: ChosenPhoto, *, given_up: Callable[[], bool]) -> None:
    """Make a photo ready before it is opened, as soon as no visitor waits; see `line.ahead`."""
    ahead("bench", _key(case), lambda: make_bench(case), size=BENCHES, given_up=given_up)


def _key(case: ChosenPhoto) -> tuple[str, str]:
    return case.digest, models.model().digest


def make_bench(case: ChosenPhoto) -> Bench:
    """As `bench`, anew; in the caller's turn."""
    found = report(case)
    pixels = images.read(case.path.read_bytes(), name=case.title)
    seg = in_full(case, pixels)
    return Bench(
        found,
        labels.PredictionDraft.of(seg),
        canvas.encode_photo(pixels),
        superpixels(pixels),
    )
