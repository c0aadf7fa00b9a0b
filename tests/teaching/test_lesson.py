"""A whole lesson, and its words."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hand_made import picture, red_model

from rustseg_jax import Classifier, Config, TileConfig, resegment, segment
from rustseg_jax.teaching.lesson import teach
from rustseg_jax.teaching.texts import FORMULAS, METHODS, STEPS, TEXTS
from rustseg_jax.wording import percent

MODEL = red_model()
PHOTO = picture(rusty=True)
TRUE = (PHOTO[48, 64] == PHOTO).all(-1)
SEG = segment(PHOTO, MODEL)


def test_every_step_has_its_words_in_order() -> None:
    lesson = teach(SEG, MODEL, true=TRUE)
    assert tuple(step.name for step in lesson.steps) == STEPS
    for step in lesson.steps:
        assert step.title
        assert step.why
        assert step.wrong
        whole = " ".join((step.what, step.why, step.wrong))
        assert whole.isascii()  # the figure's font
        assert not re.search(r"[{}]|nan|inf\b|None", whole)
        assert all(step.numbers.values())
    without = teach(SEG, MODEL)
    assert tuple(step.name for step in without.steps) == STEPS[:-1]


def test_this_photos_numbers_are_in_the_words() -> None:
    lesson = teach(SEG, MODEL, true=TRUE)
    words = {step.name: step for step in lesson.steps}
    assert "128 x 96 pixels" in words["seen"].what
    assert words["scores"].numbers["P(corrosion)"] == percent(SEG.probability, digits=0, sure=False)
    assert f"{lesson.inside.scores.margin:+.2f}" in words["scores"].what
    assert f"At the threshold {SEG.threshold:.2f} (dynamic rule" in words["threshold"].what
    assert f"In each of {lesson.crf.updates} updates" in words["crf"].what if lesson.crf else False
    assert percent(float(SEG.mask.mean())) in words["mask"].what
    assert lesson.truth is not None
    assert f"true mask is {lesson.truth.stages['verdict'].iou:.2f}:" in words["truth"].what


def test_no_corrosion_says_why_the_rest_did_not_run() -> None:
    seg = segment(picture(rusty=False), MODEL)
    lesson = teach(seg, MODEL)
    assert lesson.crf is None
    words = {step.name: step.what for step in lesson.steps}
    assert words["unary"] == words["crf"] == f"Not run: {seg.reason}."
    assert "0.0 % of the photo (the classifier finds no corrosion)" in words["mask"]
    assert "no corrosion." in words["scores"]


def test_windows_are_told_of() -> None:
    seg = segment(PHOTO, MODEL, Config(tiles=TileConfig(mode="tiles", window=64)))
    words = {step.name: step.what for step in teach(seg, MODEL).steps}
    assert seg.tiling is not None
    assert f"apart from {seg.tiling.plan.windows} tiles of 64 pixels" in words["seen"]
    assert "The margin of the tiles is" in words["scores"]


def test_a_threshold_by_hand_has_no_formula() -> None:
    words = {step.name: step for step in teach(SEG, MODEL).steps}
    assert words["threshold"].formula == TEXTS["threshold"].formula
    assert words["heatmap"].formula == FORMULAS["score_map"]
    cut = {step.name: step for step in teach(resegment(SEG, threshold=0.2), MODEL).steps}
    assert cut["threshold"].formula == ""
    assert "At the threshold 0.20 (set by hand" in cut["threshold"].what
    assert set(METHODS) == set(FORMULAS)


def test_the_network_does_not_run_again_for_another_threshold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inside = teach(SEG, MODEL).inside

    def never(*_: object) -> None:
        raise AssertionError("the network ran again")

    monkeypatch.setattr(Classifier, "__call__", never)
    other = resegment(SEG, threshold=0.2)
    lesson = teach(other, MODEL, inside=inside)
    assert lesson.inside is inside
    assert lesson.histogram.threshold == 0.2
    assert lesson.crf is not None
    np.testing.assert_array_equal(lesson.crf.mask(lesson.crf.updates), other.mask)
