"""What can be chosen: read from a link, written to one, and carried out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hand_made import picture, red_model

from rustseg_jax import Config, ConfigError, ThresholdConfig, resegment, segment
from rustseg_jax.config import PUBLISHED
from rustseg_jax.teaching.alternatives import crf_preset
from rustseg_jax.teaching.choice import DEFAULTS, OPTIONS, Choice, read_choice, refine_as

MODEL = red_model()
SEG = segment(picture(rusty=True), MODEL)


def test_the_defaults_are_the_shipped_choice() -> None:
    assert Choice().config() == Config()
    assert Choice().link() == {}
    assert read_choice({}) == (Choice(), ())
    assert refine_as(Choice(), SEG) is SEG
    assert SEG.config.localise.method == DEFAULTS["cam"]
    assert SEG.config.threshold.rule == DEFAULTS["rule"]


def test_a_link_comes_back_as_it_went() -> None:
    for name, allowed in OPTIONS.items():
        for value in allowed:
            choice = Choice(**{name: value})
            assert read_choice(choice.link()) == (choice, ())
    cut = Choice(cam="grad_cam", cut=0.25)
    assert cut.link() == {"cam": "grad_cam", "cut": "0.25"}
    assert read_choice({**cut.link(), "sample": "pipe"}) == (cut, ())
    assert cut.seen == Choice(cam="grad_cam")


@pytest.mark.parametrize(
    "cut", ["0", "1", "nan", "inf", "-0.5", "1e999", "half", "0.001", "9" * 400]
)
def test_what_is_not_allowed_is_said_and_left_out(cut: str) -> None:
    link = {"cam": "eigen_cam", "rule": "otsu", "crf": "x" * 99, "cut": cut}
    choice, complaints = read_choice(link)
    assert choice == Choice(rule="otsu")
    assert len(complaints) == 3
    assert "eigen_cam" in complaints[0]
    assert "grad_cam_pp_author" in complaints[0]
    assert "x" * 41 not in complaints[1]
    assert "0.01 to 0.99" in complaints[2]


@pytest.mark.parametrize("bad", [{"cam": "x"}, {"rule": ""}, {"crf": "x"}, {"cut": 0.0}])
def test_a_choice_checks_itself(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        Choice(**bad)  # type: ignore[arg-type]


def test_heat_maps_are_made_as_named() -> None:
    assert Choice(cam="grad_cam").config().localise.method == "grad_cam"
    author = Choice(cam="grad_cam_pp_author", rule="otsu").config()
    assert (author.localise.method, author.localise.variant) == ("grad_cam_pp", "author")
    # The rule is `refine_as`'s; until then it is cut as suits its kind.
    assert author.threshold == Config(localise=author.localise).threshold


def test_rules_give_what_the_whole_way_gives() -> None:
    for rule in OPTIONS["rule"]:
        wanted = segment(SEG.image, MODEL, Config(threshold=ThresholdConfig(rule=rule)))  # type: ignore[arg-type]
        found = refine_as(Choice(rule=rule), SEG)
        assert found.threshold == wanted.threshold
        assert found.config.threshold.rule == rule
        np.testing.assert_array_equal(found.mask, wanted.mask)


def test_a_cut_by_hand_goes_before_the_rule() -> None:
    found = refine_as(Choice(rule="otsu", cut=0.2), SEG)
    wanted = resegment(SEG, threshold=0.2)
    assert found.threshold == 0.2
    np.testing.assert_array_equal(found.rough, wanted.rough)
    np.testing.assert_array_equal(found.mask, wanted.mask)


def test_published_settings_keep_the_working_size() -> None:
    small = replace(SEG, config=replace(SEG.config, crf=replace(SEG.config.crf, working_size=64)))
    found = refine_as(Choice(crf="deeplab"), small).crf
    assert found.working_size == 64
    assert found.bilateral_srgb == PUBLISHED["deeplab"].bilateral_srgb
    assert crf_preset("ours", small) is small.config.crf
    with pytest.raises(ConfigError, match="deeplab"):
        crf_preset("theirs", small)
