"""Pasting: what is laid where is known exactly; nothing happens when it is switched off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rustseg_jax.learning.augment import AugmentConfig
from rustseg_jax.learning.paste import sample
from rustseg_jax.learning.seeds import CLEAN, RUST

OFF = AugmentConfig(
    min_crop=1, max_crop=1, stretch=1, tone=0, jitter=0, saturation=0, cast=0, blur=0,
    downscale=0, jpeg=0, cut=0, paste_rust=0, paste_clean=0,
)  # fmt: skip
RED, BLUE, GREEN = (
    np.full((64, 64, 3), colour, np.uint8) for colour in ((250, 0, 0), (0, 0, 250), (0, 250, 0))
)
SEEDS = np.zeros((16, 16), np.uint8)
SEEDS[4:12, 4:12] = RUST  # the middle of the red picture


def make(label: int, seed: int, config: AugmentConfig, seeds: np.ndarray = SEEDS):  # type: ignore[no-untyped-def]
    picture = RED if label else BLUE
    return sample(picture, seeds, label, GREEN, 64, np.random.default_rng(seed), config)


def test_switched_off_it_is_the_picture_itself() -> None:
    for label, picture in ((1, RED), (0, BLUE)):
        crop = make(label, 0, OFF, SEEDS if label else np.zeros_like(SEEDS))
        np.testing.assert_array_equal(crop.pixels, picture)
    assert (make(1, 0, OFF).seeds[20:44, 20:44] == RUST).all()


def test_pasted_rust_lies_where_the_seeds_say_and_the_rest_is_clean() -> None:
    config = replace(OFF, paste_rust=1.0)
    shapes = set()
    for seed in range(20):
        crop = make(1, seed, config)
        if crop.pixels[0, 0, 0] > 200:
            continue  # the random shape missed the rust: the picture itself
        rust = crop.seeds == RUST
        assert set(np.unique(crop.seeds)) <= {CLEAN, RUST}
        assert 0.004 < rust.mean() <= 0.27
        # A seam of a few pixels is soft; beyond it every pixel is from where the seeds say.
        red = crop.pixels[..., 0].astype(int) > crop.pixels[..., 1]
        assert (red == rust).mean() > 0.95
        shapes.add(int(rust.sum()))
    assert len(shapes) > 5


def test_a_picture_without_sure_seeds_is_left_whole() -> None:
    unknown = np.full((16, 16), 128, np.uint8)
    for seed in range(5):
        crop = make(1, seed, replace(OFF, paste_rust=1.0), unknown)
        np.testing.assert_array_equal(crop.pixels, RED)


def test_clean_on_clean_stays_clean() -> None:
    config = replace(OFF, paste_clean=1.0)
    shares = []
    for seed in range(20):
        crop = make(0, seed, config, np.zeros_like(SEEDS))
        assert (crop.seeds == CLEAN).all()
        shares.append(float((crop.pixels[..., 1] > 100).mean()))
    assert min(shares) < 0.15
    assert max(shares) > 0.3


def test_one_seed_one_result() -> None:
    config = AugmentConfig(paste_rust=1.0)
    for seed in range(5):
        a, b = (make(1, seed, config) for _ in range(2))
        np.testing.assert_array_equal(a.pixels, b.pixels)
        np.testing.assert_array_equal(a.seeds, b.seeds)
        assert not np.array_equal(a.pixels, make(1, seed + 50, config).pixels)
