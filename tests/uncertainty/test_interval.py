"""The interval of the rusted area: quantiles and intervals by hand, coverage, the file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from rustseg_jax import ConfigError, DataError
from rustseg_jax.uncertainty.interval import (
    FEATURES,
    KIND,
    SMALLEST,
    AreaEvidence,
    AreaModel,
    area_of,
    carry_interval,
    load_area,
    odds_of,
    place_of,
    quantile,
    save_area,
)

SEEN = AreaEvidence(areas=(0.25, 0.49), heats=(0.16, 0.16), probabilities=(0.5, 0.5))
EMPTY = AreaEvidence(areas=(0.0, 0.25), heats=(0.16, 0.16), probabilities=(0.5, 0.5))
ALONE = dict.fromkeys(FEATURES, 0.0)


def weights(**given: float) -> tuple[float, ...]:
    return tuple({**ALONE, **given}.values())


def model(**more: object) -> AreaModel:
    """The centre is even odds, the spread 2; ten photos of each kind that scored 0.1 to 1."""
    scores = tuple(k / 10 for k in range(1, 11))
    options = {"scores": scores, "empty_scores": scores, **more}
    return AreaModel(weights(), weights(one=2.0), 0.5, **options)  # type: ignore[arg-type]


def test_features_by_hand() -> None:
    # Square roots 0.5 and 0.7: mean 0.6, standard deviation 0.1; heat 0.4 without any.
    np.testing.assert_allclose(SEEN.features, [1, 0.6, 0.4, 0, 0.1, 0], atol=1e-12)
    sure = AreaEvidence((1.0,), (1.0,), (1.0,)).features
    np.testing.assert_allclose(sure, [1, 1, 1, logit(1 - 1e-4), 0, 0])


def test_quantiles_by_hand() -> None:
    nine = [0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.5]
    assert quantile(nine, 0.9) == 0.9  # the ceil(10 * 0.9) = 9th of 9
    assert quantile(nine, 0.5) == 0.5
    assert quantile(nine, 0.91) == math.inf  # the 10th of 9
    assert quantile([], 0.5) == math.inf
    for wrong in (0.0, 1.0, math.nan):
        with pytest.raises(ConfigError, match="level is"):
            quantile(nine, wrong)


@given(st.floats(0, 1))
def test_odds_and_back(area: float) -> None:
    assert area_of(odds_of(area)) == pytest.approx(area, abs=1e-9)


def test_odds_by_hand() -> None:
    assert odds_of(0.5) == 0
    assert odds_of(0) == pytest.approx(math.log(SMALLEST / (1 + SMALLEST)))
    assert (area_of(-math.inf), area_of(math.inf)) == (0, 1)


def test_an_interval_by_hand() -> None:
    # 20 scores, two of each: the ceil(21 * 0.5) = 11th is 0.6, in spreads of 2 log odds.
    low, middle, high = model().interval(SEEN, level=0.5)
    assert middle == 0.5
    assert (odds_of(low), odds_of(high)) == pytest.approx((-1.2, 1.2))
    assert model().interval(EMPTY, level=0.5) == (0, middle, high)
    assert model().interval(SEEN, level=0.99) == (0, 0.5, 1)  # 20 photos cannot promise that


def test_the_spread_has_a_floor() -> None:
    narrow = AreaModel(weights(), weights(one=-3.0), 0.5, (1.0,) * 40)
    assert narrow.locate(SEEN) == (0, 0.5)
    assert odds_of(narrow.interval(SEEN)[2]) == pytest.approx(0.5)


def test_scores_by_hand() -> None:
    up, down = area_of(3.0), area_of(-3.0)
    assert model().score(SEEN, up) == pytest.approx(1.5)
    assert model().score(SEEN, down) == pytest.approx(1.5)
    assert model().score(EMPTY, up) == pytest.approx(1.5)
    assert model().score(EMPTY, down) == 0  # the interval begins at 0 anyway


def test_each_kind_has_its_own_scores_where_they_suffice() -> None:
    few, many = (1.0,) * (KIND - 1), (2.0,) * KIND
    both = model(scores=few, empty_scores=many)
    assert both.scores_for(SEEN) == few + many
    assert both.scores_for(EMPTY) == many


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.floats(0.01, 0.99),
    st.floats(0.01, 0.99),
)
def test_intervals_are_in_order_and_nested(
    areas: list[float], heats: list[float], chances: list[float], one: float, other: float
) -> None:
    fitted = AreaModel(
        weights(one=-4.0, area=3.0, odds=0.5), weights(one=0.5, heat_spread=2.0), 0.2,
        tuple(np.linspace(0, 3, 50)),
    )  # fmt: skip
    seen = AreaEvidence(tuple(areas), tuple(heats), tuple(chances))
    inner, outer = (fitted.interval(seen, level=v) for v in sorted((one, other)))
    assert 0 <= outer[0] <= inner[0] <= inner[1] <= inner[2] <= outer[2] <= 1
    # An area is in the interval exactly when its score is within the quantile.
    for area in (0.0, 0.02, 0.3, 1.0):
        margin = fitted.score(seen, area) - quantile(fitted.scores, one)
        if abs(margin) > 1e-6:
            low, _, high = fitted.interval(seen, level=one)
            assert (low <= area <= high) == (margin < 0), (low, high, area)


def test_a_wrong_calibration_is_refused() -> None:
    with pytest.raises(ConfigError, match="centre has 2 weights"):
        AreaModel((0.0, 1.0), weights(), 0.5, (1.0,))
    for floor, score in ((0.0, 1.0), (math.nan, 1.0), (0.5, math.inf)):
        with pytest.raises(ConfigError, match="finite"):
            AreaModel(weights(), weights(), floor, (score,))


def test_wrong_evidence_is_refused() -> None:
    with pytest.raises(ConfigError, match="2, 1 and 1"):
        AreaEvidence((0.1, 0.2), (0.1,), (0.5,))
    with pytest.raises(ConfigError, match="heats is"):
        AreaEvidence((0.1,), (1.1,), (0.5,))
    with pytest.raises(ConfigError, match="areas is"):
        AreaEvidence((math.nan,), (0.1,), (0.5,))


# What it holds for


def test_another_network_or_method_is_named() -> None:
    made = model(weights="ab", settings={"method": {"scales": (0.5, 1.0)}})
    assert made.mismatch("ab", {"method": {"scales": [0.5, 1.0]}}) == ""
    assert made.mismatch("cd", made.settings) == "not calibrated for these weights"
    assert made.mismatch("ab", {"method": {}}) == "not calibrated for this configuration"
    # Weights that were never in a file have no digest, and so no calibration.
    assert model(weights="").mismatch("", {}) == "not calibrated for these weights"


# The file


def test_the_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    made = model(weights="ab", settings={"a": [1, 2]}, record={"half": "A"})
    save_area(tmp_path / "area.json", made)
    assert load_area(tmp_path / "area.json") == made
    assert [p.name for p in tmp_path.iterdir()] == ["area.json"]


def test_the_file_is_beside_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTSEG_MODEL", str(tmp_path / "other.safetensors"))
    assert place_of() == tmp_path / "area.json"
    assert load_area() is None
    save_area(place_of(), model())
    assert load_area() == model()
    assert place_of("runs/best.safetensors") == Path("runs/area.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other", "version": 1}'])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "area.json").write_text(text)
    with pytest.raises(DataError, match=r"area.json is not a calibration"):
        load_area(tmp_path / "area.json")
    with pytest.raises(DataError, match=r"gone.json is not a calibration"):
        load_area(tmp_path / "gone.json")


def test_a_file_with_more_or_less_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "area.json"
    save_area(path, model())
    whole = json.loads(path.read_text())
    for wrong in ({**whole, "more": 1}, {k: v for k, v in whole.items() if k != "floor"}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(DataError, match="not a calibration"):
            load_area(path)


# Carried over to another area


def test_an_interval_is_carried_over_in_log_odds_by_hand() -> None:
    # Odds go from 1/4 to 1, so those of both ends are times four: 1/9 to 4/9, 3/7 to 12/7. The
    # thousandth that keeps log odds finite moves the result by about as much.
    low, high = carry_interval((0.1, 0.3), 0.2, 0.5)
    assert (low, high) == pytest.approx((4 / 13, 12 / 19), abs=2e-3)
    assert carry_interval((0.1, 0.3), 0.2, 0.2) == (0.1, 0.3)
    low, high = carry_interval((0.3, 0.4), 0.2, 0.9)  # the area lay below, and still does
    assert 0.9 < low < high < 1


def test_of_an_empty_mask_only_what_must_hold_is_carried_over() -> None:
    assert carry_interval((0.1, 0.3), 0.2, 0.0) == (0.0, 0.3)
    assert carry_interval((0.1, 0.3), 0.2, 0.0, part=0.5) == (0.0, 0.6)  # all of it may be there
    assert carry_interval((0.1, 0.3), 0.2, 0.0, part=0.1) == (0.0, 1.0)
    assert carry_interval((0.0, 0.3), 0.0, 0.4) == (0.0, 0.4)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_a_carried_interval_is_one(
    a: float, b: float, before: float, now: float, part: float
) -> None:
    low, high = carry_interval((min(a, b), max(a, b)), before, now, part=part)
    assert 0 <= low <= high <= 1
    if min(a, b) <= before <= max(a, b) and before > 0 and now > 0:
        assert low - 1e-9 <= now <= high + 1e-9
