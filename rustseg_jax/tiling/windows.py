"""The network's output for the windows of a large photo, one by one and pooled."""

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

BATCH = 4  # windows per forward pass, always, so that only one shape is compiled


class Views(NamedTuple):
    """The network's output for each window.

    Attributes
    ----------
    margins : (windows,) float64, logit of corrosion less that of clean
    maps : (windows, cells, cells) float32 >= 0, heat maps before normalisation
    """

    margins: NDArray[np.float64]
    maps: NDArray[np.float32]


class Found(NamedTuple):
    """The evidence of a large photo, from the whole photo and its windows.

    Attributes
    ----------
    probability : calibrated P(corrosion), see `agree`
    heat : `Plan.grid` float32 in [0, 1], the blended heat maps of the windows and the whole photo
    maximum : value that the heat map was divided by; score maps are not normalised: their maximum
    tiling : the windows and their probabilities
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
    """Add the evidence of the windows to that of the whole photo.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    model : the network
    plan : windows of this photo
    whole : the network's output for the whole photo, in the form of a single window
    config : how to compute heat maps
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
    heat, maximum : (B, h, w) and (B,), as `localise` returns them
    config : how they were computed

    Returns
    -------
    (B, h, w) float32 >= 0
    """
    if config.method == "score_map":  # probabilities, which `localise` does not normalise
        return heat
    return heat * maximum[:, None, None]


def pool(margins: NDArray[np.floating[Any]], network: NetworkConfig) -> float:
    """Pool the windows' margins as the network's head pools positions.

    The head averages over positions ("mean") or takes ``log(mean(exp(r z))) / r``. Windows are of
    one size, so the same formula applies to their margins. Unlike a maximum, a mean does not raise
    the risk of a false alarm with the number of windows.

    Parameters
    ----------
    margins : (windows,) logit of corrosion less that of clean, of each window
    network : gives the pooling of the head

    Returns
    -------
    The pooled margin, between the mean and the maximum of the windows
    """
    z = np.asarray(margins, np.float64)
    if network.pooling == "mean":
        return float(z.mean())
    r = network.sharpness
    return float((logsumexp(r * z) - np.log(z.size)) / r)


def agree(whole: float, windows: float) -> float:
    """Combine the margins of the whole photo and of its windows: their mean.

    The mean is taken in log odds, so that the more confident one counts more. Taking the larger one
    instead calls more clean photos corroded: docs/decisions/0008.

    Parameters
    ----------
    whole : margin of the photo resized to the network's input
    windows : pooled margin of its windows, see `pool`

    Returns
    -------
    The margin of the photo
    """
    return (whole + windows) / 2


def look(photo: NDArray[np.uint8], model: Classifier, plan: Plan, config: LocaliseConfig) -> Views:
    """Run the network on each window.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    model : the network
    plan : windows of this photo
    config : how to compute heat maps

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
    """Yield batches of windows as network input, and how many are real; the rest is padding."""
    boxes = plan.boxes()
    while chunk := list(islice(boxes, BATCH)):
        x = np.zeros((BATCH, side, side, 3), np.float32)
        for k, box in enumerate(chunk):
            x[k] = images.resize(photo[box], (side, side))
        x /= np.float32(255)
        yield jnp.asarray(x), len(chunk)
