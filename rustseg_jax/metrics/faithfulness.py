"""Faithfulness of heat maps: does the network rely on what they mark?

Insertion and deletion curves, and ROAD.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
import scipy.ndimage
import scipy.sparse
import scipy.sparse.linalg
import skimage.transform
from numpy.typing import ArrayLike, NDArray

from rustseg_jax.errors import ConfigError

__all__ = ["Faithfulness", "Road", "impute", "insertion_deletion", "road"]

Predict = Callable[[NDArray[np.float32]], ArrayLike]

_BLUR = 5 / 224
"""Standard deviation of the blur divided by the shorter side: RISE uses 5 for 224 pixels."""

_FILLS = {"blur": ("blur", "blur"), "mean": ("mean", "mean"), "rise": ("blur", "mean")}
"""Name -> start image of insertion, end image of deletion."""

_NEIGHBOURS = {
    **dict.fromkeys([(-1, 0), (0, -1), (0, 1), (1, 0)], 1 / 6),
    **dict.fromkeys([(-1, -1), (-1, 1), (1, -1), (1, 1)], 1 / 12),
}
"""Weight of each neighbour of an imputed pixel, as in Rong et al. 2022."""

_NOISE = 0.01
"""Standard deviation of the noise on imputed pixels, as in the authors' published code."""

_GRID = 56
"""Longer side of the grid on which `road` removes cells: twice the heat map's 28 cells, so that
its order is preserved and an image takes milliseconds to impute (448 pixels: seconds)."""


@dataclass(frozen=True)
class Faithfulness:
    """How much the network relies on what the heat map marks.

    Attributes
    ----------
    insertion
        Area under the insertion curve, in [0, 1]; higher is better.
    deletion
        Area under the deletion curve, in [0, 1]; lower is better.
    fractions
        Share of the pixels inserted or deleted, from 0 to 1.
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
    """Insert and delete the hottest pixels first and record the probability.

    Insertion starts from the fill and inserts the photo's pixels; deletion starts
    from the photo and inserts the fill. Pixels of equal heat come in a fixed random
    order, so that a flat map scores at chance level.

    Parameters
    ----------
    predict
        (batch, H, W, 3) float32 in [0, 1] to (batch,) P(corrosion). Always called
        with the same shape, for at most ``2 * steps + 1`` images.
    image
        (H, W, 3) uint8 at the network's input size.
    heatmap
        (h, w) finite float of any size; enlarged bilinearly.
    fill
        ``"blur"``: the photo with Gaussian blur (removes edges, keeps colours);
        ``"mean"``: its mean colour; ``"rise"``: blur for insertion and mean
        colour for deletion, as intended by the authors: a blur does not remove
        the colour of rust, and on a flat image inserted pixels create edges.
    steps
        Steps of a curve, at least 1.
    batch
        Images per call of ``predict``, at least 1.

    Returns
    -------
    Faithfulness
        Both areas (trapezoids) and curves, each with ``steps + 1`` points.

    Raises
    ------
    ConfigError
        An option or a shape is invalid.

    References
    ----------
    Petsiuk et al., "RISE", BMVC 2018, section 4.3.
    """
    heat = _check_faithfulness(image, heatmap, fill, steps, batch)
    photo = image.astype(np.float32) / np.float32(255)
    names = _FILLS[fill]
    shared = names[0] == names[1]
    start = _fill(photo, names[0])
    end = start if shared else _fill(photo, names[1])
    rank = _heat_rank(heat, photo.shape[:2])
    cuts = [round(photo.shape[0] * photo.shape[1] * k / steps) for k in range(steps + 1)]

    def views() -> Iterator[NDArray[np.float32]]:
        for cut in cuts:
            yield np.where((rank < cut)[..., None], photo, start)
        for cut in cuts[1:-1] if shared else cuts[1:]:  # the end images are those of insertion
            yield np.where((rank < cut)[..., None], end, photo)

    answers = _predict_all(predict, views(), batch)
    insertion = answers[: steps + 1]
    deletion = [insertion[-1], *answers[steps + 1 :], *([insertion[0]] if shared else [])]
    fractions = np.linspace(0, 1, steps + 1)
    return Faithfulness(
        insertion=float(np.trapezoid(insertion, fractions)),
        deletion=float(np.trapezoid(deletion, fractions)),
        fractions=tuple(fractions.tolist()),
        insertion_curve=tuple(insertion),
        deletion_curve=tuple(deletion),
    )


@dataclass(frozen=True)
class Road:
    """Result of ROAD: probabilities after removing the hottest or the coldest regions.

    Attributes
    ----------
    score
        Mean over `shares` of P without the coldest minus P without the hottest regions, in
        [-1, 1]; higher is better, chance is 0.
    shares
        Share of the image that was removed.
    without_hottest, without_coldest
        P(corrosion) at these shares.
    """

    score: float
    shares: tuple[float, ...]
    without_hottest: tuple[float, ...]
    without_coldest: tuple[float, ...]


def road(
    predict: Predict,
    image: NDArray[np.uint8],
    heatmap: ArrayLike,
    *,
    shares: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8),
    batch: int = 8,
) -> Road:
    """Remove the hottest or the coldest regions and impute them (ROAD, "remove and debias").

    Removed regions are imputed from their surroundings (see `impute`), so that neither
    their content nor their shape tells the network what was there. The score is
    the mean of the published removal in both orders. Here regions are removed on
    a grid of at most 56 cells per side, and the imputed values are enlarged bilinearly.

    Parameters
    ----------
    predict, image, heatmap, batch
        As for `insertion_deletion`; ``predict`` is called for ``2 * len(shares)`` images.
    shares
        Shares to remove, each above 0 and below 1.

    Returns
    -------
    Road
        Score and both curves.

    Raises
    ------
    ConfigError
        An option or a shape is invalid.

    References
    ----------
    Rong et al., "A consistent and efficient evaluation strategy for attribution methods",
    ICML 2022, section 5.
    """
    heat = _check_faithfulness(image, heatmap, "blur", 1, batch)
    if not shares or not all(0 < share < 1 for share in shares):
        raise ConfigError(f"shares is {shares!r}; must be numbers above 0 and below 1")
    photo = image.astype(np.float32) / np.float32(255)
    shape = photo.shape[0], photo.shape[1]
    shrink = min(1.0, _GRID / max(shape))
    grid = max(1, round(shape[0] * shrink)), max(1, round(shape[1] * shrink))
    small = skimage.transform.resize(photo, grid, order=1, anti_aliasing=shrink < 1)
    rank = _heat_rank(heat, grid)

    def views() -> Iterator[NDArray[np.float32]]:
        for order in (rank, rank.size - 1 - rank):
            for share in shares:
                gone = order < min(max(1, round(share * rank.size)), rank.size - 1)
                filling = skimage.transform.resize(
                    impute(small, gone), shape, order=1, mode="edge", anti_aliasing=False
                )
                yield np.where(_enlarge(gone, shape)[..., None], filling, photo)

    answers = _predict_all(predict, views(), batch)
    hottest, coldest = answers[: len(shares)], answers[len(shares) :]
    score = float(np.mean(coldest) - np.mean(hottest))
    return Road(score, tuple(shares), tuple(hottest), tuple(coldest))


def impute(
    photo: NDArray[np.float32], gone: NDArray[np.bool_], *, noise: float = _NOISE
) -> NDArray[np.float32]:
    """Impute missing pixels, each as the weighted mean of its 8 neighbours, with noise.

    Parameters
    ----------
    photo
        (h, w, 3) float32 in [0, 1].
    gone
        (h, w) bool: missing pixels; at least one pixel must be present.
    noise
        Standard deviation of the noise added to imputed pixels; the noise is deterministic,
        so that results are reproducible.

    Returns
    -------
    ndarray
        (h, w, 3) float32, clipped to [0, 1]; equal to `photo` where nothing is missing.
    """
    missing = gone.ravel()
    if missing.all():
        raise ConfigError("gone is True everywhere; at least one pixel must be False")
    flat = photo.reshape(-1, 3).astype(np.float64)
    weights = _neighbour_weights(photo.shape[0], photo.shape[1])[missing]
    known = weights[:, ~missing] @ flat[~missing]
    count = int(missing.sum())
    system = (scipy.sparse.identity(count) - weights[:, missing]).tocsc()
    solved = scipy.sparse.linalg.splu(system).solve(known) if count else known
    flat[missing] = solved + np.random.default_rng(0).normal(0, noise, solved.shape)
    return np.clip(flat, 0, 1).reshape(photo.shape).astype(np.float32)


@lru_cache(maxsize=2)
def _neighbour_weights(height: int, width: int) -> scipy.sparse.csr_array:
    """Return (pixels, pixels): each row has the weights of a pixel's neighbours, with sum 1."""
    index = np.arange(height * width).reshape(height, width)
    rows, columns, values = [], [], []
    for (down, right), weight in _NEIGHBOURS.items():
        here = index[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
        rows.append(here.ravel())
        columns.append(here.ravel() + down * width + right)
        values.append(np.full(here.size, weight))
    matrix = scipy.sparse.csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        shape=(index.size, index.size),
    )
    return scipy.sparse.csr_array(scipy.sparse.diags_array(1 / matrix.sum(axis=1)) @ matrix)


def _enlarge(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Enlarge a mask of cells to pixels, without interpolation."""
    rows, columns = (np.arange(n) * m // n for n, m in zip(shape, mask.shape, strict=True))
    return mask[np.ix_(rows, columns)]


def _fill(photo: NDArray[np.float32], fill: str) -> NDArray[np.float32]:
    if fill == "mean":
        return np.broadcast_to(photo.mean(axis=(0, 1), dtype=np.float64), photo.shape).astype(
            np.float32
        )
    sigma = _BLUR * min(photo.shape[:2])
    return scipy.ndimage.gaussian_filter(photo, (sigma, sigma, 0), mode="nearest")


def _heat_rank(heatmap: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.intp]:
    """Return the rank of each pixel from hot to cold, ties in a fixed random order."""
    large = skimage.transform.resize(heatmap, shape, order=1, mode="edge", anti_aliasing=False)
    tie_break = np.random.default_rng(0).random(large.size)
    rank = np.empty(large.size, np.intp)
    rank[np.lexsort((tie_break, -large.ravel()))] = np.arange(large.size)
    return rank.reshape(shape)


def _predict_all(predict: Predict, views: Iterable[NDArray[np.float32]], size: int) -> list[float]:
    """Predict in batches of equal size, padding the last: a new shape would be compiled again."""
    answers: list[float] = []
    stream = iter(views)
    for group in iter(lambda: list(islice(stream, size)), []):
        full = np.stack([*group, *[group[-1]] * (size - len(group))])
        values = np.asarray(predict(full), np.float64)
        if values.shape != (size,):
            raise ConfigError(f"predict returned the shape {values.shape}; must be ({size},)")
        answers += values[: len(group)].tolist()
    return answers


def _check_faithfulness(
    image: NDArray[np.uint8], heatmap: ArrayLike, fill: str, steps: int, batch: int
) -> NDArray[np.float64]:
    heat = np.asarray(heatmap, np.float64)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ConfigError(
            f"image is {image.dtype} with the shape {image.shape}; must be (H, W, 3) uint8"
        )
    if heat.ndim != 2 or not heat.size or not np.isfinite(heat).all():
        raise ConfigError(f"heatmap has the shape {heat.shape}; must be (h, w) with finite values")
    if fill not in _FILLS:
        raise ConfigError(f"fill is {fill!r}; must be one of {', '.join(_FILLS)}")
    if steps < 1 or batch < 1:
        raise ConfigError(f"steps is {steps}, batch is {batch}; both must be at least 1")
    return heat
