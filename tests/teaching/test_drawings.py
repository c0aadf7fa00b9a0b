"""Vector drawings: well-formed, at the places that the numbers say, in classes the page colours."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hand_made import picture, red_model

from rustseg_jax import segment
from rustseg_jax.teaching.drawings import draw_histogram, draw_losses, draw_scores
from rustseg_jax.teaching.mask import compare_with_truth, histogram
from rustseg_jax.teaching.network import look_inside

ROOT = Path(__file__).resolve().parents[2]
MODEL = red_model()
SEG = segment(picture(rusty=True), MODEL)
TRUE = np.zeros((96, 128), bool)
TRUE[24:72, 32:96] = True
SCORES = look_inside(SEG, MODEL).scores


def _parts(svg: str, tag: str, kind: str = "") -> list[ElementTree.Element]:
    root = ElementTree.fromstring(svg)
    found = root.iter(f"{{http://www.w3.org/2000/svg}}{tag}")
    return [part for part in found if kind in part.get("class", "").split() or not kind]


def _words(svg: str) -> str:
    return " | ".join(part.text or "" for part in _parts(svg, "text"))


def test_a_histogram_shows_what_is_above_the_cut() -> None:
    found = histogram(SEG)
    svg = draw_histogram(found)
    filled = [low for low, count in zip(found.edges, found.counts, strict=False) if count]
    assert len(_parts(svg, "rect", "strong")) == sum(
        low >= found.threshold - 1e-9 for low in filled
    )
    assert len(_parts(svg, "rect", "bar")) == sum(low < found.threshold - 1e-9 for low in filled)
    [mark] = _parts(svg, "line", "mark")
    assert float(mark.get("x1", 0)) == pytest.approx(24 + 472 * found.threshold, abs=0.1)
    assert f"threshold {found.threshold:.2f}" in _words(svg)
    assert "otsu" in _words(svg)


@pytest.mark.parametrize("cut", [0.01, 1.0])
def test_a_cut_at_an_end_stays_in_the_picture(cut: float) -> None:
    [label] = _parts(draw_histogram(replace(histogram(SEG), threshold=cut)), "text", "mark")
    assert label.get("text-anchor") == ("start" if cut < 0.5 else "end")


def test_the_photo_lies_on_the_curve() -> None:
    svg = draw_scores(SCORES)
    [point] = _parts(svg, "circle", "mark")
    assert float(point.get("cy", 0)) == pytest.approx(240 - 204 * SCORES.probability, abs=0.1)
    assert len(_parts(svg, "circle", "size")) == len(SCORES.sizes)
    points = _parts(svg, "polyline", "curve")[0].get("points", "").split()
    heights = [float(p.split(",")[1]) for p in points]
    assert heights == sorted(heights, reverse=True)  # upwards: y counts down
    assert "reported at 30 % or above" in _words(svg)


@pytest.mark.parametrize("margin", [-90.0, 0.0, 90.0])
def test_any_margin_stays_in_the_picture(margin: float) -> None:
    p = 1 / (1 + math.exp(-margin))
    scores = replace(SCORES, margins=(margin,), sizes=(64,), final=margin, probability=p)
    for part in _parts(draw_scores(scores), "circle"):
        assert 0 <= float(part.get("cx", -1)) <= 520
        assert 0 <= float(part.get("cy", -1)) <= 310
    certain = draw_scores(scores)
    assert "P = 100 %" not in _words(certain)
    assert "P = 0 %" not in _words(certain)


def test_without_a_tipping_point_there_is_no_border() -> None:
    never = replace(SCORES, tipping=math.inf, decision_threshold=1.0)
    assert not _parts(draw_scores(never), "rect", "corroded")


def test_losses_join_to_a_whole() -> None:
    truth = compare_with_truth(SEG, TRUE)
    svg = draw_losses(truth)
    widths = [float(r.get("width", 0)) for r in _parts(svg, "rect", "bar")]
    span = 520 - 64 - 118
    assert widths == pytest.approx([span * s.iou for s in truth.stages.values()], abs=0.1)
    lost = [s for s in truth.stages.values() if s.lost > 0]
    assert len(_parts(svg, "rect", "loss")) == len(lost)
    assert len(_parts(svg, "rect", "worst")) == (1 if truth.worst else 0)


def test_every_class_has_a_colour() -> None:
    css = (ROOT / "pages/components/teach/drawing.css").read_text(encoding="utf-8")
    truth = compare_with_truth(SEG, TRUE)
    svg = draw_histogram(histogram(SEG)) + draw_scores(SCORES) + draw_losses(truth)
    used = {name for names in re.findall(r'class="([^"]+)"', svg) for name in names.split()}
    assert used <= set(re.findall(r"\.([a-z]+)", css)) | {"ink"}
