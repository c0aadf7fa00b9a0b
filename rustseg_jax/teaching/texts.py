"""Explanations of the steps, as templates shared by the page and the figure.

`steps.steps` fills in the numbers of a photo. Plain characters only, because the figure's font has
few others. Formulas are LaTeX.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["FORMULAS", "METHODS", "SHORT_TITLES", "STAGES", "STEPS", "TEXTS", "Text"]

STEPS = ("seen", "blocks", "scores", "heatmap", "threshold", "unary", "crf", "mask", "truth")
"""Names of the steps in the order of the method; also used in links."""

STAGES: Mapping[str, str] = MappingProxyType(
    {
        "grid": "the coarse grid of the heat map",
        "heatmap": "the heat map",
        "threshold": "the threshold",
        "crf": "the CRF",
        "verdict": "the verdict",
    }
)
"""Stages of `Truth`, for use in a sentence."""

SHORT_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "seen": "Photo",
        "blocks": "Five blocks",
        "scores": "Verdict",
        "heatmap": "Heat map",
        "threshold": "Threshold",
        "unary": "Evidence",
        "crf": "CRF",
        "mask": "Mask",
        "truth": "True mask",
    }
)
"""Short titles of the steps, for the navigation strip."""


@dataclass(frozen=True)
class Text:
    """A template: what happens, why, what can go wrong, and the formula in LaTeX or ""."""

    title: str
    what: str
    why: str
    wrong: str
    formula: str = ""


TEXTS: Mapping[str, Text] = MappingProxyType(
    {
        "seen": Text(
            "What the network sees",
            "The photo of {width} x {height} pixels is resized to a square of {side} x {side} "
            "pixels. This is the only input of the network{windows}.",
            "With one input size, one network handles every photo and results are comparable.",
            "One pixel here stands for {across} x {down} pixels of the photo. Smaller rust spots "
            "are lost, and a long photo is distorted.",
        ),
        "blocks": Text(
            "What the five blocks respond to",
            "Five blocks of two 3x3 convolutions compute increasingly coarse and abstract maps. "
            "For each block, the {shown} channels with the largest weight in this verdict are "
            "shown. In the last block the first one counts {side} corrosion: {weight}, with a "
            "margin of {margin}.",
            "A position of the first block sees {first} pixels across: edges and colours. One of "
            "the last block sees {last} pixels: whole textures. The network needs both to "
            "recognise rust.",
            "A channel responds to a pattern, not to an object: bright does not mean rust. Brick, "
            "leaves and timber activate the same channels. The weights are first-order estimates.",
            r"w_c = \sum_{ij} A_{ijc}\,\frac{\partial m}{\partial A_{ijc}}",
        ),
        "scores": Text(
            "The verdict",
            "The scores for clean ({clean}) and corrosion ({corrosion}) differ by the margin "
            "{margin}.{windows} Divided by the temperature {temperature}, it gives P(corrosion) = "
            "{p}. That is {place} the decision threshold of {limit}: {verdict}.",
            "The temperature was fitted on held-out photos, so that the probability is calibrated. "
            "The decision threshold is low because missed rust costs more than a false alarm.",
            "The network can be wrong with high confidence about photos unlike its training "
            "images. Later stages cannot correct an error of this one: without corrosion there is "
            "no mask.",
            r"P = \frac{1}{1 + e^{-m / T}}, \quad m = z_\mathrm{corrosion} - z_\mathrm{clean}",
        ),
        "heatmap": Text(
            "The heat map",
            "{rows} x {columns} positions, each with {method}. The maximum is {peak}, the median "
            "{median}.",
            "The network was trained without masks. Evaluated at each position, its own "
            "classification shows where the evidence is.",
            "A position covers {cell} pixels of the photo, so thin rust is blurred. The map shows "
            "what convinced the network: possibly only part of the rust, or something that is "
            "often near it.",
        ),
        "threshold": Text(
            "Threshold and rough mask",
            "At the threshold {threshold} ({rule}; Otsu: {otsu}, fixed: {fixed}), {above} of the "
            "positions remain. Enlarged to the size of the photo they form the rough mask, "
            "{rough} of the photo.",
            "If the histogram of the heat has two peaks, rust and background, the threshold should "
            "lie between them. If it has one, a fixed value is safer.",
            "If the threshold is too low, clean areas are included; if it is too high, only the "
            "core of the rust remains. Otsu's rule also splits pure noise.",
            r"t = v + \mathrm{clip}\!\left(\frac{\eta - 2/\pi}{1 - 2/\pi}, 0, 1\right)(o - v)",
        ),
        "unary": Text(
            "Input of the CRF",
            "The heat is converted to evidence: 50 % at the threshold, 5 % at heat 0, 95 % at heat "
            "1. In this photo it ranges from {low} to {high}; for {unsure} of the photo it is "
            "between 30 and 70 %.",
            "The CRF combines this evidence with the colours of the photo. Where the evidence is "
            "near 50 %, colour decides.",
            "A heat map that is wrong with high confidence is hard to correct; one with medium "
            "heat everywhere leaves the decision to colour alone.",
            r"p = \frac{1}{2} + 0.45 \cdot \begin{cases} h/t - 1 & h < t \\ "
            r"(h - t)/(1 - t) & h \geq t \end{cases}",
        ),
        "crf": Text(
            "The CRF, update by update",
            "In each of {updates} updates, every pixel is influenced by its neighbours (within "
            "about {near} pixels) and by pixels of similar colour (within about {far} pixels and "
            "{levels} of 255 colour levels). The area changes from {first} to {last} of the "
            "photo; the last update changed {moved} of the pixels.",
            "A heat map does not follow edges. The CRF moves the outline to where the colour "
            "changes.",
            "Small rust spots on a large uniform surface are outvoted and may disappear. Clean "
            "areas of the same colour as rust may be included. More updates shrink small areas "
            "further.",
            r"\log\frac{q_i}{1 - q_i} = \log\frac{p_i}{1 - p_i} + \sum_j k_{ij} (2 q_j - 1)",
        ),
        "mask": Text(
            "Mask and overlay",
            "Pixels with a final CRF probability of 50 % or more are rust: {area} of the "
            "photo{reason}.",
            "A mask can be measured, compared with last year's, and corrected by an expert.",
            "The area is a share of the photo, not of the steel. A sharp outline looks certain "
            "even where the earlier stages were not.",
        ),
        "truth": Text(
            "Comparison with the true mask",
            "The IoU of the mask and the true mask is {iou}: {missed} of the true rust is missed, "
            "{extra} of the mask is not rust. {worst}",
            "Each stage is evaluated without the stages after it, so that a loss is attributed to "
            "the stage that causes it.",
            "The losses add up, but the stages interact: a better heat map would need another "
            "threshold. True masks also have errors, mostly along borders.",
            r"\mathrm{IoU} = \frac{|M \cap T|}{|M \cup T|}",
        ),
    }
)
"""Templates by step; `steps` fills in the names in braces."""

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "score_map": "its own probability of corrosion",
        "grad_cam": "its Grad-CAM value, divided by the maximum",
        "grad_cam_pp": "its Grad-CAM++ value, divided by the maximum",
    }
)
"""Value at a position of a heat map, by the method of `LocaliseConfig`."""

FORMULAS: Mapping[str, str] = MappingProxyType(
    {
        "score_map": r"H_{ij} = \mathrm{softmax}(W^\top A_{ij} + b)_\mathrm{corrosion}",
        "grad_cam": r"H = \mathrm{relu}\Big(\sum_c A_c \, \mathrm{mean}_{ij} "
        r"\frac{\partial S}{\partial A_{ijc}}\Big)",
        "grad_cam_pp": r"H = \mathrm{relu}\Big(\sum_c A_c \sum_{ij} \alpha_{ijc} \, \mathrm{relu} "
        r"\frac{\partial S}{\partial A_{ijc}}\Big)",
    }
)
"""LaTeX formula of a heat map, by its method."""
