"""One photo, stage by stage: everything that the teaching pages show, from a finished result.

>>> from rustseg_jax import teaching                       # doctest: +SKIP
>>> lesson = teaching.teach(seg, model)                    # doctest: +SKIP
>>> [step.title for step in lesson.steps]                  # doctest: +SKIP

The parts: `network` (network input, channels, scores), `mask` (threshold, CRF step by step, the
true mask), `alternatives` (other heat maps, thresholds and CRF parameters), `texts` and `steps`
(the explanations), `views` (the images), `figure` (all on one sheet).
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
    """All stages of one photo.

    Attributes
    ----------
    seg : the result
    inside : network input, responses of the blocks, and scores
    histogram : histogram of the heat map, with the threshold
    crf : evidence, and posterior after each update; None if the CRF was not run
    truth : loss of each stage; None if the true mask is not known
    steps : explanations of the steps, in order
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
    """Explain a finished result, stage by stage.

    Parameters
    ----------
    seg : a result of `segment` or `resegment`
    model : the model that computed it
    true : (H, W) bool, the true mask at the photo's size, if known
    channels : number of channels to show per block
    inside : `Inside` of an earlier lesson on the same photo, for example when only threshold or CRF
        changed; the network is then not run again

    Returns
    -------
    `Lesson`

    Raises
    ------
    ConfigError
        The result was computed with other weights, `channels` is below 1, or the true mask is not
        bool or does not have the photo's size.
    """
    inside = inside or look_inside(seg, model, channels=channels)
    heat, crf = histogram(seg), crf_steps(seg)
    truth = None if true is None else compare_with_truth(seg, true)
    return Lesson(seg, inside, heat, crf, truth, steps(seg, inside, heat, crf, truth))
