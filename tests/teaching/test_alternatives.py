"""The photo done otherwise: only what comes after the change is repeated."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import picture, red_model

from rustseg_jax import Classifier, resegment, segment
from rustseg_jax.config import PUBLISHED
from rustseg_jax.localise.cam import grad_cam_pp
from rustseg_jax.refine import find_threshold
from rustseg_jax.teaching.alternatives import (
    CRF_PRESETS,
    HEAT_MAPS,
    crf_alternatives,
    faithfulness,
    heat_alternatives,
    threshold_alternatives,
)
from rustseg_jax.teaching.network import look_inside

MODEL = red_model()
SEG = segment(picture(rusty=True), MODEL)


def test_heat_maps_differ_in_the_formula_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = look_inside(SEG, MODEL)

    def never(*_: object) -> None:
        raise AssertionError("the network ran again")

    monkeypatch.setattr(Classifier, "__call__", never)
    found = {a.name: a.seg for a in heat_alternatives(SEG, MODEL, inside)}
    assert list(found) == list(HEAT_MAPS)
    np.testing.assert_allclose(found["score_map"].heatmap, SEG.heatmap, atol=1e-6)
    np.testing.assert_array_equal(found["score_map"].mask, SEG.mask)
    # Positions with an activation a have gradients 4 / 16 and heat in proportion to a.
    a = np.asarray(inside.output.activations[0, ..., 0])
    np.testing.assert_allclose(found["grad_cam"].heatmap, a / a.max(), atol=1e-6)
    assert found["grad_cam"].heat_maximum == pytest.approx(a.max() * 4 / 16, rel=1e-5)
    for variant in ("eq19", "author"):
        seg = found[f"grad_cam_pp_{variant}"]
        activations = jnp.asarray(inside.output.activations)
        cam = np.asarray(grad_cam_pp(MODEL.head, activations, 1, variant=variant)[0])
        np.testing.assert_allclose(seg.heatmap * seg.heat_maximum, cam, rtol=1e-4, atol=1e-6)
        assert seg.config.localise.variant == variant
        assert seg.threshold == find_threshold(seg.heatmap, seg.config.threshold)


def test_threshold_rules_keep_the_heat_map() -> None:
    found = threshold_alternatives(SEG)
    assert [a.name for a in found] == ["dynamic", "fixed", "otsu"]
    for a in found:
        assert a.seg.heatmap is SEG.heatmap
        assert a.seg.config.threshold.rule == a.name
        wanted = resegment(SEG, threshold=find_threshold(SEG.heat, a.seg.config.threshold))
        np.testing.assert_array_equal(a.seg.mask, wanted.mask)
    assert found[1].seg.threshold == SEG.config.threshold.value != found[2].seg.threshold
    np.testing.assert_array_equal(found[0].seg.mask, SEG.mask)


def test_a_fixed_threshold_of_one_is_possible() -> None:
    one = replace(SEG.config, threshold=replace(SEG.config.threshold, value=1.0))
    fixed = threshold_alternatives(replace(SEG, config=one))[1].seg
    assert fixed.threshold == pytest.approx(1)
    assert not fixed.mask.any()


def test_crf_presets_keep_the_rough_mask() -> None:
    found = crf_alternatives(SEG)
    assert [a.name for a in found] == list(CRF_PRESETS)
    assert found[0].seg is SEG
    for a in found[1:]:
        np.testing.assert_array_equal(a.seg.rough, SEG.rough)
        assert a.seg.crf.bilateral_srgb == PUBLISHED[a.name].bilateral_srgb
        assert a.seg.crf.iterations == PUBLISHED[a.name].iterations
        assert a.seg.crf.working_size == SEG.crf.working_size
        assert a.seg.posterior is not None
        assert (a.seg.posterior != SEG.posterior).any()


def test_faithfulness_of_the_heat_map_and_of_its_opposite() -> None:
    inside = look_inside(SEG, MODEL)
    heat = SEG.heatmap
    right, wrong = (faithfulness(inside, MODEL, h).score for h in (heat, 1 - heat))
    assert right > 0.1 > -0.1 > wrong
