"""Small SVG drawings of a lesson: histogram, verdict, losses.

Colours are CSS classes, so that a page applies its own theme: `ink` and `soft` text, `axis` lines,
`bar` and `strong` areas, `mark` for the main value, `loss` for losses. Text is 17 units high in a
drawing 520 wide, which is still readable on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from rustseg_jax.drawing.overlay import heat_colours
from rustseg_jax.teaching.mask import Histogram, Truth
from rustseg_jax.teaching.network import Scores
from rustseg_jax.wording import percent, setting

__all__ = ["STAGE_LABELS", "draw_histogram", "draw_losses", "draw_scores"]

WIDTH = 520

STAGE_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "grid": "Coarse grid",
        "heatmap": "Heat map",
        "threshold": "Threshold",
        "crf": "CRF",
        "verdict": "Verdict",
    }
)
"""Short labels of the stages of `Truth`."""

_LEFT, _RIGHT = 24, WIDTH - 24
_GRADIENT = 16  # stops of the colour bar below a histogram


def draw_histogram(heat: Histogram) -> str:
    """Draw the histogram of the heat with the threshold, on a square-root scale.

    Parameters
    ----------
    heat : histogram of a heat map

    Returns
    -------
    SVG, 520 x 300
    """
    floor, top = 232, 46
    most = math.sqrt(max(1, int(heat.counts.max())))
    bars = []
    for low, high, count in zip(heat.edges, heat.edges[1:], heat.counts, strict=False):
        if count:
            tall = max(2.0, math.sqrt(count) / most * (floor - top))
            kind = "strong" if low >= heat.threshold - 1e-9 else "bar"
            bars.append(_box(kind, _at(low) + 0.5, floor - tall, _at(high) - _at(low) - 1, tall))
    at = _at(heat.threshold)
    stops = heat_colours(np.linspace(0, 1, _GRADIENT, dtype=np.float32)[None])[0]
    colour = "".join(
        f'<stop offset="{k / (_GRADIENT - 1):.3f}" stop-color="rgb({r},{g},{b})"/>'
        for k, (r, g, b) in enumerate(stops.tolist())
    )
    others = [
        _line("tick", _at(value), floor, _at(value), floor + 17) for value in heat.by_rule.values()
    ]
    return _svg(
        300,
        f'<defs><linearGradient id="heat">{colour}</linearGradient></defs>',
        *bars,
        f'<rect fill="url(#heat)" x="{_LEFT}" y="{floor}" width="{_RIGHT - _LEFT}" height="12"/>',
        *others,
        _line("mark", at, top - 14, at, floor + 12),
        _text("mark", at, top - 20, f"threshold {heat.threshold:.2f}", _anchor(heat.threshold)),
        _text("soft", _LEFT, floor + 34, "0"),
        _text("soft", WIDTH / 2, floor + 34, "heat", "middle"),
        _text("soft", _RIGHT, floor + 34, "1", "end"),
        _text("soft", _LEFT, floor + 58, _rules(heat)),
    )


def _rules(heat: Histogram) -> str:
    values = ", ".join(f"{rule} {value:.2f}" for rule, value in heat.by_rule.items())
    return f"Rules: {values}"


def draw_scores(scores: Scores) -> str:
    """Draw the probability over the margin, with this photo as a point on the curve.

    Parameters
    ----------
    scores : scores of a photo

    Returns
    -------
    SVG, 520 x 310
    """
    floor, top = 240, 36
    reach = max(6 * scores.temperature, 1.15 * max(abs(m) for m in (*scores.margins, scores.final)))

    def x(margin: float) -> float:
        share = min(1.0, max(0.0, 0.5 + margin / (2 * reach)))
        return _LEFT + share * (_RIGHT - _LEFT)

    def y(p: float) -> float:
        return floor - p * (floor - top)

    steps = [reach * (k / 40 - 1) for k in range(81)]
    curve = " ".join(f"{x(m):.1f},{y(_sigmoid(m / scores.temperature)):.1f}" for m in steps)
    limit = y(scores.decision_threshold)
    parts = []
    if math.isfinite(scores.tipping):
        tip = x(scores.tipping)
        parts = [
            _box("corroded", tip, top, _RIGHT - tip, floor - top),
            _line("tick", tip, top, tip, floor),
            _text("soft", tip - 8, top + 14, "no corrosion", "end"),
            _text("soft", tip + 8, top + 14, "corrosion"),
        ]
    here = x(scores.final), y(scores.probability)
    side = "end" if here[0] > WIDTH / 2 else "start"
    shift = -12 if side == "end" else 12
    likely = percent(scores.probability, digits=0, sure=False)
    below = min(floor - 10, max(top + 44, here[1] + 24))
    sizes = ", ".join(
        f"{size}: {margin:+.1f}" for size, margin in zip(scores.sizes, scores.margins, strict=True)
    )
    return _svg(
        310,
        *parts,
        _line("axis", _LEFT, floor, _RIGHT, floor),
        _line("axis", _LEFT, limit, _RIGHT, limit, dashed=True),
        _text(
            "soft", _LEFT, limit - 6, f"reported at {setting(scores.decision_threshold)} or above"
        ),
        f'<polyline class="curve" points="{curve}"/>',
        *(_dot("size", x(m), floor, 5) for m in scores.margins),
        _dot("mark", *here, 8),
        _text(
            "ink",
            here[0] + shift,
            below,
            f"P = {likely}",
            side,
        ),
        _text("soft", _LEFT, floor + 26, "towards clean"),
        _text("soft", WIDTH / 2, floor + 26, "margin", "middle"),
        _text("soft", _RIGHT, floor + 26, "towards corrosion", "end"),
        _text("soft", _LEFT, floor + 52, f"Dots: margin by input size ({sizes})"),
    )


def draw_losses(truth: Truth) -> str:
    """Draw the IoU after each stage, and its loss relative to the stage before.

    Parameters
    ----------
    truth : stages of a photo

    Returns
    -------
    SVG, 520 wide, 34 for each stage
    """
    left, right, high = 118, WIDTH - 64, 34
    rows, before = [], 1.0
    for k, (name, stage) in enumerate(truth.stages.items()):
        top = 8 + k * high
        span = right - left
        rows += [
            _text("ink" if name == truth.worst else "soft", 0, top + 17, STAGE_LABELS[name]),
            _box("bar", left, top, span * stage.iou, 22),
        ]
        if stage.lost > 0:
            kind = "loss worst" if name == truth.worst else "loss"
            rows += [_box(kind, left + span * stage.iou, top, span * (before - stage.iou), 22)]
        rows += [_text("ink", right + 10, top + 17, f"{stage.iou:.2f}")]
        before = stage.iou
    return _svg(16 + high * len(truth.stages), *rows)


def _svg(height: float, *parts: str) -> str:
    body = "".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}">{body}</svg>'


def _at(heat: float) -> float:
    return _LEFT + heat * (_RIGHT - _LEFT)


def _anchor(share: float) -> str:
    return "start" if share < 0.15 else "end" if share > 0.85 else "middle"


def _box(kind: str, x: float, y: float, width: float, height: float) -> str:
    size = f'width="{max(0.0, width):.1f}" height="{max(0.0, height):.1f}"'
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size}/>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float, *, dashed: bool = False) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line class="{kind}{" dashed" if dashed else ""}" {ends}/>'


def _dot(kind: str, x: float, y: float, radius: float) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'


def _text(kind: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0
