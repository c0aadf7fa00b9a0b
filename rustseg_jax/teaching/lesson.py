"""One photo, stage by stage: everything that a teaching view shows, from a finished result.

>>> from rustseg_jax import teaching                       # doctest: +SKIP
>>> lesson = teaching.teach(seg, model)                    # doctest: +SKIP
>>> [step.title for step in lesson.steps]                  # doctest: +SKIP

The parts, beside this module: `network` (what the network sees, channels, scores), `mask`
(threshold, CRF step by step, the true mask), `alternatives` (the photo done otherwise),
`texts` and `steps` (the words), `views` (the pictures), `figure` (all on one sheet).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rustseg_jax.classify import Classifier
from rustseg_jax.drawing.difference import Difference
from rustseg_jax.result import Segmentation
from rustseg_jax.teaching.alternatives import (
    Alternative,
    crf_alternatives,
    faithfulness,
    heat_alternatives,
    threshold_alternatives,
)
from rustseg_jax.teaching.mask import (
    CRFSteps,
    Histogram,
    Truth,
    compare_with_truth,
    crf_steps,
    histogram,
)
from rustseg_jax.teaching.network import CHANNELS, Block, Channel, Inside, Scores, look_inside
from rustseg_jax.teaching.steps import Step, steps
from rustseg_jax.teaching.texts import STAGES, STEPS

__all__ = [
    "STAGES",
    "STEPS",
    "Alternative",
    "Block",
    "CRFSteps",
    "Channel",
    "Difference",
    "Histogram",
    "Inside",
    "Lesson",
    "Scores",
    "Step",
    "Truth",
    "compare_with_truth",
    "crf_alternatives",
    "crf_steps",
    "faithfulness",
    "heat_alternatives",
    "histogram",
    "look_inside",
    "teach",
    "threshold_alternatives",
]


@dataclass(frozen=True, eq=False)
class Lesson:
    """The whole way of one photo.

    Attributes
    ----------
    seg : the result
    inside : what the network sees, what its blocks respond to, how it scores
    histogram : of the heat map, with the threshold
    crf : evidence and posterior after each update; None where the CRF was not run
    truth : which stage lost how much; None where the true mask is not known
    steps : the words of each step, in order
    """

    seg: Segmentation
    inside: Inside
    histogram: Histogram
    crf: CRFSteps | None
    truth: Truth | None
    steps: tuple[Step, ...]


def teach(
    seg: Segmentation,
    model: Classifier,
    *,
    true: np.ndarray | None = None,
    channels: int = CHANNELS,
    inside: Inside | None = None,
) -> Lesson:
    """Take a finished result apart, stage by stage.

    Parameters
    ----------
    seg : a result of `segment` or `resegment`
    model : what made it
    true : (H, W) bool, the true mask at the photo's size, where it is known
    channels : to show of each block
    inside : of an earlier lesson on the same photo: the network is then not run again, as
        when only threshold or CRF changed

    Returns
    -------
    `Lesson`

    Raises
    ------
    ConfigError
        The result was made by other weights, `channels` is below 1, or the true mask is not
        bool of the photo's size.
    """
    inside = inside or look_inside(seg, model, channels=channels)
    heat, crf = histogram(seg), crf_steps(seg)
    truth = None if true is None else compare_with_truth(seg, true)
    return Lesson(seg, inside, heat, crf, truth, steps(seg, inside, heat, crf, truth))
