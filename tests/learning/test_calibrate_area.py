"""Calibrating the interval: reports by hand, coverage on drawn photos, scenes kept together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_made import patch, red_model
from PIL import Image

import rustseg_jax as rs
from rustseg_jax.config import UncertaintyConfig
from rustseg_jax.learning import calibrate_area as module
from rustseg_jax.learning.calibrate_area import (
    KnownArea,
    collect,
    cross_validate,
    fit,
    judge,
    score,
)
from rustseg_jax.manifest import Record
from rustseg_jax.uncertainty.interval import AreaEvidence, AreaModel, area_of


def draw(count: int, seed: int = 0) -> list[KnownArea]:
    """Photos whose heat says how much is rusted, and whose variants say how surely."""
    rng = np.random.default_rng(seed)
    cases = []
    for k in range(count):
        odds, noise = rng.normal(-2, 1), rng.uniform(0.05, 1)
        found = area_of(odds) if rng.random() < 0.8 else 0.0
        heats = np.clip(area_of(odds) + noise * np.array([0.1, -0.1]), 0, 1)
        seen = AreaEvidence((found, found), tuple(map(float, heats)), (0.5, 0.5))
        true = area_of(odds + noise * rng.normal())
        cases.append(KnownArea("drawn", f"scene {seed} {k}", true, seen))
    return cases


def test_a_report_by_hand() -> None:
    def seen(area: float) -> AreaEvidence:
        return AreaEvidence((area,), (0.1,), (0.5,))

    cases = [KnownArea("a", "1", 0.2, seen(0.1)), KnownArea("b", "2", 0.5, seen(0.0))]
    ways = [(0.1, 0.3), (0.0, 0.45)]
    found = score(cases, [dict.fromkeys(module.METHODS, way) for way in ways], level=0.9)
    assert list(found) == ["all", "a", "b", "mask", "no mask"]
    assert [found[group]["n"] for group in found] == [2, 1, 1, 1, 1]
    # The second misses by 0.05, which costs 2 / 0.1 times as much: 0.45 + 1.
    assert found["all"]["interval"] == pytest.approx(
        {"coverage": 0.5, "width": 0.325, "winkler": (0.2 + 1.45) / 2}
    )
    assert found["b"]["constant"] == pytest.approx({"coverage": 0, "width": 0.45, "winkler": 1.45})


def test_baselines_by_hand() -> None:
    model = AreaModel((0.0,) * 6, (1.0, 0, 0, 0, 0, 0), 0.5, (1.0,) * 40)
    known = [(0.5, 0.5 + k / 100) for k in range(1, 10)]  # errors 0.01 to 0.09
    case = KnownArea("a", "1", 0.9, AreaEvidence((0.05, 0.2, 0.1), (0.1,) * 3, (0.5,) * 3))
    [(same, ways)] = judge([case], model, known, level=0.8)
    assert same is case
    assert ways["constant"] == pytest.approx((0, 0.05 + 0.08))  # the ceil(10 * 0.8) = 8th error
    assert ways["everywhere"] == pytest.approx((0.51, 0.59))
    assert ways["variants"] == (0.05, 0.2)
    assert ways["interval"] == pytest.approx((area_of(-1), area_of(1)))


def test_the_fit_finds_what_is_there() -> None:
    rng = np.random.default_rng(0)
    heats = rng.uniform(0.01, 0.9, 400)
    cases = [
        KnownArea("a", str(k), area_of(-5 + 6 * h**0.5), AreaEvidence((0.1,), (float(h),), (0.5,)))
        for k, h in enumerate(heats)
    ]
    model = fit(cases)
    assert model.centre[0] == pytest.approx(-5, abs=0.1)
    assert model.centre[2] == pytest.approx(6, abs=0.1)
    low, middle, high = model.interval(cases[7].evidence)
    assert high - low < 0.02
    assert middle == pytest.approx(cases[7].area, abs=0.02)


def test_new_photos_are_covered_as_promised_and_narrowly() -> None:
    model, known = fit(draw(600, seed=1)), [c.pair for c in draw(600, seed=1)]
    for level in (0.5, 0.9):
        judged = judge(draw(2000, seed=2), model, known, level=level)
        found = score([c for c, _ in judged], [b for _, b in judged], level=level)
        # Binomial spread of 600 and 2000 photos together: at most 0.023; four times that at most,
        # for the whole and, of 120 photos in the calibration, for the empty masks.
        assert found["all"]["interval"]["coverage"] == pytest.approx(level, abs=0.06)
        assert found["no mask"]["interval"]["coverage"] == pytest.approx(level, abs=0.15)
        for other in ("constant", "everywhere"):
            assert found["all"]["interval"]["winkler"] < found["all"][other]["winkler"]
    seen = [c.evidence for c in draw(100, seed=3)]
    spreads = [model.locate(e)[1] for e in seen]
    assert max(spreads) > 2 * min(spreads)  # the variants' disagreement widens the interval


def test_cross_validation_is_honest() -> None:
    found = cross_validate(draw(400), level=0.9)
    assert found["all"]["n"] == 400
    assert found["all"]["interval"]["coverage"] == pytest.approx(0.9, abs=0.06)
    assert found["drawn"] == found["all"]
    # How much the variants disagree is what tells sure photos from others here.
    assert found["all"]["interval"]["winkler"] < found["all"]["alone"]["winkler"]
    assert found["all"]["alone"]["coverage"] == pytest.approx(0.9, abs=0.06)


def test_a_scene_never_judges_itself() -> None:
    cases = [replace(c, scene=c.scene[:9]) for c in draw(200)]  # about a hundred scenes
    for rest, part in module._folds(cases):
        assert not {c.scene for c in rest} & {c.scene for c in part}
        assert len(rest) + len(part) == 200
    assert sum(len(part) for _, part in module._folds(cases)) == 200


def test_too_few_photos_are_refused() -> None:
    with pytest.raises(rs.DataError, match="39 photos with masks are too few"):
        fit(draw(39))
    with pytest.raises(rs.DataError, match="all in one fold"):
        fit([replace(c, scene="same") for c in draw(50)])


def test_photos_that_are_all_alike_do_no_harm() -> None:
    same = [replace(c, area=0.1, evidence=AreaEvidence((0.1,), (0.1,), (0.5,))) for c in draw(50)]
    assert fit(same).interval(same[0].evidence) == pytest.approx((0.1,) * 3)


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_photos_are_collected_as_they_are_segmented(tmp_path: Path) -> None:
    rusty = patch((64, 64), slice(0, 32), slice(0, 64))
    index = np.zeros((64, 64), np.uint8)
    index[:16] = 1
    index[32:] = 255  # left open: 16 of the 32 rows that count
    photo, mask = save(tmp_path / "a.png", rusty), save(tmp_path / "m.png", index)
    broken = tmp_path / "b.png"
    broken.write_bytes(b"no picture")
    records = [Record(p, 1, "s", str(p), "t", mask) for p in (photo, broken)]
    config = rs.Config(
        localise=rs.LocaliseConfig(method="grad_cam"),
        crf=rs.CRFParams(working_size=64, bilateral_sxy=40, reference_size=64),
    )
    model, variants, said = red_model(), UncertaintyConfig(shift=0), []
    cases, failed = collect(
        records, model, config, variants, progress=lambda *numbers: said.append(numbers)
    )
    assert [f["image"] for f in failed] == [str(broken)]
    assert said == [(2, 2)]
    [case] = cases
    assert (case.split, case.scene, case.area) == ("t", str(photo), 0.5)
    seg = rs.segment(photo, model, config)
    assert case.evidence.areas[0] == pytest.approx(seg.area, abs=1e-3)
    assert case.evidence.probabilities[0] == pytest.approx(seg.probability)
    assert len(case.evidence.areas) == 1 + 3
