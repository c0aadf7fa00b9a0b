"""Seeds: pixels of a corroded picture that are certainly rust, certainly clean, or unknown.

No expert mask is used. A clean picture has no rust anywhere, by its label; in a corroded picture
the seeds come first from colour, and later from the network's own score map, sharpened by the dense
CRF (self-training, as in Kolesnikov and Lampert, "Seed, expand and constrain", ECCV 2016, and Ahn
and Kwak, "AffinityNet", CVPR 2018).

A seed map is (S/4, S/4) uint8 for a picture of S pixels: 0 certainly clean, 255 certainly rust, 128
unknown, less certain in between. Enlarging, cropping and averaging preserve that meaning: a border
between rust and clean averages to unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from rustseg_jax import images, metrics, refine
from rustseg_jax.classify import Classifier
from rustseg_jax.config import CORROSION, CRFParams, LocaliseConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.images.resample import bilinear
from rustseg_jax.localise import localise
from rustseg_jax.refine.crf import Lattice

__all__ = ["CELL", "CLEAN", "RUST", "SEEDS", "UNKNOWN", "colour_seeds", "make_seeds", "own_seeds"]

SEEDS = ("none", "colour", "own")
CELL = 4  # pixels of a picture per seed
CLEAN, UNKNOWN, RUST = 0, 128, 255
HALF_SURE = 192

# Chosen on half A of the seg-* pictures (docs/decisions/0011): cells of 16 pixels without rust
# colour are clean in 95 % of cases; cells full of it are rust in 62 % on seg-web.
NEAR, FAR = 3, 11  # in seeds: the windows in which rust colour is counted, for rust and for clean
MOSTLY, HARDLY = 0.6, 0.02  # share of rust colour in these windows
DARK = 64  # brightness, of 255, below which rust colour cannot be recognised

VIEWS = LocaliseConfig(method="score_map", scales=(0.5, 1.0), mirror=True)
# IRN's parameters: of the published ones they preserved small areas best.
CRF = CRFParams(bilateral_sxy=50.0, bilateral_srgb=5.0, iterations=5, working_size=224)
# A network that is still learning is overconfident: the thresholds that suited older, less
# confident weights (0.35, 0.6) make seeds too generous, and each phase learns from the one before
# (docs/decisions/0014).
CUT = (0.5, 0.75)  # least and greatest threshold of the score map; between, 0.75 of its maximum
EMPTY = 0.35  # score below which a position may be a clean seed
SURE = 0.8  # the CRF's posterior of a certain rust seed; of a clean one 1 - SURE


def colour_seeds(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Seeds of a corroded picture from the colour rule alone.

    Rust where most of the neighbourhood has the colour (`metrics.hsv_rule`), clean where hardly
    anything in a wide neighbourhood has it and the pixel is bright enough to judge.

    Takes (S, S, 3) uint8, S a multiple of 4. Returns (S/4, S/4) uint8.
    """
    _check_square(picture)
    share = _mean_cells(metrics.hsv_rule(picture))
    bright = _mean_cells(picture.max(axis=2)) >= DARK
    rust = uniform_filter(share, NEAR, mode="nearest") > MOSTLY
    clean = (uniform_filter(share, FAR, mode="nearest") < HARDLY) & bright
    return np.where(rust, RUST, np.where(clean, CLEAN, UNKNOWN)).astype(np.uint8)


def own_seeds(
    model: Classifier,
    pictures: NDArray[np.uint8],
    which: NDArray[np.int64],
    *,
    batch: int = 8,
    cut: tuple[float, float] = CUT,
) -> Iterator[NDArray[np.uint8]]:
    """Seeds of corroded pictures from the network's own score maps.

    Rust where the CRF is certain and the score map agrees, clean where both are certain of that,
    half certain where the CRF grew beyond the score map.

    Parameters
    ----------
    model : the current network
    pictures : (N, S, S, 3) uint8, S a multiple of 16; may be memory-mapped
    which : numbers of the corroded ones
    batch : pictures per pass through the network
    cut : least and greatest threshold of the score map

    Yields
    ------
    (S/4, S/4) uint8, in order
    """
    for first in range(0, len(which), batch):
        part = np.asarray(pictures[which[first : first + batch]])
        full = np.zeros((batch, *part.shape[1:]), np.float32)  # one shape to compile
        full[: len(part)] = part / np.float32(255)
        heat, _ = localise(model, jnp.asarray(full), class_index=CORROSION, config=VIEWS)
        for picture, heatmap in zip(part, np.asarray(heat), strict=False):
            yield _from_heat(picture, heatmap, cut)


def make_seeds(
    kind: str,
    pictures: NDArray[np.uint8],
    labels: NDArray[np.int64],
    model: Classifier,
    *,
    progress: Callable[[str], object] | None = None,
) -> NDArray[np.uint8]:
    """Seeds of all pictures of a training set.

    Parameters
    ----------
    kind : one of `SEEDS`
    pictures : (N, S, S, 3) uint8, S a multiple of 16 unless kind is "none"; may be memory-mapped
    labels : (N,) 0 or 1
    model : the current network, for kind "own"
    progress : called with a line of text at intervals

    Returns
    -------
    (N, S/4, S/4) uint8: entirely clean for clean pictures
    """
    side = pictures.shape[1] // CELL
    seeds = np.full((len(pictures), side, side), CLEAN, np.uint8)
    rusty = np.flatnonzero(labels == CORROSION)
    if kind == "none":
        seeds[rusty] = UNKNOWN
        return seeds
    made: Iterator[NDArray[np.uint8]]
    if kind == "colour":
        made = (colour_seeds(np.asarray(pictures[k])) for k in rusty)
    else:
        made = own_seeds(model, pictures, rusty)
    for done, (k, one) in enumerate(zip(rusty, made, strict=True), 1):
        seeds[k] = one
        if progress and (done % 200 == 0 or done == len(rusty)):
            progress(f"seeds from {kind}: {done}/{len(rusty)}\n")
    return seeds


def _from_heat(
    picture: NDArray[np.uint8], heatmap: NDArray[np.float32], bounds: tuple[float, float]
) -> NDArray[np.uint8]:
    _check_square(picture)
    cut = float(np.clip(bounds[1] * heatmap.max(), *bounds))
    shape = refine.working_shape((picture.shape[0], picture.shape[1]), CRF.working_size)
    evidence = refine.foreground_probability(heatmap, cut, shape=shape)
    posterior = Lattice(images.resize(picture, shape), CRF).infer(evidence)
    cells = (picture.shape[0] // CELL, picture.shape[1] // CELL)
    sure, heat = bilinear(posterior, cells), bilinear(heatmap, cells)
    seeds = np.full(cells, UNKNOWN, np.uint8)
    seeds[(sure < 1 - SURE) & (heat < EMPTY)] = CLEAN
    seeds[(sure > SURE) & (heat >= bounds[0])] = HALF_SURE
    seeds[(sure > SURE) & (heat >= cut)] = RUST
    return seeds


def _mean_cells(values: NDArray[np.generic]) -> NDArray[np.float32]:
    h, w = values.shape[0] // CELL, values.shape[1] // CELL
    return values.reshape(h, CELL, w, CELL).mean(axis=(1, 3), dtype=np.float32)


def _check_square(picture: NDArray[np.uint8]) -> None:
    if picture.ndim != 3 or picture.shape[0] % CELL or picture.shape[1] % CELL:
        raise ConfigError(
            f"picture has the shape {picture.shape}; its sides must be multiples of 4"
        )
