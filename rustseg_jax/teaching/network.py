"""The network on one photo: its input, its most important channels, its scores.

The network runs once; for the channel weights only the layers after a block run again. Everything
refers to the forward pass at the network's input size, which the heat map is computed from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from rustseg_jax import images
from rustseg_jax.classify import Classifier, Output, rescale
from rustseg_jax.classify.kernels.convolution import conv3x3, max_pool
from rustseg_jax.classify.network import head_logits
from rustseg_jax.config import CLEAN, CORROSION, NetworkConfig
from rustseg_jax.errors import ConfigError
from rustseg_jax.result import Segmentation
from rustseg_jax.tiling.windows import agree

__all__ = ["CHANNELS", "Block", "Channel", "Inside", "Scores", "look_inside", "receptive_field"]

CHANNELS = 4
"""Channels to show per block: two by two, which still fits a phone."""


@dataclass(frozen=True, eq=False)
class Channel:
    """The response of one channel of a block to this photo.

    Attributes
    ----------
    index : index of the channel, from 0
    weight : see `Block`; in units of the margin, positive for corrosion
    share : its share of the sum of the absolute weights of the block's channels, in [0, 1]
    picture : (h, w) float32 in [0, 1], the activation divided by `scale`, at its own resolution
    scale : largest activation of the channel, in the network's units; 0 if it is inactive
    """

    index: int
    weight: float
    share: float
    picture: NDArray[np.float32] = field(repr=False)
    scale: float


@dataclass(frozen=True, eq=False)
class Block:
    """One of the five blocks: two convolutions, before the pooling that follows.

    The weight of a channel is ``sum_ij A_ij dm/dA_ij``, activation times gradient, with
    ``m`` the margin (logit of corrosion minus that of clean): to first order, the amount by which
    the margin would drop without the channel. In the last block of a network that averages
    positions this is exact, and the weights add up to the margin without its bias; in earlier
    blocks it is an estimate, because the following layers are not linear.

    Attributes
    ----------
    number : 1 to 5
    shape : (h, w) of its channels
    channels : number of channels
    silent : number of channels that are zero everywhere in this photo
    sees : side in input pixels of the area that affects one position, `receptive_field`
    shown : channels with the largest absolute weight, in descending order
    weights : (channels,) float32, of all channels

    References
    ----------
    Shrikumar et al., "Not just a black box: learning important features through propagating
    activation differences", 2016 (gradient times input); Draelos and Carin, "Use HiResCAM
    instead of Grad-CAM", 2020 (at the activations of a layer).
    """

    number: int
    shape: tuple[int, int]
    channels: int
    silent: int
    sees: int
    shown: tuple[Channel, ...]
    weights: NDArray[np.float32] = field(repr=False)


@dataclass(frozen=True)
class Scores:
    """From the two logits to the verdict.

    The probability is ``1 / (1 + exp(-margin / temperature))``.

    Attributes
    ----------
    logits : of clean and of corrosion, the mean over `sizes`
    margin : logit of corrosion minus that of clean, of the photo as a whole
    sizes : input sizes in pixels at which the whole photo was classified
    margins : the margin at each size; their mean is `margin`
    windows : margin of the windows of a large photo; None if it was analysed as a whole
    final : the margin used for the verdict: `margin`, or its mean with `windows`
    temperature : divisor of the margin, fitted on held-out photos to calibrate the probability
    probability : calibrated P(corrosion) in [0, 1]
    decision_threshold : the photo counts as corroded at this probability or above
    tipping : margin at the decision threshold; infinite for a threshold of 0 or 1
    corroded : the verdict
    """

    logits: tuple[float, float]
    margin: float
    sizes: tuple[int, ...]
    margins: tuple[float, ...]
    windows: float | None
    final: float
    temperature: float
    probability: float
    decision_threshold: float
    tipping: float
    corroded: bool


@dataclass(frozen=True, eq=False)
class Inside:
    """Input, activations and scores of the network for one photo.

    Attributes
    ----------
    seen : (S, S, 3) uint8, the photo resized to the network's input
    blocks : five, from fine to coarse
    scores : from logits to verdict
    output : output of the network for this photo, a batch of one; other heat maps can be computed
        from it without running the network again
    """

    seen: NDArray[np.uint8] = field(repr=False)
    blocks: tuple[Block, ...]
    scores: Scores
    output: Output = field(repr=False)

    @property
    def x(self) -> jax.Array:
        """(1, S, S, 3) float32 in [0, 1]: `seen` as network input."""
        return _pixels(self.seen)


def look_inside(seg: Segmentation, model: Classifier, *, channels: int = CHANNELS) -> Inside:
    """Run the network on a photo again and record its activations.

    Parameters
    ----------
    seg : a result
    model : the model that computed it
    channels : number of channels to show per block; all if a block has fewer

    Returns
    -------
    `Inside`

    Raises
    ------
    ConfigError
        The result was computed with other weights, or `channels` is below 1.
    """
    if channels < 1:
        raise ConfigError(f"channels is {channels}; it must be at least 1")
    if dict(seg.model) != model.describe():
        raise ConfigError(
            f"the result was computed with {_name(seg.model)}, but the model has "
            f"{_name(model.describe())}; use the model that computed the result"
        )
    side = model.config.input_size
    seen = images.resize(seg.image, (side, side))
    x = _pixels(seen)
    output = model(x)
    weighed = zip(output.blocks, _weigh(model.params, output.blocks, model.config), strict=True)
    blocks = tuple(
        _block(k, activations[0], np.asarray(weights), np.asarray(peaks), channels)
        for k, (activations, (weights, peaks)) in enumerate(weighed, 1)
    )
    return Inside(seen, blocks, _scores(seg, model, x, output), output)


def receptive_field(block: int) -> int:
    """Return the side in input pixels of the area that affects a position of this block, 1 to 5.

    >>> [receptive_field(k) for k in (1, 2, 3, 4, 5)]
    [5, 14, 32, 68, 140]
    """
    size, step = 1, 1
    for k in range(block):
        if k:
            size, step = size + step, 2 * step  # 2x2 pooling
        size += 2 * 2 * step  # two 3x3 convolutions
    return size


def _pixels(seen: NDArray[np.uint8]) -> jax.Array:
    return jnp.asarray(seen.astype(np.float32)[None] / np.float32(255))


def _name(about: Any) -> str:
    return f"weights {str(about.get('digest', ''))[:12] or 'without a file'}"


def _after(convs: Sequence[dict[str, jax.Array]], activations: jax.Array) -> jax.Array:
    """Compute the activations of the next block."""
    h = max_pool(activations)
    for conv in convs:
        h = conv3x3(h, conv["kernel"], conv["bias"], relu=True)
    return h


def _weights_and_peaks(
    params: dict[str, Any], blocks: tuple[jax.Array, ...], config: NetworkConfig
) -> tuple[tuple[jax.Array, jax.Array], ...]:
    """Weight and largest activation of each channel of each block, (C,) both."""

    def margin(activations: jax.Array) -> jax.Array:
        logits = head_logits(params["head"], activations, config)
        return (logits[:, CORROSION] - logits[:, CLEAN]).sum()

    gradients = [jax.grad(margin)(blocks[-1])]
    for k in range(len(blocks) - 2, -1, -1):
        convs = params["convs"][2 * k + 2 : 2 * k + 4]
        _, pull_back = jax.vjp(partial(_after, convs), blocks[k])
        gradients += pull_back(gradients[-1])
    return tuple(
        ((a * g).sum((0, 1, 2)), a.max((0, 1, 2)))
        for a, g in zip(blocks, reversed(gradients), strict=True)
    )


_weigh = jax.jit(_weights_and_peaks, static_argnums=2)


def _block(
    number: int,
    activations: jax.Array,
    weights: NDArray[np.float32],
    peaks: NDArray[np.float32],
    channels: int,
) -> Block:
    """Select the channels of a block by weight; activations are (h, w, C)."""
    total = float(np.abs(weights).sum())
    order = np.argsort(-np.abs(weights), kind="stable")[:channels]
    chosen = np.asarray(activations)[..., order]
    shown = [
        Channel(
            index=int(c),
            weight=float(weights[c]),
            share=abs(float(weights[c])) / total if total else 0.0,
            picture=np.clip(picture / (peaks[c] or np.float32(1)), 0, 1),
            scale=float(peaks[c]),
        )
        for c, picture in zip(order, np.moveaxis(chosen, -1, 0), strict=True)
    ]
    return Block(
        number=number,
        shape=(activations.shape[0], activations.shape[1]),
        channels=activations.shape[2],
        silent=int((peaks == 0).sum()),
        sees=receptive_field(number),
        shown=tuple(shown),
        weights=weights,
    )


def _scores(seg: Segmentation, model: Classifier, x: jax.Array, output: Output) -> Scores:
    views = [np.asarray(rescale(x, scale)) for scale in model.config.verdict_scales]
    outputs = [output if view.shape == x.shape else model(view) for view in views]
    logits = np.array([np.asarray(o.logits[0], np.float64) for o in outputs])
    margins = logits[:, CORROSION] - logits[:, CLEAN]
    margin, windows = float(margins.mean()), None
    if seg.tiling:
        windows = float(logit(seg.tiling.windows)) * model.temperature
    clean, corrosion = logits.mean(0).tolist()
    limit = seg.config.decision_threshold
    return Scores(
        logits=(clean, corrosion),
        margin=margin,
        sizes=tuple(view.shape[1] for view in views),
        margins=tuple(margins.tolist()),
        windows=windows,
        final=margin if windows is None else agree(margin, windows),
        temperature=model.temperature,
        probability=seg.probability,
        decision_threshold=limit,
        tipping=float(logit(limit)) * model.temperature,
        corroded=seg.corroded,
    )
