"""Threshold, CRF step by step, and which stage lost the mask: by hand, and as the pipeline does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hand_made import patch, picture, red_model

from rustseg_jax import (
    Config,
    ConfigError,
    CRFParams,
    ThresholdConfig,
    TileConfig,
    resegment,
    segment,
)
from rustseg_jax.evaluate.stage_losses import best_cut, through_grid
from rustseg_jax.metrics import confusion, iou
from rustseg_jax.result import Segmentation
from rustseg_jax.teaching.mask import BY_HAND, compare_with_truth, crf_steps, histogram

MODEL = red_model()
LARGE = Config(tiles=TileConfig(mode="tiles", window=64))


def rusty(**options: object) -> Segmentation:
    return segment(picture(rusty=True), MODEL, Config(**options))  # type: ignore[arg-type]


def of_heat(heat: list[list[float]], threshold: float, **more: object) -> Segmentation:
    """A result with this heat map and one pixel of photo a position."""
    heatmap = np.array(heat, np.float32)
    photo = np.zeros((*heatmap.shape, 3), np.uint8)
    seg = replace(rusty(), image=photo, heatmap=heatmap, lattice=None)
    return replace(resegment(seg, threshold=threshold), **more)  # type: ignore[arg-type]


# Histogram


def test_histogram_by_hand() -> None:
    found = histogram(of_heat([[0.0, 0.1], [0.6, 1.0]], 0.6), bins=4)
    assert found.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.counts.tolist() == [2, 0, 1, 1]
    assert found.above == 0.5
    assert found.by_rule["fixed"] == 0.7
    assert found.by_rule["otsu"] == pytest.approx(0.35)


@pytest.mark.parametrize("rule", ["dynamic", "fixed", "otsu"])
def test_the_rule_is_named(rule: str) -> None:
    seg = rusty(threshold=ThresholdConfig(rule=rule))  # type: ignore[arg-type]
    found = histogram(seg)
    assert found.rule == rule
    assert found.by_rule[rule] == found.threshold == seg.threshold
    assert found.counts.sum() == seg.heat.size
    assert histogram(resegment(seg, threshold=0.123)).rule == BY_HAND


def test_a_histogram_needs_two_bins() -> None:
    with pytest.raises(ConfigError, match="bins is 1"):
        histogram(rusty(), bins=1)


# CRF


@pytest.mark.parametrize("size", [(96, 128), (500, 320)], ids=["working size", "larger"])
@pytest.mark.parametrize("config", [Config(), Config(crf=CRFParams(iterations=3)), LARGE])
def test_the_last_step_is_the_result(size: tuple[int, int], config: Config) -> None:
    seg = segment(picture(rusty=True, size=size), MODEL, config)
    steps = crf_steps(seg)
    assert steps is not None
    assert seg.posterior is not None
    assert 1 <= steps.updates <= config.crf.iterations
    np.testing.assert_array_equal(steps.posterior(steps.updates), seg.posterior)
    np.testing.assert_array_equal(steps.mask(steps.updates), seg.mask)
    np.testing.assert_allclose(steps.posteriors[0], steps.unary, atol=2e-5)
    assert len(steps.changed) == steps.updates == len(steps.areas) - 1


def test_a_lattice_that_was_not_kept_is_built_again() -> None:
    seg = rusty()
    kept, fresh = crf_steps(seg), crf_steps(replace(seg, lattice=None))
    assert kept is not None
    assert fresh is not None
    np.testing.assert_array_equal(kept.posteriors[-1], fresh.posteriors[-1])


def test_changes_and_areas_are_counted() -> None:
    photo = picture(rusty=True)
    steps = crf_steps(segment(photo, MODEL))
    assert steps is not None
    sides = [p >= 0.5 for p in steps.posteriors]
    assert steps.areas == tuple(side.sum() / side.size for side in sides)
    assert steps.changed[0] == (sides[0] ^ sides[1]).sum() / sides[0].size > 0


def test_without_corrosion_there_are_no_steps() -> None:
    seg = segment(picture(rusty=False), MODEL)
    assert crf_steps(seg) is None
    assert crf_steps(replace(seg, corroded=True)) is None  # no heat either


def test_a_step_that_is_not_there_is_refused() -> None:
    steps = crf_steps(rusty())
    assert steps is not None
    for step in (-1, steps.updates + 1):
        with pytest.raises(ConfigError, match=f"step is {step}"):
            steps.posterior(step)


# Truth


def test_the_grid_by_hand() -> None:
    true = np.zeros((4, 4), bool)
    true[:2, :2] = True
    np.testing.assert_array_equal(through_grid(true, (4, 4)), true)
    assert through_grid(true, (1, 1)).sum() == 0  # a quarter of the only cell
    true[:, :3] = True
    assert through_grid(true, (1, 1)).all()  # three quarters of it


def test_the_best_threshold_by_hand() -> None:
    seg = of_heat([[0.2, 0.4], [0.6, 0.9]], 0.35)
    true = np.array([[False, False], [True, True]])
    assert best_cut(seg.heat, seg.threshold, true) == pytest.approx(0.41)  # the lowest above 0.4
    assert best_cut(seg.heat, seg.threshold, ~true) == pytest.approx(0.01)  # all: 2 of 4
    assert best_cut(seg.heat, seg.threshold, np.zeros((2, 2), bool)) == pytest.approx(0.91)


def test_what_stages_lose_by_hand() -> None:
    seg = of_heat([[0.2, 0.4], [0.6, 0.9]], 0.35)  # rough: 3 of 4, IoU 2/3
    true = np.array([[False, False], [True, True]])
    seg = replace(seg, mask=np.array([[False, True], [False, True]]))  # IoU 1/3
    found = compare_with_truth(seg, true)
    assert list(found.stages) == ["grid", "heatmap", "threshold", "crf", "verdict"]
    values = [stage.iou for stage in found.stages.values()]
    assert values == pytest.approx([1, 1, 2 / 3, 1 / 3, 1 / 3])
    lost = [stage.lost for stage in found.stages.values()]
    assert lost == pytest.approx([0, 0, 1 / 3, 1 / 3, 0])
    end = found.stages["verdict"]
    assert end.hit.tolist() == [[False, False], [False, True]]
    assert end.missed.tolist() == [[False, False], [True, False]]
    assert end.extra.tolist() == [[False, True], [False, False]]


def test_a_missed_verdict_is_laid_to_the_verdict() -> None:
    photo = picture(rusty=True)
    true = (photo == photo[48, 64]).all(-1)
    seg = segment(photo, MODEL)
    assert compare_with_truth(seg, true).worst != "verdict"
    missed = segment(photo, MODEL, Config(decision_threshold=1.0))
    assert not missed.corroded
    found = compare_with_truth(missed, true)
    assert found.worst == "verdict"
    assert found.stages["crf"].iou == iou(confusion(seg.mask, true))
    assert found.stages["verdict"].iou == 0
    assert sum(stage.lost for stage in found.stages.values()) == pytest.approx(1)


def test_parts_make_up_mask_and_truth() -> None:
    photo = patch((96, 128), slice(10, 60), slice(20, 100))
    seg = segment(photo, MODEL)
    true = np.zeros((96, 128), bool)
    true[30:90, 40:128] = True
    found = compare_with_truth(seg, true)
    for stage in found.stages.values():
        np.testing.assert_array_equal(stage.hit | stage.missed, true)
        assert not (stage.hit & stage.missed).any()
        assert not (stage.extra & true).any()
    end = found.stages["verdict"]
    np.testing.assert_array_equal(end.hit | end.extra, seg.mask)
    assert found.stages["heatmap"].iou >= found.stages["threshold"].iou


def test_a_clean_photo_loses_nothing() -> None:
    seg = segment(picture(rusty=False), MODEL)
    found = compare_with_truth(seg, np.zeros(seg.mask.shape, bool))
    assert found.worst == ""
    assert found.stages["verdict"].iou == 1


def test_a_true_mask_of_another_size_is_refused() -> None:
    for true in (np.zeros((3, 3), bool), np.zeros((96, 128), np.uint8)):
        with pytest.raises(ConfigError, match="like the photo"):
            compare_with_truth(rusty(), true)
