"""Uncertainty of a mask: the map by hand, intervals with and without calibration, strokes."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from hand_made import patch, picture, red_model, save_redness
from PIL import Image

import rustseg_jax as rs
from rustseg_jax.cli import main
from rustseg_jax.commands import uncertainty as command
from rustseg_jax.config import HALVES
from rustseg_jax.learning.calibrate_area import METHODS
from rustseg_jax.manifest import COLUMNS, half_of
from rustseg_jax.uncertainty import doubt as module
from rustseg_jax.uncertainty.augmentations import Look
from rustseg_jax.uncertainty.doubt import settings_of
from rustseg_jax.uncertainty.interval import AreaModel, area_of, carry_interval, load_area

SHAPE = (96, 128)
LOOK = rs.LocaliseConfig(method="grad_cam")  # one pass, whatever the default
CONFIG = rs.Config(
    localise=LOOK, crf=rs.CRFParams(working_size=64, bilateral_sxy=40, reference_size=64)
)
WHOLE = rs.Config(
    localise=LOOK,
    crf=rs.CRFParams(working_size=128, bilateral_sxy=40, reference_size=64),
)
NEVER = Look(0.0, np.zeros((4, 4), np.float32), 0.0)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No calibration is found unless a test makes one."""
    monkeypatch.setenv("RUSTSEG_MODEL", str(tmp_path / "none.safetensors"))
    monkeypatch.setattr("rustseg_jax.runtime.enable_compilation_cache", lambda: None)


@pytest.fixture(scope="module")
def model() -> rs.Classifier:
    return replace(red_model(), digest="ab")


@pytest.fixture(scope="module")
def found(model: rs.Classifier) -> rs.Segmentation:
    return rs.segment(picture(rusty=True), model, WHOLE)


@pytest.fixture(scope="module")
def nothing(model: rs.Classifier) -> rs.Segmentation:
    return rs.segment(picture(rusty=False), model, WHOLE)


@pytest.fixture(scope="module")
def calibration() -> AreaModel:
    """Even odds, more or less 1 in the log odds, for every photo."""
    zero, one = (0.0,) * 6, (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    holds = {"weights": "ab", "settings": settings_of(WHOLE, rs.UncertaintyConfig())}
    return AreaModel(zero, one, 0.5, (1.0,) * 100, (1.0,) * 100, **holds)  # type: ignore[arg-type]


def measured(
    seg: rs.Segmentation, model: rs.Classifier, looks: list[Look], monkeypatch: pytest.MonkeyPatch
) -> rs.Uncertainty:
    """Uncertainty with variants whose looks are given."""
    monkeypatch.setattr(module, "look_again", lambda *_: tuple(looks))
    return rs.measure_uncertainty(seg, model)


def same(seg: rs.Segmentation) -> Look:
    return Look(seg.probability, seg.heatmap, seg.heat_maximum)


# The map


def test_the_map_by_hand(
    found: rs.Segmentation, model: rs.Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found.posterior is not None
    sure = measured(found, model, [same(found)] * 2, monkeypatch)
    np.testing.assert_allclose(sure.map, np.abs(found.posterior - found.mask), atol=1e-5)
    assert sure.areas == (found.area, found.area)
    # One of two variants finds nothing: it gives 1 to the opposite of each masked pixel.
    split = measured(found, model, [same(found), NEVER], monkeypatch)
    np.testing.assert_allclose(split.map, (sure.map + found.mask) / 2, atol=1e-5)
    assert split.areas == (found.area, 0)
    assert split.probabilities == (found.probability, 0)
    assert split.map.dtype == np.float32


def test_variants_that_find_rust_in_a_photo_called_clean_raise_doubt(
    found: rs.Segmentation,
    nothing: rs.Segmentation,
    model: rs.Classifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not nothing.mask.any()
    assert measured(nothing, model, [NEVER] * 2, monkeypatch).map.max() == 0
    doubted = measured(nothing, model, [NEVER, same(found)], monkeypatch)
    other = rs.resegment(
        replace(nothing, corroded=True, heatmap=found.heatmap, heat_maximum=1.0,
                threshold=found.threshold)
    )  # fmt: skip
    assert other.posterior is not None
    np.testing.assert_allclose(doubted.map, other.posterior / 2, atol=1e-5)
    assert (doubted.low, doubted.high) == (0, other.area)


def test_real_variants_of_a_plain_photo_agree_but_at_the_border() -> None:
    model = red_model(input_size=128)  # 8 by 8 cells, of which rust fills 4 by 4
    seg = rs.segment(picture(rusty=True, size=(256, 256)), model, CONFIG)
    said = rs.measure_uncertainty(seg, model)
    assert said.map.shape == (256, 256)
    assert 0 <= said.map.min() <= said.map.max() <= 1
    assert len(said.areas) == len(said.probabilities) == 5
    assert said.map[96:160, 96:160].max() < 0.1  # deep in the rust
    assert said.map[:32].max() < 0.1  # far from it
    assert said.area == seg.area


def test_the_map_has_the_size_of_the_photo(model: rs.Classifier) -> None:
    seg = rs.segment(picture(rusty=True, size=(192, 256)), model, CONFIG)
    said = rs.measure_uncertainty(seg, model, rs.UncertaintyConfig(shift=0, scales=()))
    assert said.map.shape == (192, 256)
    assert len(said.areas) == 1
    assert said.areas[0] == pytest.approx(seg.area, abs=0.02)


# The interval


def test_without_calibration_it_is_the_range_and_says_so(
    found: rs.Segmentation, model: rs.Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = measured(found, model, [same(found), NEVER], monkeypatch)
    assert said.interval == (0, found.area)
    assert (said.middle, said.level, said.calibrated) == (found.area, 0.9, False)
    assert said.note.startswith("not calibrated: no calibration file found")


def test_a_calibration_that_holds_is_used(
    found: rs.Segmentation,
    nothing: rs.Segmentation,
    model: rs.Classifier,
    calibration: AreaModel,
) -> None:
    said = rs.measure_uncertainty(found, model, calibration=calibration)
    assert (said.calibrated, said.note) == (True, "")
    assert said.interval == pytest.approx((area_of(-1), area_of(1)))
    assert said.middle == 0.5
    clean = rs.measure_uncertainty(nothing, model, calibration=calibration)
    assert clean.calibrated
    assert clean.interval == pytest.approx((0, area_of(1)))


def test_the_calibration_beside_the_weights_is_found(
    found: rs.Segmentation, model: rs.Classifier, calibration: AreaModel, tmp_path: Path
) -> None:
    from rustseg_jax.uncertainty.interval import save_area

    save_area(tmp_path / "area.json", calibration)
    assert rs.measure_uncertainty(found, model).calibrated


def test_another_level_needs_no_other_calibration(
    found: rs.Segmentation, model: rs.Classifier, calibration: AreaModel
) -> None:
    graded = replace(calibration, scores=tuple(np.linspace(0, 2, 99)))
    half = rs.measure_uncertainty(found, model, rs.UncertaintyConfig(level=0.5), calibration=graded)
    assert half.calibrated
    assert half.high == pytest.approx(area_of(1.0), abs=0.01)  # the 50th of 99 scores


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights": "cd"}, "not calibrated for these weights"),
        ({"settings": {}}, "not calibrated for this configuration"),
    ],
)
def test_a_calibration_that_does_not_hold_is_named(
    found: rs.Segmentation,
    model: rs.Classifier,
    calibration: AreaModel,
    change: dict[str, object],
    words: str,
) -> None:
    other = replace(calibration, **change)  # type: ignore[arg-type]
    said = rs.measure_uncertainty(found, model, calibration=other)
    assert not said.calibrated
    assert said.note == f"{words}; the interval is the range of the variants"
    assert said.interval == (min(said.area, *said.areas), max(said.area, *said.areas))
    assert said.to_json()["note"] == said.note


def test_a_photo_in_windows_has_an_interval_that_is_called_uncalibrated(
    model: rs.Classifier, calibration: AreaModel
) -> None:
    tiles = rs.TileConfig(mode="tiles", window=64, working_size=64)
    seg = rs.segment(patch((96, 128), slice(0, 48)), model, replace(WHOLE, tiles=tiles))
    assert seg.tiling is not None
    said = rs.measure_uncertainty(seg, model, calibration=calibration)
    assert not said.calibrated
    assert "analysed whole, not in tiles" in said.note
    assert said.interval == pytest.approx((area_of(-1) if seg.mask.any() else 0, area_of(1)))


def test_results_of_other_weights_are_refused(found: rs.Segmentation) -> None:
    with pytest.raises(rs.ConfigError, match="other weights"):
        rs.measure_uncertainty(found, red_model())


def test_it_is_frozen_and_becomes_json(found: rs.Segmentation, model: rs.Classifier) -> None:
    said = rs.measure_uncertainty(found, model)
    with pytest.raises(FrozenInstanceError):
        said.low = 0.0  # type: ignore[misc]
    plain = json.loads(json.dumps(said.to_json(), allow_nan=False))
    assert (plain["low"], plain["high"]) == said.interval
    assert plain["doubt"] == pytest.approx(said.map.mean())
    assert [v["scale"] for v in plain["variants"]] == [1, 1, 1, 0.8, 1.25]
    assert [v["area"] for v in plain["variants"]] == list(said.areas)
    assert "array" not in repr(said)


# Strokes


def test_an_interval_is_narrowed_by_hand(
    found: rs.Segmentation, model: rs.Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = measured(found, model, [same(found)], monkeypatch)
    before = replace(said, area=0.3, low=0.2, high=0.6)
    # A quarter of the width 0.4 lay below the mask's area; half of it is left about 0.5.
    assert module._narrowed(before, 0.5, 0.5) == pytest.approx((0.45, 0.65))
    above = replace(said, area=0.7, low=0.2, high=0.6)  # a mask that was too large
    assert module._narrowed(above, 0.5, 0.5) == pytest.approx((0.3, 0.5))
    assert module._narrowed(replace(said, low=0.3, high=0.3), 0.5, 0.5) == (0.5, 0.5)


def test_strokes_narrow_the_interval_and_are_never_denied(
    found: rs.Segmentation, model: rs.Classifier, calibration: AreaModel
) -> None:
    before = rs.measure_uncertainty(found, model, calibration=calibration)
    rust, clean = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    rust[24:40], clean[72:] = True, True
    seg = rs.resegment(found, rust=rust, clean=clean)
    after = rs.update_uncertainty(before, seg, rust=rust, clean=clean)
    assert after.high - after.low < before.high - before.low
    assert rust.mean() <= after.low <= after.area <= after.high <= 1 - clean.mean()
    assert after.map[rust | clean].max() == 0
    assert min(after.areas) >= rust.mean()  # the variants keep the strokes, too
    assert not after.calibrated
    assert "strokes" in after.note
    assert before.calibrated  # and is left as it was


def test_marking_everything_leaves_no_doubt(found: rs.Segmentation, model: rs.Classifier) -> None:
    rust = np.zeros(SHAPE, bool)
    rust[:48] = True
    seg = rs.resegment(found, rust=rust, clean=~rust)
    before = rs.measure_uncertainty(found, model)
    after = rs.update_uncertainty(before, seg, rust=rust, clean=~rust)
    assert after.interval == (0.5, 0.5)
    assert after.map.max() == 0
    assert before.note in after.note  # that it was never calibrated is not forgotten


# Other settings


def test_other_settings_move_the_interval_and_the_variants(
    found: rs.Segmentation, model: rs.Classifier, calibration: AreaModel
) -> None:
    before = rs.measure_uncertainty(found, model, calibration=calibration)
    plain = replace(WHOLE.crf, bilateral_compat=0.0, gaussian_compat=0.0)  # the heat alone
    seg = rs.resegment(found, threshold=0.05, crf=plain)
    light, whole = rs.carry_uncertainty(before, seg), rs.update_uncertainty(before, seg)
    assert light.interval == whole.interval
    assert light.interval == carry_interval(before.interval, found.area, seg.area)
    assert light.low <= light.middle <= light.high
    assert light.area == seg.area > found.area
    assert light.map is None
    assert light.to_json()["doubt"] is None
    assert before.calibrated
    assert not light.calibrated
    assert "settings" in light.note
    assert whole.map is not None
    assert np.mean(whole.areas) > np.mean(before.areas)  # their thresholds went along


def test_the_same_settings_say_the_same(found: rs.Segmentation, model: rs.Classifier) -> None:
    before = rs.measure_uncertainty(found, model)
    after = rs.update_uncertainty(before, rs.resegment(found))
    assert after.interval == before.interval
    assert after.areas == before.areas
    np.testing.assert_array_equal(after.map, before.map)
    assert before.note in after.note


# The command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """50 photos of half A and 3 of half B, with masks; one of half A cannot be read."""
    data = tmp_path / "data"
    data.mkdir()
    rows = [",".join(COLUMNS)]
    rng = np.random.default_rng(0)
    wanted = {"A": 50, "B": 3}
    for scene in map(str, range(1000)):
        if not wanted[half_of(scene)]:
            continue
        wanted[half_of(scene)] -= 1
        height = int(rng.integers(0, 48))
        mask = np.zeros((48, 48), np.uint8)
        mask[: int(height * rng.uniform(0.5, 1))] = 255
        Image.fromarray(patch((48, 48), slice(0, height))).save(data / f"{scene}.png")
        Image.fromarray(mask).save(data / f"{scene}.mask.png")
        rows.append(f"{scene}.png,1,a,{scene},s{int(scene) % 2},{scene}.mask.png")
    (data / "manifest.csv").write_text("\n".join(rows) + "\n")
    return data


def test_calibrating_and_scoring(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = save_redness(tmp_path / "w.safetensors")
    words = ["calibrate", "--data", str(folder), "--model", str(weights)]
    assert main([*words, "--half", "B"]) == 2
    assert "area.json is not a calibration" in capsys.readouterr().err
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["half"], found["level"]) == ("A", 0.9)
    assert found["file"] == str(tmp_path / "area.json")
    assert found["groups"]["all"]["n"] == 50
    assert {"s0", "s1"} <= set(found["groups"])
    stored = load_area(tmp_path / "area.json")
    assert stored is not None
    assert stored.weights == rs.load_model(weights).digest
    assert len(stored.scores) + len(stored.empty_scores) == 50
    assert stored.record["report"] == found["groups"]
    before = (tmp_path / "area.json").read_bytes()
    assert main([*words, "--half", "B"]) == 0
    text = capsys.readouterr().out
    assert "half B, stored calibration" in text
    assert (tmp_path / "area.json").read_bytes() == before
    assert main([*words, "--half", "B", "--cam", "eq19"]) == 2
    assert "not calibrated for this configuration" in capsys.readouterr().err


def test_too_few_photos_write_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = save_redness(tmp_path / "w.safetensors")
    words = ["calibrate", "--data", str(folder), "--model", str(weights), "--limit", "4"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "8 photos with masks are too few" in said
    assert "photo/s" not in said  # before any was looked at
    assert not (tmp_path / "area.json").exists()
    (folder / "manifest.csv").write_text(",".join(COLUMNS) + "\n")
    assert main(words) == 2
    assert "no photo with a mask in half A" in capsys.readouterr().err


def test_the_command_knows_what_the_library_knows() -> None:
    assert command.HALVES == HALVES
    assert rs.UncertaintyConfig().level == command.LEVEL
    assert tuple(command.NAMES) == METHODS
