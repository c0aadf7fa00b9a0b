"""Calibration: from logits of held-out pictures to a calibrated probability.

Training sees both classes equally often, so its prior odds differ from those of the pictures it is
evaluated on. A temperature alone cannot correct that: scale and offset are fitted together (Platt
1999), the offset goes into the head's bias, and the scale is stored as the temperature (Guo et al.
2017). The score map has its own odds: the shift caused by the weight in its loss is removed.
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

TEMPERATURES = (0.05, 20.0)  # bounds: separable classes would otherwise drive it to 0
OFFSETS = (-10.0, 10.0)  # of the log odds; beyond, all verdicts would be the same


class Calibration(NamedTuple):
    """P(corrosion) = sigmoid((margin + shift) / temperature), margin = corrosion - clean."""

    temperature: float
    shift: float


def calibrate(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Fit temperature and shift by minimising the cross entropy.

    Parameters
    ----------
    logits : (N, 2), clean and corrosion
    labels : (N,) 0 or 1

    Returns
    -------
    `Calibration`; the shift is in units of the logits
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
    """Shift the head's output in place so that the margin of every picture rises by `shift`.

    A "context" head has an offset for it, which does not affect the score map. Otherwise the bias
    is shifted: exact for both poolings, since a shift of all scores shifts the pooled score
    equally.
    """
    if network.config.pooling == "context":
        network.head_offset[...] = network.head_offset[...] + np.float32(shift)
        return
    _shift_bias(network, shift)


def shift_map(network: Network, shift: float) -> None:
    """Shift the log odds of the score map in place, leaving every verdict unchanged.

    The shift of each position's evidence passes through the pooling unchanged, so the offset of the
    "context" head subtracts it from the logits again.

    Raises
    ------
    ConfigError
        The head has another pooling: its map cannot be shifted without its verdicts.
    """
    if network.config.pooling != "context":
        raise ConfigError(
            f"pooling is {network.config.pooling!r}; to shift the map alone it must be 'context'"
        )
    _shift_bias(network, shift)
    network.head_offset[...] = network.head_offset[...] - np.float32(shift)


def _shift_bias(network: Network, shift: float) -> None:
    half = np.zeros(2, np.float32)
    half[CLEAN], half[CORROSION] = -shift / 2, shift / 2
    bias: nnx.Param = network.head_bias
    bias[...] = bias[...] + half
