"""What the network says of the windows of a large photo, and of all of them together."""

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

BATCH = 4  # windows at once through the network, always: one shape to compile


class Views(NamedTuple):
    """What the network says of each window.

    Attributes
    ----------
    margins : (windows,) float64, logit of corrosion less that of clean
    maps : (windows, cells, cells) float32 >= 0, heat maps before any normalising
    """

    margins: NDArray[np.float64]
    maps: NDArray[np.float32]


class Found(NamedTuple):
    """What is known of a large photo once it was looked at whole and in windows.

    Attributes
    ----------
    probability : calibrated P(corrosion), see `agree`
    heat : `Plan.grid` float32 in [0, 1], the blended heat maps of the windows and the whole
    maximum : what it was divided by; its own maximum for score maps, which stay as they are
    tiling : the windows, and what was said
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
    """Look at a large photo in windows, too.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    model : the network
    plan : of this photo
    whole : what the network says of the whole photo, as if it were a single window
    config : how heat maps are made
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
    """Undo the normalising of `localise`, so that maps of several pictures compare.

    Parameters
    ----------
    heat, maximum : (B, h, w) and (B,), as `localise` returns them
    config : what they were made with

    Returns
    -------
    (B, h, w) float32 >= 0
    """
    if config.method == "score_map":  # probabilities, which `localise` leaves as they are
        return heat
    return heat * maximum[:, None, None]


def pool(margins: NDArray[np.floating[Any]], network: NetworkConfig) -> float:
    """Pool the windows' evidence as the network's head pools positions.

    The head averages over positions ("mean") or takes ``log(mean(exp(r z))) / r``. Means of
    means are means, so what windows of one size say pools in the same way. It is a mean,
    not a maximum: more windows are not more chances for a false alarm.

    Parameters
    ----------
    margins : (windows,) logit of corrosion less that of clean, of each window
    network : says how its head pools

    Returns
    -------
    The margin of all windows together, between their mean and their maximum
    """
    z = np.asarray(margins, np.float64)
    if network.pooling == "mean":
        return float(z.mean())
    r = network.sharpness
    return float((logsumexp(r * z) - np.log(z.size)) / r)


def agree(whole: float, windows: float) -> float:
    """Verdict on a photo that was looked at whole and in windows: the mean of both margins.

    In log odds, so that each can outweigh the other only as far as it is surer. Taking the
    larger one instead calls more clean photos corroded: docs/decisions/0008.

    Parameters
    ----------
    whole : margin of the photo shrunk to the network's input
    windows : margin of its windows together, see `pool`

    Returns
    -------
    The margin of the photo
    """
    return (whole + windows) / 2


def look(photo: NDArray[np.uint8], model: Classifier, plan: Plan, config: LocaliseConfig) -> Views:
    """Show the network each window.

    Parameters
    ----------
    photo : (H, W, 3) uint8
    model : the network
    plan : of this photo
    config : how heat maps are made

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
    """The windows as the network wants them, and how many of a batch count: the rest fills up."""
    boxes = plan.boxes()
    while chunk := list(islice(boxes, BATCH)):
        x = np.zeros((BATCH, side, side, 3), np.float32)
        for k, box in enumerate(chunk):
            x[k] = images.resize(photo[box], (side, side))
        x /= np.float32(255)
        yield jnp.asarray(x), len(chunk)
