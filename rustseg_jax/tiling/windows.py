"""Output of the network for the tiles of a large photo, and for all of them combined."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from rustseg_jax import images, localise
from rustseg_jax.classify import Classifier
from rustseg_jax.config import CLEAN, CORROSION, LocaliseConfig, NetworkConfig
from rustseg_jax.images.resample import bilinear
from rustseg_jax.tiling.plan import Plan, Tiling, blend

__all__ = ["Found", "Views", "absolute", "agree", "look", "look_closer", "pool"]

BATCH = 4  # tiles per pass through the network, constant so that only one shape is compiled


class Views(NamedTuple):
    """Output of the network for each tile.

    Attributes
    ----------
    margins : (windows,) float64, logit of corrosion minus that of clean
    maps : (windows, cells, cells) float32 >= 0, unnormalised heat maps
    """

    margins: NDArray[np.float64]
    maps: NDArray[np.float32]


class Found(NamedTuple):
    """Combined result of a large photo, from the whole photo and its tiles.

    Attributes
    ----------
    probability : calibrated P(corrosion), see `agree`
    heat : `Plan.grid` float32 in [0, 1], the blended heat maps of the tiles and the whole photo
    maximum : value by which it was divided; for score maps, which are not divided, its maximum
    tiling : the tiles and their results
    """

    probability: float
    heat: NDArray[np.float32]
    maximum: float
    tiling: Tiling


def look_closer(
    photo: NDArray[np.uint8],
    model: Classifier,
    plan: Plan,
    whole: Views,
    config: LocaliseConfig,
    *,
    share: float,
) -> Found:
    """Analyse a large photo in tiles and combine the result with that of the whole photo.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    model : the network
    plan : tiles of this photo
    whole : output of the network for the whole photo, as for a single tile
    config : method of the heat map
    share : weight of the whole photo's heat map, see `TileConfig.whole_share`

    Returns
    -------
    `Found`
    """
    views = look(photo, model, plan, config)
    joined = (1 - share) * blend(views.maps, plan) + share * bilinear(whole.maps[0], plan.grid)
    heat = joined.astype(np.float32)
    maximum = float(heat.max())
    if config.method != "score_map" and maximum > 0:
        heat /= np.float32(maximum)
    close = pool(views.margins, model.config)
    first = float(whole.margins[0])
    margins = np.array([agree(first, close), first, close])
    both, *alone = model.probability(np.stack([0 * margins, margins], axis=1)).tolist()
    return Found(both, heat, maximum, Tiling(plan, *alone))


def absolute(
    heat: NDArray[np.float32], maximum: NDArray[np.float32], config: LocaliseConfig
) -> NDArray[np.float32]:
    """Undo the normalisation of `localise`, so that maps of several images are comparable.

    Parameters
    ----------
    heat, maximum : (B, h, w) and (B,), as returned by `localise`
    config : method they were made with

    Returns
    -------
    (B, h, w) float32 >= 0
    """
    if config.method == "score_map":  # probabilities, which `localise` does not normalise
        return heat
    return heat * maximum[:, None, None]


def pool(margins: NDArray[np.floating[Any]], network: NetworkConfig) -> float:
    """Pool the margins of the tiles in the same way as the network's head pools positions.

    The head averages over positions ("mean") or takes ``log(mean(exp(r z))) / r``. Means of
    means are means, so the results of tiles of equal size pool in the same way. This is a mean,
    not a maximum: more tiles do not raise the chance of a false alarm.

    Parameters
    ----------
    margins : (windows,) logit of corrosion minus that of clean, of each tile
    network : pooling of its head

    Returns
    -------
    The margin of all tiles together, between their mean and their maximum
    """
    z = np.asarray(margins, np.float64)
    if network.pooling == "mean":
        return float(z.mean())
    r = network.sharpness
    return float((logsumexp(r * z) - np.log(z.size)) / r)


def agree(whole: float, windows: float) -> float:
    """Combine the margins of the whole photo and of its tiles: return their mean.

    The mean is taken in log odds, so that the more confident of the two has more weight. Taking
    the larger one instead causes more false alarms on clean photos: docs/decisions/0008.

    Parameters
    ----------
    whole : margin of the photo downscaled to the network's input
    windows : margin of all tiles together, see `pool`

    Returns
    -------
    The margin of the photo
    """
    return (whole + windows) / 2


def look(photo: NDArray[np.uint8], model: Classifier, plan: Plan, config: LocaliseConfig) -> Views:
    """Run the network on each tile.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    model : the network
    plan : tiles of this photo
    config : method of the heat map

    Returns
    -------
    `Views`, in the order of `Plan.boxes`
    """
    margins, maps = [], []
    for x, count in _batches(photo, plan, model.config.input_size):
        output = model(x)
        heat, maximum = localise.localise(model, x, output, class_index=CORROSION, config=config)
        logits = np.asarray(model.verdict(x, output), np.float64)[:count]
        margins.append(logits[:, CORROSION] - logits[:, CLEAN])
        maps.append(absolute(np.asarray(heat), np.asarray(maximum), config)[:count])
    return Views(np.concatenate(margins), np.concatenate(maps))


def _batches(photo: NDArray[np.uint8], plan: Plan, side: int) -> Iterator[tuple[jnp.ndarray, int]]:
    """Yield batches of tiles at the network's input size, and their number without padding."""
    boxes = plan.boxes()
    while chunk := list(islice(boxes, BATCH)):
        x = np.zeros((BATCH, side, side, 3), np.float32)
        for k, box in enumerate(chunk):
            x[k] = images.resize(photo[box], (side, side))
        x /= np.float32(255)
        yield jnp.asarray(x), len(chunk)
