"""The words of the stage-by-stage view, as data that the page and the figure share.

`steps.steps` fills a photo's numbers in. Plain words in plain characters: the
figure's font knows few others. Formulas are LaTeX.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["FORMULAS", "METHODS", "SHORT_TITLES", "STAGES", "STEPS", "TEXTS", "Text"]

STEPS = ("seen", "blocks", "scores", "heatmap", "threshold", "unary", "crf", "mask", "truth")
"""Names of the steps in the order of the method; a link may carry them."""

STAGES: Mapping[str, str] = MappingProxyType(
    {
        "grid": "the coarse grid of the heat map",
        "heatmap": "the heat map",
        "threshold": "the threshold",
        "crf": "the CRF",
        "verdict": "the verdict",
    }
)
"""Stages of `Truth` in words."""

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
        "truth": "Truth",
    }
)
"""Names of the steps in a word or two, for a row of them."""


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
            "The photo, {width} x {height} pixels, is squashed to a square of {side} x {side}. "
            "The network sees nothing else{windows}.",
            "One size for every photo: one network, and results that compare.",
            "One pixel here stands for {across} x {down} of the photo. Rust smaller than that is "
            "gone, and a long photo is distorted.",
        ),
        "blocks": Text(
            "What the five blocks respond to",
            "Five blocks of two 3x3 convolutions make ever coarser and richer maps. Shown are "
            "the {shown} channels of each that weigh most in this verdict. In the last block "
            "the first one speaks {side} corrosion: {weight}, where the margin is {margin}.",
            "The first block sees {first} pixels at a time, edges and colours; the last one "
            "{last}, whole textures. Rust is told by both together.",
            "A channel is a pattern, not a thing: bright does not mean rust. Brick, leaves and "
            "timber excite the same channels. Weights are first-order estimates.",
            r"w_c = \sum_{ij} A_{ijc}\,\frac{\partial m}{\partial A_{ijc}}",
        ),
        "scores": Text(
            "The verdict",
            "Two scores, clean {clean} and corrosion {corrosion}, differ by the margin {margin}."
            "{windows} Divided by the temperature {temperature} it gives P(corrosion) = {p}. "
            "That is {place} the decision threshold of {limit}: {verdict}.",
            "The temperature was fitted on held-back photos, so that the probability can be "
            "taken at its word. The threshold is low: missed rust costs more than a false alarm.",
            "A photo unlike those of the training can be judged wrongly and surely. Where this "
            "stage errs, nothing after it can help: no corrosion means no mask.",
            r"P = \frac{1}{1 + e^{-m / T}}, \quad m = z_\mathrm{corrosion} - z_\mathrm{clean}",
        ),
        "heatmap": Text(
            "The heat map",
            "{rows} x {columns} positions, each with {method}. The hottest has {peak}, "
            "half of them are below {median}.",
            "Nobody ever showed the network a mask. Asked position by position, its own verdict "
            "says where it comes from.",
            "A position is {cell} pixels of the photo wide: thin rust blurs. The map marks what "
            "convinced the network, which may be a part of the rust, or what is often near it.",
        ),
        "threshold": Text(
            "Threshold and rough mask",
            "Cut at {threshold} ({rule}; Otsu's would be {otsu}, the fixed one {fixed}), "
            "{above} of the positions remain. Enlarged to the photo they are the rough mask, "
            "{rough} of the picture.",
            "Where the heat has two humps, rust and the rest, the cut belongs between them. "
            "Where it has one, a fixed value is safer.",
            "Too low, and clean parts come in; too high, and only the core stays. Otsu's rule "
            "splits noise as gladly as rust.",
            r"t = v + \mathrm{clip}\!\left(\frac{\eta - 2/\pi}{1 - 2/\pi}, 0, 1\right)(o - v)",
        ),
        "unary": Text(
            "What the CRF is told",
            "Heat becomes evidence: 50 % exactly at the threshold, 5 % at heat 0, 95 % at heat "
            "1. In this photo it runs from {low} to {high}; {unsure} of the picture lies "
            "between 30 and 70 %.",
            "The CRF weighs this against colour. Where the evidence is near one half, colour "
            "decides.",
            "A heat map that is sure and wrong is hard to overrule; one that is lukewarm "
            "everywhere leaves all to colour.",
            r"p = \frac{1}{2} + 0.45 \cdot \begin{cases} h/t - 1 & h < t \\ "
            r"(h - t)/(1 - t) & h \geq t \end{cases}",
        ),
        "crf": Text(
            "The mask, update by update",
            "In {updates} updates every pixel hears its neighbours ({near} pixels) and what "
            "looks alike ({far} pixels, {levels} of 255 levels of colour). The area goes from "
            "{first} to {last} of the picture; the last update moved {moved}.",
            "A heat map knows no edges. The CRF moves its border to where the colour changes.",
            "Small rust on a wide even surface is outvoted and may vanish. Clean parts in the "
            "colour of rust come in. More updates go on shrinking what is small.",
            r"\log\frac{q_i}{1 - q_i} = \log\frac{p_i}{1 - p_i} + \sum_j k_{ij} (2 q_j - 1)",
        ),
        "mask": Text(
            "Mask and overlay",
            "Rust is where the CRF ends at one half or more: {area} of the picture{reason}.",
            "A mask can be measured, compared with last year's, and corrected by an expert.",
            "The share is of the picture, not of the steel. A clean outline looks sure even "
            "where the stages before were not.",
        ),
        "truth": Text(
            "Against the truth",
            "The mask has IoU {iou} with the true one: {missed} of the true rust is missed, "
            "{extra} of the mask is none. {worst}",
            "Each stage is judged with what comes after it left out, so that the loss is "
            "laid to the stage that made it.",
            "The losses add up, but stages interact: a better heat map would want another "
            "threshold. True masks have errors, too, most of all along borders.",
            r"\mathrm{IoU} = \frac{|M \cap T|}{|M \cup T|}",
        ),
    }
)
"""Templates by step; the names in braces are those that `steps` fills in."""

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "score_map": "the probability of corrosion there, by itself",
        "grad_cam": "Grad-CAM, over its maximum",
        "grad_cam_pp": "Grad-CAM++, over its maximum",
    }
)
"""What a position of a heat map holds, by the method of `LocaliseConfig`."""

FORMULAS: Mapping[str, str] = MappingProxyType(
    {
        "score_map": r"H_{ij} = \mathrm{softmax}(W^\top A_{ij} + b)_\mathrm{corrosion}",
        "grad_cam": r"H = \mathrm{relu}\Big(\sum_c A_c \, \mathrm{mean}_{ij} "
        r"\frac{\partial S}{\partial A_{ijc}}\Big)",
        "grad_cam_pp": r"H = \mathrm{relu}\Big(\sum_c A_c \sum_{ij} \alpha_{ijc} \, \mathrm{relu} "
        r"\frac{\partial S}{\partial A_{ijc}}\Big)",
    }
)
"""LaTeX of a heat map, by its method."""
