"""The tour's words and scenes: complete, filled from results, and true of them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hand_made import patch, picture, red_model

from rustseg_jax import ConfigError, segment
from rustseg_jax.samples import list_samples
from rustseg_jax.teaching.lesson import teach
from rustseg_jax.teaching.tour import SCENES, TOUR, facts, outcome, tour_scene

MODEL = red_model()
TRUE = np.zeros((96, 128), bool)
TRUE[24:72, 32:96] = True
RUSTY = teach(segment(picture(rusty=True), MODEL), MODEL, true=TRUE)
CLEAN = teach(segment(picture(rusty=False), MODEL), MODEL)
SHOWN = {
    "mask", "labels", "truth", "looks", "scores", "heatmap", "refine", "outcomes", "links",
}  # fmt: skip


def test_every_stop_can_be_told() -> None:
    known = {sample.name for sample in list_samples()} | set(SCENES)
    assert len({stop.name for stop in TOUR}) == len(TOUR)
    assert {stop.show for stop in TOUR} == SHOWN
    for stop in TOUR:
        assert set(stop.subjects) <= known
        assert stop.subjects or stop.show == "links"
        text = stop.text.format(**facts(RUSTY))
        assert "{" not in text
        assert text.count("**") % 2 == 0
        assert len(text.split()) < 170
        assert len(stop.short) <= 13


def test_facts_are_those_of_the_photo() -> None:
    found = facts(RUSTY)
    assert found["pixels"] == "12,288"  # 96 x 128
    assert found["grid"] == "4 x 4"
    assert found["cell"] == "32"
    assert found["patches"] == "1"
    assert found["limit"] == "30 %"
    assert found["threshold"] == f"{RUSTY.seg.threshold:.2f}"
    assert re.search(r"rough mask has 0\.\d\d", found["gain"])
    assert facts(CLEAN)["gain"] == ""
    assert facts(CLEAN)["area"] == "0 %"


def test_patches_that_touch_at_corners_are_one() -> None:
    true = np.zeros((96, 128), bool)
    true[:8, :8] = true[8:16, 8:16] = True  # touch at a corner
    true[40:44, 40:44] = True
    assert facts(teach(RUSTY.seg, MODEL, true=true))["patches"] == "2"


def test_outcomes_are_called_by_their_name() -> None:
    assert outcome(CLEAN, False).startswith("**Right.**")
    doubtful = red_model(odds=2.0)  # P = 1 / (1 + e^2) where nothing is red
    unsure = teach(segment(picture(rusty=False), doubtful), doubtful)
    assert "P(corrosion) is 12 %, below 30 %" in outcome(unsure, False)
    found = outcome(RUSTY, True)
    assert found.startswith("**Found.**")
    assert "25 % of the picture is rust" in found
    alarm = outcome(RUSTY, False)
    assert alarm.startswith("**False alarm.**")
    assert f"marks {100 * RUSTY.seg.area:.0f} % of the picture" in alarm


def test_missed_rust_says_what_the_rough_mask_had() -> None:
    true = np.zeros((96, 128), bool)
    true[:32, :32] = True
    photo = patch((96, 128), slice(0, 32), slice(0, 32))
    shy = red_model(odds=9.0)  # says no, though it sees the red
    lesson = teach(segment(photo, shy), shy, true=true)
    assert not lesson.seg.corroded
    said = outcome(lesson, True)
    assert said.startswith("**Missed.** 8.3 % of the picture is rust.")
    assert f"{100 * lesson.seg.rough[true].mean():.0f} % of the rust" in said


def test_scenes_are_what_they_are_called() -> None:
    scenes = {name: tour_scene(name) for name in SCENES}
    assert [name for name, s in scenes.items() if not s.corroded] == ["timber"]
    assert scenes["small"].mask.mean() < 0.02
    assert scenes["all_rust"].mask.mean() > 0.9
    np.testing.assert_array_equal(scenes["light"].mask, scenes["shadow"].mask)
    light, shadow = (scenes[name].image.astype(int) for name in ("light", "shadow"))
    assert (shadow <= light).all()
    assert (shadow < light - 20).any()
    with pytest.raises(ConfigError, match="timber"):
        tour_scene("moon")
