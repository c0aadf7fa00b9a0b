from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hand_made import picture, red_model
from labels_made import box, new_store, nonce, photo_bytes, result, save

from rustseg_jax import Config, ConfigError, segment
from rustseg_jax.labels import Blame, Filters, blame_all, blame_correction
from rustseg_jax.teaching.mask import compare_with_truth

SHAPE = (16, 16)
LEFT, TOP = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
LEFT[:, :8], TOP[:8] = True, True


@pytest.fixture
def store(tmp_path):
    return new_store(tmp_path)


def case(store, true, *, seed=0, ignore=None, who="ada", **seen):
    """A photo, what was predicted of it, and what an expert says."""
    photo = store.add_photo(photo_bytes(seed, SHAPE))
    shown = store.add_prediction(photo, result(shape=SHAPE, **seen))
    made = save(store, photo, who, mask=true, ignore=ignore, prediction=shown.id)
    return made, shown


HEAT = np.zeros(SHAPE, np.float32)  # a heat map as fine as the photo: nothing is enlarged
HEAT[:, :8], HEAT[:8, 8:] = 0.8, 0.6


def test_the_stage_that_lost_most_by_hand(store):
    made, shown = case(
        store, LEFT, heat=HEAT, threshold=0.55, rough=LEFT | TOP, mask=LEFT & TOP
    )  # fmt: skip
    found = blame_correction(made, shown)
    # At one half the heat map is left or top: 128 of 192 pixels are right.
    assert found.iou == {
        "heatmap": pytest.approx(2 / 3), "rough": pytest.approx(2 / 3), "mask": pytest.approx(1 / 2)
    }  # fmt: skip
    assert list(found.stages) == ["grid", "heatmap", "threshold", "crf", "verdict"]
    assert [s.iou for s in found.stages.values()] == pytest.approx([1, 1, 2 / 3, 1 / 2, 1 / 2])
    assert [s.lost for s in found.stages.values()] == pytest.approx([0, 0, 1 / 3, 1 / 6, 0])
    assert (found.worst, found.best_threshold) == ("threshold", pytest.approx(0.61))
    assert (found.correction, found.prediction, found.model) == (made.id, shown.id, "a" * 64)


def test_what_the_expert_left_open_is_not_counted(store):
    made, shown = case(
        store, LEFT, ignore=TOP & ~LEFT, heat=HEAT, threshold=0.55, rough=LEFT | TOP, mask=LEFT
    )  # fmt: skip
    found = blame_correction(made, shown)
    assert found.iou == {"heatmap": 1, "rough": 1, "mask": 1}
    assert found.worst == ""


def test_a_missed_verdict_answers_for_the_empty_mask(store):
    made, shown = case(store, LEFT, probability=0.1, heat=HEAT, threshold=0.7, rough=LEFT)
    found = blame_correction(made, shown)
    assert list(found.stages) == ["grid", "heatmap", "threshold", "verdict"]
    assert (found.worst, found.iou["rough"], found.iou["mask"]) == ("verdict", 1, 0)


def test_the_lesson_says_the_same(store):
    """`compare_with_truth` has the whole result; the store has what was kept of it."""
    pixels = picture(rusty=True)
    true = np.zeros(pixels.shape[:2], bool)
    true[30:80, 20:100] = True
    model = red_model(gain=24, odds=2)
    for seed, config in enumerate((Config(), Config(decision_threshold=1.0))):
        seg = segment(pixels, model, config)
        photo = store.add_photo(photo_bytes(seed, pixels.shape[:2]))
        shown = store.add_prediction(photo, seg)
        found = blame_correction(save(store, photo, mask=true, prediction=shown.id), shown)
        lesson = compare_with_truth(seg, true)
        assert found.best_threshold == lesson.best_threshold
        for name, loss in found.stages.items():
            assert loss.iou == lesson.stages[name].iou
            if seg.corroded:
                assert loss.lost == lesson.stages[name].lost
        assert found.worst == lesson.worst


def test_totals_by_hand(store):
    case(store, LEFT, heat=HEAT, threshold=0.55, rough=LEFT | TOP, mask=LEFT & TOP)
    made, _ = case(store, LEFT, seed=1, probability=0.1, heat=HEAT, threshold=0.7, rough=LEFT,
                   digest="b" * 64)  # fmt: skip
    save(store, store.photo(made.photo), "bob", prediction=made.prediction)  # without a mask
    save(store, store.photo(made.photo), "cleo", mask=LEFT)  # without a prediction
    gone, _ = case(store, TOP, seed=2, heat=HEAT, who="dora")
    store.withdraw(gone.id, nonce=nonce(), who="dora")
    save(store, store.photo(made.photo), "eve", kind="consensus", method="majority",
         sources=[made.id], mask=TOP, prediction=made.prediction)  # fmt: skip
    told = []
    found = blame_all(store, progress=lambda *at: told.append(at))
    assert told[-1] == (6, 6)
    both = found["all"]
    assert both["n"] == 2
    assert both["iou"] == {
        "heatmap": pytest.approx(2 / 3), "rough": pytest.approx((2 / 3 + 1) / 2), "mask": 0.25
    }  # fmt: skip
    # Pooled, in pixels: the rough masks hit 128 and 128, with 64 too many.
    assert both["pooled_iou"] == {
        "heatmap": pytest.approx(256 / 384), "rough": pytest.approx(256 / 320), "mask": 64 / 256
    }  # fmt: skip
    assert both["lost"] == {
        "grid": 0, "heatmap": 0, "threshold": pytest.approx(1 / 6), "crf": pytest.approx(1 / 12),
        "verdict": 0.5,
    }  # fmt: skip
    assert both["worst"] == {
        "grid": 0, "heatmap": 0, "threshold": 1, "crf": 0, "verdict": 1, "": 0,
    }  # fmt: skip
    assert {m: part["n"] for m, part in found["models"].items()} == {"a" * 64: 1, "b" * 64: 1}
    assert blame_all(store, Filters(who="dora"))["all"]["n"] == 1
    assert blame_all(store, Filters(who="nobody")) == {"all": {"n": 0}, "models": {}}


def test_what_cannot_be_blamed(store):
    made, shown = case(store, LEFT, heat=HEAT)
    other = save(store, store.add_photo(photo_bytes(5, SHAPE)), mask=LEFT)
    with pytest.raises(ConfigError, match="different photos"):
        blame_correction(other, shown)
    with pytest.raises(ConfigError, match="no mask"):
        blame_correction(save(store, store.photo(made.photo)), shown)


def test_what_was_found_before_is_not_looked_at_again(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    turns: list[int] = []
    known: dict[str, Blame] = {}

    @contextmanager
    def turn() -> Iterator[None]:
        turns.append(1)
        yield

    for seed in range(2):
        photo = store.add_photo(photo_bytes(seed))
        prediction = store.add_prediction(photo, result(rough=box(0, 0, 9, 9)))
        save(store, photo, mask=box(0, 0, 5, 9), prediction=prediction.id)
        again = blame_all(store, known=known, turn=turn)
        assert again == blame_all(store)
    assert len(turns) == len(known) == 2
