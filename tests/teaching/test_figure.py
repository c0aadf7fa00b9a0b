"""Pictures of a lesson, and the figure of all."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hand_made import picture, red_model
from PIL import Image

from rustseg_jax import ConfigError, segment
from rustseg_jax.drawing.difference import (
    DIFFERENCE_COLOURS,
    Difference,
    difference_picture,
    enlarge,
)
from rustseg_jax.drawing.overlay import MASK_COLOUR
from rustseg_jax.teaching.figure import figure, figure_bytes, histogram_picture, pictures
from rustseg_jax.teaching.lesson import Lesson, teach

MODEL = red_model()


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    photo = picture(rusty=True)
    return teach(segment(photo, MODEL), MODEL, true=(photo == photo[48, 64]).all(-1))


def test_enlarging_repeats_pixels() -> None:
    small = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = enlarge(small, 7)  # 3 times fits, 4 does not
    assert large.shape == (6, 6, 3)
    np.testing.assert_array_equal(large[::3, ::3], small)
    np.testing.assert_array_equal(large[1::3, 2::3], small)
    np.testing.assert_array_equal(enlarge(small, 1), small)


def test_a_difference_by_hand() -> None:
    photo = np.full((1, 4, 3), 100, np.uint8)
    parts = np.eye(3, 4, dtype=bool)[:, None]
    drawn = difference_picture(photo, Difference("crf", 0.3, 0.1, *parts))
    for k, colour in enumerate([MASK_COLOUR, *list(DIFFERENCE_COLOURS.values())[1:]]):
        np.testing.assert_allclose(drawn[0, k], 35 + 0.65 * np.array(colour), atol=1)
    assert drawn[0, 3].tolist() == [100, 100, 100]


def test_every_step_is_drawn(lesson: Lesson) -> None:
    drawn = pictures(lesson, side=96)
    assert list(drawn) == [step.name for step in lesson.steps]
    assert len(drawn["blocks"]) == 5
    assert lesson.crf is not None
    assert len(drawn["crf"]) == lesson.crf.updates + 1
    assert [p.name for p in drawn["truth"]] == ["grid", "heatmap", "threshold", "crf", "verdict"]
    for part in (p for parts in drawn.values() for p in parts):
        assert part.image.dtype == np.uint8
        assert part.image.ndim == 3
        assert part.caption


def test_the_threshold_stands_where_it_belongs(lesson: Lesson) -> None:
    found = replace(lesson.histogram, threshold=0.25)
    drawn = histogram_picture(found, size=(90, 220))  # text 10: the axis is from 10 to 210
    red = (drawn == (200, 60, 0)).all(-1)[20:60].any(0)
    assert abs(np.flatnonzero(red).mean() - (10 + 0.25 * 200)) <= 1


def test_figure_as_files(lesson: Lesson) -> None:
    sheet = figure(lesson, title="A title")
    png = figure_bytes(lesson, title="A title")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), sheet)
    assert sheet.shape[0] > figure(lesson).shape[0]
    pdf = figure_bytes(lesson, form="pdf")
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")


def test_a_photo_without_corrosion_has_a_figure_too() -> None:
    seg = segment(picture(rusty=False), MODEL)
    lesson = teach(seg, MODEL)
    drawn = pictures(lesson)
    assert drawn["crf"] == drawn["unary"] == ()
    assert figure(lesson).shape[1] == 2200


def test_refusals(lesson: Lesson) -> None:
    with pytest.raises(ConfigError, match="side is 10"):
        pictures(lesson, side=10)
    with pytest.raises(ConfigError, match="form is 'svg'"):
        figure_bytes(lesson, form="svg")
