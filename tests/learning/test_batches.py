"""Which pictures come when: balanced, fair, and a function of (seed, step) alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from rustseg_jax.learning.augment import AugmentConfig, cells
from rustseg_jax.learning.batches import BatchMaker, draw, draw_partners
from rustseg_jax.learning.paste import sample

LABELS = np.array([0, 1, 0, 0, 1, 0, 1, 0, 0, 0])  # seven clean, three of corrosion


def test_every_batch_is_balanced_and_alternates() -> None:
    for step in range(20):
        chosen = draw(LABELS, batch=6, step=step, seed=1)
        assert chosen.dtype == np.int64
        np.testing.assert_array_equal(LABELS[chosen], [0, 1, 0, 1, 0, 1])


@pytest.mark.parametrize("batch", [2, 6, 8, 20])
def test_no_picture_repeats_before_a_pass_ends(batch: int) -> None:
    steps = [draw(LABELS, batch=batch, step=s, seed=5) for s in range(42)]
    for label, members in ((0, {0, 2, 3, 5, 7, 8, 9}), (1, {1, 4, 6})):
        order = np.concatenate([s[label::2] for s in steps])
        passes = [order[k : k + len(members)] for k in range(0, len(order), len(members))]
        whole = [p for p in passes if len(p) == len(members)]
        assert len(whole) >= 6
        assert all(set(p.tolist()) == members for p in whole)
        assert len({tuple(p) for p in whole}) > 1  # a new order on every pass


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    forwards = [draw(LABELS, batch=4, step=s, seed=2) for s in range(9)]
    backwards = [draw(LABELS, batch=4, step=s, seed=2) for s in reversed(range(9))]
    np.testing.assert_array_equal(forwards, backwards[::-1])
    other = [draw(LABELS, batch=4, step=s, seed=3) for s in range(9)]
    assert not np.array_equal(forwards, other)


def test_partners_are_clean_and_come_in_turn() -> None:
    found = np.concatenate([draw_partners(LABELS, batch=4, step=s, seed=3) for s in range(14)])
    assert (LABELS[found] == 0).all()
    for first in range(0, 56, 7):
        assert set(found[first : first + 7].tolist()) == {0, 2, 3, 5, 7, 8, 9}
    again = draw_partners(LABELS, batch=4, step=5, seed=3)
    np.testing.assert_array_equal(again, found[20:24])


def files(folder: Path, side: int) -> tuple[Path, Path]:
    """Ten packed pictures and their seeds: rust in the upper half of the rusty ones."""
    rng = np.random.default_rng(0)
    np.save(folder / "pack.npy", rng.integers(0, 256, (10, side, side, 3), np.uint8))
    seeds = np.zeros((10, side // 4, side // 4), np.uint8)
    seeds[LABELS == 1, : side // 8] = 255
    np.save(folder / "seeds.npy", seeds)
    return folder / "pack.npy", folder / "seeds.npy"


@pytest.mark.slow
def test_workers_return_the_batches_in_order(tmp_path: Path) -> None:
    places = files(tmp_path, 32)
    options = {"batch": 4, "crop": 16, "share": (0.5, 0.8), "seed": 7, "config": AugmentConfig()}
    with BatchMaker(2, ahead=2) as maker:
        found = list(maker.batches(*places, LABELS, range(3, 8), **options))  # type: ignore[arg-type]
        assert [batch.step for batch in found] == [3, 4, 5, 6, 7]
        later = maker.batches(*places, LABELS, range(5, 100), **options)  # type: ignore[arg-type]
        second = next(later)
        np.testing.assert_array_equal(second.pictures, found[2].pictures)  # from the middle
        np.testing.assert_array_equal(second.seeds, found[2].seeds)
        later.close()  # in the middle: what is queued is dropped
    for batch in found:
        chosen = draw(LABELS, batch=4, step=batch.step, seed=7)
        assert batch.pictures.shape == (4, 16, 16, 3)
        assert batch.pictures.dtype == np.uint8
        assert batch.labels.dtype == np.int32
        assert batch.seeds.shape == (4, 1, 1)
        assert batch.seeds.dtype == np.int8
        np.testing.assert_array_equal(batch.labels, LABELS[chosen])
    packed, seeds = (np.load(p) for p in places)
    chosen = draw(LABELS, batch=4, step=3, seed=7)
    partners = draw_partners(LABELS, batch=4, step=3, seed=7)
    wanted = sample(
        packed[chosen[1]],
        seeds[chosen[1]],
        1,
        packed[partners[1]],
        16,
        np.random.default_rng((7, 2, 3, 1)),
        AugmentConfig(min_crop=0.5, max_crop=0.8),
    )
    np.testing.assert_array_equal(found[0].pictures[1], wanted.pixels)
    np.testing.assert_array_equal(found[0].seeds[1], cells(wanted.seeds))


@pytest.mark.slow
def test_ctrl_c_in_the_process_group_leaves_the_workers_alone(tmp_path: Path) -> None:
    places = files(tmp_path, 16)
    options = {"batch": 2, "crop": 16, "share": (1, 1), "seed": 0, "config": AugmentConfig()}
    with BatchMaker(1, ahead=1) as maker:
        batches = maker.batches(*places, LABELS, range(4), **options)  # type: ignore[arg-type]
        next(batches)
        for pid in maker._pool._processes:
            os.kill(pid, signal.SIGINT)
        assert [batch.step for batch in batches] == [1, 2, 3]
