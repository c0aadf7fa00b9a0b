"""The four test sets, and what is measured on them: by hand with masks that were made up."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_made import red_model
from PIL import Image

from rustseg_jax.classify import Classifier
from rustseg_jax.errors import ConfigError, DataError
from rustseg_jax.evaluate import failure_measures as measures
from rustseg_jax.evaluate import failures
from rustseg_jax.evaluate.failure_measures import MEASURES, measure_failures
from rustseg_jax.evaluate.failures import (
    FAILURES,
    Failure,
    FailureCase,
    PhotoRule,
    chosen,
    scenes,
    survey,
)
from rustseg_jax.manifest import COLUMNS, half_of
from rustseg_jax.pipeline import Segmentation, segment
from rustseg_jax.scenes import KINDS, render

SHAPE = (16, 16)  # the least that the pipeline takes
NOTHING, ALL = np.zeros(SHAPE, bool), np.ones(SHAPE, bool)
LEFT = np.zeros(SHAPE, bool)
LEFT[:, :8] = True
TOP = LEFT.T


@pytest.fixture(scope="module")
def model() -> Classifier:
    return red_model(gain=24.0, odds=2.0, input_size=64)


def case(true=LEFT, *, shadow=TOP, lit=False, image=0) -> FailureCase:
    photo = np.full((*SHAPE, 3), image, np.uint8)
    return FailureCase(
        "x", photo, true, NOTHING, bool(true.any()), shadow, photo + 100 if lit else None
    )


def result(model: Classifier, mask, *, rough=None, corroded=True) -> Segmentation:
    """A result of the pipeline whose masks are replaced by made up ones."""
    seg = segment(np.full((*SHAPE, 3), 90, np.uint8), model)
    rough = mask if rough is None else rough
    heat = np.zeros((28, 28), np.float32)
    return replace(seg, corroded=corroded, mask=mask, rough=rough, heatmap=heat)


# ---- the sets


def test_the_sets_are_data_and_their_scenes_are_kept_from_training():
    assert list(FAILURES) == ["shadow", "all_rust", "crf_collapse", "post_processing"]
    assert set(FAILURES) == set(MEASURES)
    for failure in FAILURES.values():
        assert set(failure.kinds) <= set(KINDS)
        assert min(failure.seeds) == failures.FIRST_SEED
        assert len(set(failure.seeds)) == len(failure.seeds)


def test_a_shadowed_scene_has_a_twin_that_differs_in_the_shadow_alone():
    failure = Failure("", ("plate", "clean_pipe"), (5,), PhotoRule(), shadow=True)
    first, second = scenes(failure)
    assert (first.rusty, second.rusty) == (True, False)
    assert first.true.any()
    assert not second.true.any()
    for found in (first, second):
        assert found.lit is not None
        assert (found.image <= found.lit).all()
        darker = (found.image < found.lit).any(axis=-1)
        assert darker[found.shadow & (found.lit.min(axis=-1) > 20)].all()
        assert not found.ignore.any()


def test_scenes_with_too_little_rust_are_left_out_and_a_limit_is_evenly_spaced():
    everything = Failure("", ("plate", "rusted_sheet"), (1, 2), PhotoRule())
    shares = [c.true.mean() for c in scenes(everything)]
    least = (max(shares[0::2]) + min(shares[1::2])) / 2  # between the plates and the sheets
    kept = [c.name for c in scenes(replace(everything, least=least))]
    assert kept == ["rusted_sheet-1", "rusted_sheet-2"]
    assert [c.name for c in scenes(everything, 2)] == ["plate-1", "plate-2"]
    assert [c.name for c in scenes(replace(everything, least=least), 1)] == ["rusted_sheet-1"]


def test_small_rust_lies_on_the_clean_scene():
    found = list(scenes(Failure("", ("plate", "pipe"), (7,), PhotoRule(), small=True)))
    for small, kind in zip(found, ("plate", "pipe"), strict=True):
        rusty, clean = render(kind, 7), render(f"clean_{kind}", 7)
        assert small.rusty
        assert small.true.sum() == pytest.approx(rusty.mask.sum() / 16, rel=0.25)
        changed = (small.image != clean.image).any(axis=-1)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        assert max(np.ptp(rows), np.ptp(columns)) < 112  # a quarter of each side
        sure = small.true & changed
        assert sure.sum() > 0.9 * small.true.sum()
        # Where its cover is whole the colour is that of the rust, made small.
        assert (small.image[sure, 0] > small.image[sure, 2]).mean() > 0.8


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of one brightness each, their masks covering the first rows; scenes of half A."""
    folder = tmp_path_factory.mktemp("data")
    names = [str(k) for k in range(40) if half_of(str(k)) == "A"][:4]
    other = next(str(k) for k in range(40) if half_of(str(k)) == "B")
    rows = []
    todo = zip([*names, other], (0, 1, 32, 60, 60), (200, 200, 40, 30, 30), strict=True)
    for name, covered, brightness in todo:
        photo = np.full((64, 64, 3), brightness, np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        mask[:covered] = 255
        photo[:covered] = (150, 75, 30)
        Image.fromarray(photo).save(folder / f"{name}.png")
        Image.fromarray(mask).save(folder / f"{name}.mask.png")
        rows.append([f"{name}.png", 1, "s", name, "seg-x", f"{name}.mask.png"])
    rows.append([f"{names[0]}.png", 0, "s", names[0], "val", ""])
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder


def test_photos_follow_from_the_rules(data: Path):
    """Shares 0, 1/64, 1/2, 60/64; the last two are dark where there is no rust."""
    found = survey(data, "A")
    assert [p.share for p in found] == [0, 1 / 64, 1 / 2, 60 / 64]
    assert [p.dark for p in found] == [0, 0, 1, 1]
    assert len(survey(data, "B")) == 1
    place = {p.record: k for k, p in enumerate(found)}
    taken = {
        name: [place[r] for r in chosen(found, failure.photos)]
        for name, failure in FAILURES.items()
    }
    assert taken == {
        "shadow": [2, 3],
        "all_rust": [3],
        "crf_collapse": [0, 1],
        "post_processing": [2],
    }
    assert len(chosen(found, FAILURES["shadow"].photos, 1)) == 1


# ---- the measures, by hand


def test_shadow_by_hand(model: Classifier):
    """Truth left, shadow above. In shadow all is marked; in the light what is true."""

    def run(image):
        return result(model, ALL if image[0, 0, 0] < 100 else LEFT)

    rusty = measures._shadow_row(case(lit=True), run)
    clean = measures._shadow_row(
        case(NOTHING, lit=True), lambda im: result(model, NOTHING, corroded=im[0, 0, 0] < 100)
    )
    assert measures._shadow_numbers([rusty, clean]) == {
        "fp_shadow": 4 / 12,  # a quarter of the first picture; of the second, half is in shadow
        "fp_light": 0,
        "recall_shadow": 1,
        "recall_light": 1,
        "iou": 8 / 16,
        "iou_without": 1,
        "false_alarms": 1,
        "false_alarms_without": 0,
        "missed": 0,
        "missed_without": 0,
    }


def test_shadow_of_a_photo_by_hand(model: Classifier):
    """Marked is the top: in the shadow all of it, in the light nothing."""
    row = measures._shadow_row(case(), lambda image: result(model, TOP, corroded=True))
    found = measures._shadow_numbers([row])
    assert (found["fp_shadow"], found["fp_light"]) == (1, 0)
    assert (found["recall_shadow"], found["recall_light"]) == (1, 0)
    assert found["iou"] == 4 / 12
    assert found["iou_without"] is found["false_alarms"] is found["missed_without"] is None


def test_all_rust_by_hand(model: Classifier):
    """One picture half marked, one called clean."""
    rows = [
        measures._all_rust_row(case(ALL), lambda image: result(model, LEFT)),
        measures._all_rust_row(case(ALL), lambda image: result(model, NOTHING, corroded=False)),
    ]
    found = measures._all_rust_numbers(rows)
    assert found["recall"] == found["iou"] == 0.25
    assert found["found"] == found["missed"] == 0.5


def test_collapse_by_hand(model: Classifier):
    """Rough: all. Of its true half the CRF keeps one half in one picture and none in the other."""
    rows = [
        measures._collapse_row(case(), lambda image: result(model, LEFT & TOP, rough=ALL)),
        measures._collapse_row(case(), lambda image: result(model, TOP & ~LEFT, rough=ALL)),
    ]
    found = measures._collapse_numbers(rows)
    assert found["survival"] == 4 / 16
    assert found["collapsed"] == 0.5
    assert found["iou_rough"] == 0.5
    assert found["iou_mask"] == 4 / (8 + 12)


def test_a_perfect_heat_map_gives_the_rough_mask_the_true_cells(model: Classifier):
    """4 cells of 16 pixels a side, one row and two columns of which are all rust."""
    true = np.zeros((64, 64), bool)
    true[16:32, 32:] = True
    photo = np.full((64, 64, 3), 120, np.uint8)
    seg = measures._with_perfect_heat(segment(photo, model), true)
    np.testing.assert_array_equal(
        seg.heatmap, [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    )
    assert seg.corroded
    assert seg.rough[20:28, 40:].all()  # the enlarging smears the border over half a cell
    assert not seg.rough[:8].any()
    assert not seg.rough[40:].any()
    assert not seg.rough[:, :24].any()


def test_post_processing_by_hand(model: Classifier):
    """A heat map of 1 on the left and 0.3 elsewhere is best from 0.35 on; the mask is its top."""
    heat = np.full((28, 28), 0.3, np.float32)
    heat[:, :14] = 1
    true = np.zeros((28, 28), bool)
    true[:, :14] = True
    photo = FailureCase(
        "x", np.zeros((28, 28, 3), np.uint8), true, np.zeros_like(true), True, np.zeros_like(true)
    )
    top = true.copy()
    top[14:] = False

    def run(mask):
        return lambda image: replace(
            result(model, NOTHING), image=photo.image, heatmap=heat, mask=mask
        )

    half = measures._post_numbers([measures._post_row(photo, run(top))])
    assert half["iou_best"] == half["iou_one"] == 1
    assert half["gap_best"] == half["gap_one"] == -0.5
    assert (half["good_maps"], half["lost"]) == (1, 0)
    top[7:] = False
    assert measures._post_numbers([measures._post_row(photo, run(top))])["lost"] == 1


def test_nothing_to_count_is_none_and_not_a_number():
    for row, numbers in measures._HOW.values():
        assert callable(row)
        assert {v for v in numbers([]).values() if v is not None} == set()


# ---- the whole


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seeds of each kind: of all of them a minute's rendering would be left out again."""
    small = {name: replace(f, seeds=f.seeds[:2], least=0.0) for name, f in FAILURES.items()}
    monkeypatch.setattr(measures, "FAILURES", small)


@pytest.mark.usefixtures("few")
def test_the_whole_report_is_valid_json_and_complete(data: Path, model: Classifier):
    seen = []
    found = measure_failures(model, data=data, limit=2, progress=lambda *now: seen.append(now))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert list(found) == list(FAILURES)
    assert seen[-1] == (8, 8)
    for name, by_set in found.items():
        assert list(by_set) == ["scenes", "photos"]
        for numbers in by_set.values():
            assert list(numbers) == ["n", *MEASURES[name]]
    assert [found[name]["photos"]["n"] for name in found] == [2, 1, 2, 1]
    # Rust is red to this network and it sees nothing else, so it misses none of these.
    assert found["all_rust"]["photos"]["missed"] == 0


@pytest.mark.usefixtures("few")
def test_scenes_need_no_data(model: Classifier):
    found = measure_failures(model, names=["all_rust"], limit=1)
    assert list(found) == ["all_rust"]
    assert list(found["all_rust"]) == ["scenes"]
    assert found["all_rust"]["scenes"]["n"] == 1


def test_misuse(tmp_path: Path, model: Classifier):
    with pytest.raises(ConfigError, match="failure is 'rain'; it must be one of shadow"):
        measure_failures(model, names=["rain"])
    with pytest.raises(ConfigError, match="limit is 0"):
        measure_failures(model, limit=0)
    with pytest.raises(DataError, match=r"manifest\.csv not found"):
        measure_failures(model, data=tmp_path)


@pytest.mark.shared
def test_every_rule_finds_photos_in_both_halves(shared_data: Path):
    for half in ("A", "B"):
        found = survey(shared_data, half)
        for name, failure in FAILURES.items():
            assert len(chosen(found, failure.photos)) >= 5, (half, name)
