"""A whole lesson as one figure."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hand_made import picture, red_model
from PIL import Image

from rustseg_jax import ConfigError, segment
from rustseg_jax.drawing.overlay import heat_colours
from rustseg_jax.teaching.figure import SIDE, figure, figure_bytes, histogram_picture, pictures
from rustseg_jax.teaching.lesson import Lesson, teach
from rustseg_jax.teaching.views import View, step_views

MODEL = red_model()


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    photo = picture(rusty=True)
    return teach(segment(photo, MODEL), MODEL, true=(photo == photo[48, 64]).all(-1))


def _read(view: View) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(view.data)).convert("RGB"))


def test_every_step_is_drawn_as_on_its_page(lesson: Lesson) -> None:
    for step in (step.name for step in lesson.steps):
        drawn, views = pictures(lesson, step), step_views(lesson, step, side=SIDE)
        for caption, part in drawn:
            assert caption
            assert part.dtype == np.uint8
            assert part.ndim == 3
        if step not in ("blocks", "threshold"):
            assert [caption for caption, _ in drawn] == [view.caption for view in views]
    assert pictures(lesson, "scores") == ()
    assert len(pictures(lesson, "truth")) == 5
    np.testing.assert_array_equal(
        pictures(lesson, "unary")[0][1], _read(step_views(lesson, "unary", side=SIDE)[0])
    )


def test_channels_stand_two_by_two_with_their_weights(lesson: Lesson) -> None:
    blocks = pictures(lesson, "blocks")
    assert len(blocks) == len(lesson.inside.blocks) == 5
    (caption, sheet), block = blocks[-1], lesson.inside.blocks[-1]
    assert caption.startswith(f"Block 5, {block.shape[0]} x {block.shape[1]}: ")
    assert caption.endswith(f"{block.shown[3].weight:+.2f}")
    edge = (sheet.shape[0] - 4) // 2
    assert sheet.shape == (2 * edge + 4, 2 * edge + 4, 3)
    times = edge // block.shape[0]
    np.testing.assert_array_equal(
        sheet[edge + 4 :: times, edge + 4 :: times], heat_colours(block.shown[3].picture)
    )
    assert (sheet[edge : edge + 4] == 255).all()


def test_the_threshold_stands_where_it_belongs(lesson: Lesson) -> None:
    heat = replace(lesson.histogram, threshold=0.25)
    drawn = histogram_picture(heat, size=(90, 220))  # text 10: the axis is from 10 to 210
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
    assert pictures(lesson, "crf") == pictures(lesson, "unary") == ()
    assert figure(lesson).shape[1] == 2200


def test_refusals(lesson: Lesson) -> None:
    with pytest.raises(ConfigError, match="step is 'end'"):
        pictures(lesson, "end")
    with pytest.raises(ConfigError, match="form is 'svg'"):
        figure_bytes(lesson, form="svg")
