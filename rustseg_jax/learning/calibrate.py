"""Calibration: from logits of pictures never trained on to a probability that holds.

Training sees both classes equally often, so its even odds are not those of the
pictures it is judged on. A temperature alone cannot mend that: scale and offset
are fitted together (Platt 1999), the offset goes into the head's bias, and the
scale stays as the temperature (Guo et al. 2017). The score map has odds of its own: what
a weight in its loss added to them is taken off again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from flax import nnx
from scipy.optimize import minimize

from rustseg_jax.classify import Network
from rustseg_jax.config import CLEAN, CORROSION
from rustseg_jax.errors import ConfigError

__all__ = ["Calibration", "calibrate", "shift_head", "shift_map"]

TEMPERATURES = (0.05, 20.0)  # bounds: classes that separate would otherwise drive it to 0
OFFSETS = (-10.0, 10.0)  # of the log odds; beyond, every verdict would be the same


class Calibration(NamedTuple):
    """P(corrosion) = sigmoid((margin + shift) / temperature), margin = corrosion - clean."""

    temperature: float
    shift: float


def calibrate(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Fit temperature and shift with the least cross entropy.

    Parameters
    ----------
    logits : (N, 2), clean and corrosion
    labels : (N,) 0 or 1

    Returns
    -------
    `Calibration`; the shift is in the unit of the logits
    """
    margin = logits[:, CORROSION].astype(np.float64) - logits[:, CLEAN]
    sign = np.where(labels == CORROSION, 1.0, -1.0)

    def loss(at: np.ndarray) -> float:
        return float(np.logaddexp(0, -sign * (margin * np.exp(at[0]) + at[1])).mean())

    low, high = (-np.log(t) for t in TEMPERATURES)
    best = minimize(loss, [0.0, 0.0], bounds=[(high, low), OFFSETS], method="L-BFGS-B").x
    temperature = float(np.exp(-best[0]))
    return Calibration(temperature, float(best[1]) * temperature)


def shift_head(network: Network, shift: float) -> None:
    """Move the head, in place, so that the margin of every picture rises by the shift.

    A "context" head has an offset for it, which leaves the score map alone. Else the bias
    moves: exact for both poolings, as each is shifted by what its scores are shifted by.
    """
    if network.config.pooling == "context":
        network.head_offset[...] = network.head_offset[...] + np.float32(shift)
        return
    _shift_bias(network, shift)


def shift_map(network: Network, shift: float) -> None:
    """Move the log odds of the score map, in place, and leave every verdict as it is.

    What the bias adds to each position's evidence comes through the pooling unchanged, so
    the offset of the "context" head takes it off the logits again.

    Raises
    ------
    ConfigError
        The head is another one: its map cannot move without its verdicts.
    """
    if network.config.pooling != "context":
        raise ConfigError(
            f"pooling is {network.config.pooling!r}; the map moves alone with 'context' only"
        )
    _shift_bias(network, shift)
    network.head_offset[...] = network.head_offset[...] - np.float32(shift)


def _shift_bias(network: Network, shift: float) -> None:
    half = np.zeros(2, np.float32)
    half[CLEAN], half[CORROSION] = -shift / 2, shift / 2
    bias: nnx.Param = network.head_bias
    bias[...] = bias[...] + half
