"""Augmentation: one seed, one result; nothing changes when every strength is zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rustseg_jax.learning.augment import AugmentConfig, Crop, augment, cells, cut_crop
from rustseg_jax.learning.seeds import CLEAN, RUST, UNKNOWN

OFF = AugmentConfig(
    min_crop=1, max_crop=1, stretch=1, tone=0, jitter=0, saturation=0, cast=0, blur=0,
    downscale=0, jpeg=0, cut=0,
)  # fmt: skip


def picture(side: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def run(config: AugmentConfig, *, seed: int = 0, side: int = 40, of: int = 40) -> np.ndarray:
    return augment(picture(of), side, np.random.default_rng(seed), config).pixels


def test_nothing_but_the_mirror_is_left_when_all_is_off() -> None:
    seen = set()
    for seed in range(12):
        found = run(OFF, seed=seed)
        mirrored = not np.array_equal(found, picture())
        np.testing.assert_array_equal(found, picture()[:, ::-1] if mirrored else picture())
        seen.add(mirrored)
    assert seen == {True, False}


@pytest.mark.parametrize(("side", "of"), [(16, 16), (32, 48), (48, 32)])
def test_shape_type_and_seed(side: int, of: int) -> None:
    config = AugmentConfig(tone=1, blur=1, downscale=1, jpeg=1, cut=1)
    for seed in range(6):
        found = run(config, seed=seed, side=side, of=of)
        assert found.shape == (side, side, 3)
        assert found.dtype == np.uint8
        assert found.flags.writeable
        np.testing.assert_array_equal(found, run(config, seed=seed, side=side, of=of))
        assert not np.array_equal(found, run(config, seed=seed + 100, side=side, of=of))


def test_the_picture_itself_is_untouched() -> None:
    original = picture()
    original.flags.writeable = False
    for seed in range(4):
        augment(original, 32, np.random.default_rng(seed), AugmentConfig(cut=1))
    np.testing.assert_array_equal(original, picture())


@pytest.mark.parametrize(
    "change",
    [{"tone": 1.0}, {"jitter": 0.4}, {"saturation": 0.5}, {"cast": 0.1}, {"blur": 1.0},
     {"downscale": 1.0}, {"jpeg": 1.0}, {"cut": 1.0}, {"min_crop": 0.5}, {"stretch": 1.5}],
)  # fmt: skip
def test_every_strength_does_something(change: dict[str, float]) -> None:
    config = replace(OFF, **change)
    found = [run(config, seed=seed) for seed in range(3)]
    assert not any(np.array_equal(f, p) for f in found for p in (picture(), picture()[:, ::-1]))


def test_a_crop_shows_the_share_that_is_asked_for() -> None:
    # Columns and rows count up, so the spread of a crop's values is its size.
    ramp = np.zeros((200, 200, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(200)[None], np.arange(200)[:, None]
    config = replace(OFF, min_crop=0.5, max_crop=0.6)
    for seed in range(20):
        found = augment(ramp, 100, np.random.default_rng(seed), config).pixels.astype(int)
        for channel in (0, 1):
            assert 97 <= np.ptp(found[..., channel]) <= 120


@pytest.mark.parametrize("seed", range(8))
def test_a_cut_hides_one_rectangle_of_grey_or_ink(seed: int) -> None:
    found = run(replace(OFF, cut=1), seed=seed)
    changed = (found != picture()).any(-1) & (found != picture()[:, ::-1]).any(-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    hidden = found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert 2 <= hidden.shape[0] <= 12
    assert 2 <= hidden.shape[1] <= 12
    assert (hidden == hidden[..., :1]).all()
    assert len(np.unique(hidden)) <= 2  # a printed marker has two inks


def test_seeds_follow_the_crop() -> None:
    # Left half rust, right half clean, in pixels as in seeds.
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32] = 255
    seeds = np.zeros((16, 16), np.uint8)
    seeds[:, :8] = RUST
    config = replace(OFF, min_crop=0.3, max_crop=0.9, stretch=1.3)
    for seed in range(20):
        found = augment(pixels, 32, np.random.default_rng(seed), config, seeds)
        rusty = found.pixels[..., 0] > 250
        clean = found.pixels[..., 0] < 5
        assert (found.seeds[rusty] > UNKNOWN).mean() > 0.9 if rusty.any() else True
        assert (found.seeds[clean] < UNKNOWN).mean() > 0.9 if clean.any() else True


def test_without_seeds_nothing_is_known_and_hidden_parts_are_unknown() -> None:
    rng = np.random.default_rng
    assert (augment(picture(), 40, rng(0), OFF).seeds == UNKNOWN).all()
    known = np.full((10, 10), RUST, np.uint8)
    for seed in range(8):
        found = augment(picture(), 40, rng(seed), replace(OFF, cut=1.0), known)
        hidden = found.seeds == UNKNOWN
        assert 0 < hidden.mean() < 0.15
        assert (found.seeds[~hidden] == RUST).all()


def test_a_crop_shows_the_place_that_was_asked_for() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[80:84, 10:14] = 255
    config = replace(OFF, min_crop=0.3, max_crop=0.3)
    for seed in range(20):
        crop = cut_crop(pixels, 60, np.random.default_rng(seed), config, at=(0.12, 0.82))
        assert crop.pixels.max() == 255


def test_cells_by_hand() -> None:
    seeds = np.full((32, 32), UNKNOWN, np.uint8)
    seeds[:16, :16] = RUST
    seeds[16:, :16] = CLEAN
    seeds[16:, 16:24], seeds[16:, 24:] = CLEAN, RUST  # half and half: 127.5, no side
    np.testing.assert_array_equal(cells(seeds), [[127, 0], [-127, 0]])


def test_a_crop_has_both_parts() -> None:
    found = augment(picture(), 32, np.random.default_rng(0), AugmentConfig())
    assert isinstance(found, Crop)
    assert found.seeds.shape == (32, 32)
