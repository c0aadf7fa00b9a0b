"""Does the network rely on what its heat map marks? Insertion and deletion curves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import scipy.ndimage
import skimage.transform
from numpy.typing import ArrayLike, NDArray

from rustseg_jax.errors import ConfigError

__all__ = ["Faithfulness", "insertion_deletion"]

Predict = Callable[[NDArray[np.float32]], ArrayLike]

_BLUR = 5 / 224
"""Standard deviation of the blur over the shorter side: RISE blurs 224 pixels with 5."""


@dataclass(frozen=True)
class Faithfulness:
    """How much the network relies on what the heat map marks.

    Attributes
    ----------
    insertion
        Area under the insertion curve, in [0, 1]; high is good.
    deletion
        Area under the deletion curve, in [0, 1]; low is good.
    fractions
        Share of the pixels that was put in or taken out, from 0 to 1.
    insertion_curve, deletion_curve
        P(corrosion) at these fractions.
    """

    insertion: float
    deletion: float
    fractions: tuple[float, ...]
    insertion_curve: tuple[float, ...]
    deletion_curve: tuple[float, ...]


def insertion_deletion(
    predict: Predict,
    image: NDArray[np.uint8],
    heatmap: ArrayLike,
    *,
    fill: str = "blur",
    steps: int = 16,
    batch: int = 8,
) -> Faithfulness:
    """Put in, and take out, the hottest pixels first and watch the probability.

    Insertion starts from the fill and puts in the photo's pixels; deletion starts
    from the photo and puts in the fill. Pixels of the same heat come in a random
    order that is always the same, so a flat map scores as chance does.

    Parameters
    ----------
    predict
        (batch, H, W, 3) float32 in [0, 1] to (batch,) P(corrosion). Always called
        with that one shape; at most ``2 * steps`` pictures are asked for.
    image
        (H, W, 3) uint8 at the size the network sees.
    heatmap
        (h, w) finite float of any size; enlarged bilinearly.
    fill
        ``"blur"``: the photo, Gaussian blurred (edges go, colours stay);
        ``"mean"``: its mean colour.
    steps
        Steps of a curve, at least 1.
    batch
        Pictures in a call of ``predict``, at least 1.

    Returns
    -------
    Faithfulness
        Both areas (trapezoids) and curves, each with ``steps + 1`` points.

    Raises
    ------
    ConfigError
        When an option or a shape is not allowed.

    References
    ----------
    Petsiuk et al., "RISE", BMVC 2018, section 4.3.
    """
    heat = _check_faithfulness(image, heatmap, fill, steps, batch)
    photo = image.astype(np.float32) / np.float32(255)
    filled = _fill(photo, fill)
    rank = _heat_rank(heat, photo.shape[:2])
    cuts = [round(photo.shape[0] * photo.shape[1] * k / steps) for k in range(steps + 1)]

    def views() -> Iterator[NDArray[np.float32]]:
        for cut in cuts:
            yield np.where((rank < cut)[..., None], photo, filled)
        for cut in cuts[1:-1]:  # the ends are those of the insertion, exchanged
            yield np.where((rank < cut)[..., None], filled, photo)

    answers = _predict_all(predict, views(), batch)
    insertion = answers[: steps + 1]
    deletion = [insertion[-1], *answers[steps + 1 :], insertion[0]]
    fractions = np.linspace(0, 1, steps + 1)
    return Faithfulness(
        insertion=float(np.trapezoid(insertion, fractions)),
        deletion=float(np.trapezoid(deletion, fractions)),
        fractions=tuple(fractions.tolist()),
        insertion_curve=tuple(insertion),
        deletion_curve=tuple(deletion),
    )


def _fill(photo: NDArray[np.float32], fill: str) -> NDArray[np.float32]:
    if fill == "mean":
        return np.broadcast_to(photo.mean(axis=(0, 1), dtype=np.float64), photo.shape).astype(
            np.float32
        )
    sigma = _BLUR * min(photo.shape[:2])
    return scipy.ndimage.gaussian_filter(photo, (sigma, sigma, 0), mode="nearest")


def _heat_rank(heatmap: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.intp]:
    """Place of each pixel when sorted from hot to cold, ties in a fixed random order."""
    large = skimage.transform.resize(heatmap, shape, order=1, mode="edge", anti_aliasing=False)
    tie_break = np.random.default_rng(0).random(large.size)
    rank = np.empty(large.size, np.intp)
    rank[np.lexsort((tie_break, -large.ravel()))] = np.arange(large.size)
    return rank.reshape(shape)


def _predict_all(predict: Predict, views: Iterable[NDArray[np.float32]], size: int) -> list[float]:
    """Ask in batches of one size (a new shape would compile again): the last is padded."""
    answers: list[float] = []
    stream = iter(views)
    for group in iter(lambda: list(islice(stream, size)), []):
        full = np.stack([*group, *[group[-1]] * (size - len(group))])
        values = np.asarray(predict(full), np.float64)
        if values.shape != (size,):
            raise ConfigError(f"predict gave shape {values.shape}: it must return ({size},)")
        answers += values[: len(group)].tolist()
    return answers


def _check_faithfulness(
    image: NDArray[np.uint8], heatmap: ArrayLike, fill: str, steps: int, batch: int
) -> NDArray[np.float64]:
    heat = np.asarray(heatmap, np.float64)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ConfigError(f"image is {image.dtype} of shape {image.shape}: give uint8 (H, W, 3)")
    if heat.ndim != 2 or not heat.size or not np.isfinite(heat).all():
        raise ConfigError(f"heatmap has shape {heat.shape}: give (h, w), all values finite")
    if fill not in ("blur", "mean"):
        raise ConfigError(f"fill={fill!r} is not allowed: give blur or mean")
    if steps < 1 or batch < 1:
        raise ConfigError(f"steps={steps}, batch={batch}: both must be at least 1")
    return heat
