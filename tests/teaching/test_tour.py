"""The tour's words and scenes: complete, filled from results, and true of them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hand_made import patch, picture, red_model

from rustseg_jax import ConfigError, segment
from rustseg_jax.classify.weights import DEFAULT
from rustseg_jax.evaluate import measurements
from rustseg_jax.evaluate.failure_record import NAME, read_failures
from rustseg_jax.images import sha256
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
    assert re.search(r"0\.\d\d for the rough mask", found["gain"])
    assert facts(CLEAN)["gain"] == ""
    assert facts(CLEAN)["area"] == "0.0 %"


def test_measured_numbers_are_those_of_the_record() -> None:
    record = read_failures(DEFAULT.with_name(NAME))
    assert record.weights == sha256(DEFAULT.read_bytes())
    shipped = replace(RUSTY, seg=replace(RUSTY.seg, model={"digest": record.weights}))
    told = facts(shipped)
    for failure, measure, sentence in (
        ("shadow", "recall_shadow", "shadow_photos"),
        ("shadow", "fp_shadow", "shadow_photos"),
        ("all_rust", "recall", "all_rust_photos"),
    ):
        assert f"{100 * record.failures[failure]['photos'][measure]:.0f} %" in told[sentence]
    assert facts(RUSTY)["shadow_photos"] == facts(RUSTY)["all_rust_photos"] == ""


def test_the_data_set_is_counted_as_in_the_model_card() -> None:
    """Of both halves 622 photos have masks; the image labels of half A were trained on, too."""
    text = next(stop.text for stop in TOUR if stop.name == "data")
    card = DEFAULT.with_name("README.md").read_text(encoding="utf-8")
    rusty, clean, web, site = (
        int(re.search(pattern, card)[1])  # type: ignore[index]
        for pattern in (
            r"(\d+) pictures\s+with corrosion", r"and (\d+) without \(", r"`seg-web` \((\d+)\)",
            r"`seg-site` \((\d+)\)",
        )
    )  # fmt: skip
    runs = measurements.read(DEFAULT.with_name(measurements.NAME)).runs
    masks = sum(
        numbers["n"]
        for run in runs
        for split, numbers in run.report["segmentation"].items()
        if split.startswith("seg-")
    )
    held_out = next(r.report["classification"]["val"]["n"] for r in runs if "val" in r.splits)
    corroded = rusty + web + site
    for number in (corroded + clean, corroded, clean, held_out, masks):
        assert re.search(rf"\b{number}\b", text), number


def test_patches_that_touch_at_corners_are_one() -> None:
    true = np.zeros((96, 128), bool)
    true[:8, :8] = true[8:16, 8:16] = True  # touch at a corner
    true[40:44, 40:44] = True
    assert facts(teach(RUSTY.seg, MODEL, true=true))["patches"] == "2"


def test_outcomes_are_called_by_their_name() -> None:
    assert outcome(CLEAN, False).startswith("**Correct.**")
    doubtful = red_model(odds=2.0)  # P = 1 / (1 + e^2) where nothing is red
    unsure = teach(segment(picture(rusty=False), doubtful), doubtful)
    assert "P(corrosion) is 12 %, below 30 %" in outcome(unsure, False)
    found = outcome(RUSTY, True)
    assert found.startswith("**Found.**")
    assert "25.0 % of the photo is rust" in found
    alarm = outcome(RUSTY, False)
    assert alarm.startswith("**False alarm.**")
    assert f"{100 * RUSTY.seg.area:.1f} % of the photo is marked" in alarm


def test_missed_rust_says_what_the_rough_mask_had() -> None:
    true = np.zeros((96, 128), bool)
    true[:32, :32] = True
    photo = patch((96, 128), slice(0, 32), slice(0, 32))
    shy = red_model(odds=9.0)  # says no, though it sees the red
    lesson = teach(segment(photo, shy), shy, true=true)
    assert not lesson.seg.corroded
    said = outcome(lesson, True)
    assert said.startswith("**Missed rust.** 8.3 % of the photo is rust,")
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
