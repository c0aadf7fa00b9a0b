"""Upsampling of maps: bilinear against another library, and guided by the photo's edges."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from rustseg_jax.errors import ConfigError
from rustseg_jax.images.resample import STRIP_PIXELS, bilinear, bilinear_strips, guided_upsample


def step_photo(shape: tuple[int, int], column: int) -> np.ndarray:
    """Blue-grey paint left of a column, rust brown from it on."""
    photo = np.empty((*shape, 3), np.uint8)
    photo[:, :column] = (90, 110, 130)
    photo[:, column:] = (150, 75, 30)
    return photo


def test_bilinear_by_hand() -> None:
    # Half-pixel centres: new centres lie at -1/4, 1/4, 3/4, 5/4 of the old grid.
    row = bilinear(np.array([[0.0, 1.0]], np.float32), (1, 4))
    np.testing.assert_allclose(row, [[0, 0.25, 0.75, 1]], atol=1e-7)


@pytest.mark.parametrize("shape", [(7, 5), (28, 28), (61, 33), (3, 90)])
def test_bilinear_equals_jax(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).random((7, 5), np.float32)
    expected = jax.image.resize(values, shape, "bilinear")
    np.testing.assert_allclose(bilinear(values, shape), expected, atol=2e-6)


def test_strips_join_without_a_seam() -> None:
    values = np.random.default_rng(1).random((9, 5), np.float32)
    width = 2053
    shape = (3 * (STRIP_PIXELS // width) + 17, width)
    whole = bilinear(values, shape)
    seen = 0
    for rows, strip in bilinear_strips(values, shape):
        assert rows.start == seen
        np.testing.assert_allclose(strip, whole[rows], atol=1e-4)
        seen = rows.stop
    assert seen == shape[0]


def test_guided_is_the_identity_at_the_same_size() -> None:
    values = np.random.default_rng(2).random((12, 9), np.float32)
    photo = step_photo((12, 9), 4)
    np.testing.assert_array_equal(guided_upsample(values, photo, photo), values)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_constant_stays_constant(level: float) -> None:
    rng = np.random.default_rng(3)
    photo = rng.integers(0, 256, (60, 44, 3), np.uint8)
    small = photo[::4, ::4]
    full = guided_upsample(np.full(small.shape[:2], level, np.float32), small, photo)
    assert full.shape == (60, 44)
    assert full.dtype == np.float32
    np.testing.assert_allclose(full, level, atol=1e-4)


def test_the_border_lands_on_the_edge_of_the_photo() -> None:
    # The edge is at column 37, within the small map's column 4 (of 8 photo pixels each):
    # 32 to 36 are paint, 37 to 39 rust. No map of that size can say so, the photo can.
    photo = step_photo((64, 64), 37)
    small = photo.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    truth = np.zeros((64, 64), bool)
    truth[:, 37:] = True
    values = truth.reshape(8, 8, 8, 8).mean(axis=(1, 3), dtype=np.float32)
    guided = guided_upsample(values, small, photo) >= 0.5
    plain = bilinear(values, (64, 64)) >= 0.5
    assert (plain != truth).any()
    np.testing.assert_array_equal(guided, truth)


def test_a_flat_photo_gives_the_bilinear_result() -> None:
    values = np.random.default_rng(4).random((6, 8), np.float32)
    photo = np.full((48, 40, 3), 77, np.uint8)
    guided = guided_upsample(values, photo[:6, :8], photo)
    np.testing.assert_allclose(guided, bilinear(values, (48, 40)), atol=1e-5)


def test_results_stay_within_0_and_1() -> None:
    rng = np.random.default_rng(5)
    photo = rng.integers(0, 256, (90, 70, 3), np.uint8)
    values = (rng.random((9, 7)) > 0.5).astype(np.float32)
    full = guided_upsample(values, photo[::10, ::10], photo, epsilon=1e-6)
    assert full.min() == 0
    assert full.max() == 1


def test_many_strips_equal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    photo = rng.integers(0, 256, (70, 50, 3), np.uint8)
    values = rng.random((14, 10), np.float32)
    whole = guided_upsample(values, photo[::5, ::5], photo)
    monkeypatch.setattr("rustseg_jax.images.resample.STRIP_PIXELS", 300)
    np.testing.assert_allclose(guided_upsample(values, photo[::5, ::5], photo), whole, atol=1e-4)


def test_refusals() -> None:
    values = np.full((6, 8), 0.5, np.float32)
    photo = np.zeros((12, 16, 3), np.uint8)
    small = photo[::2, ::2]
    with pytest.raises(ConfigError, match="NaN"):
        guided_upsample(np.full((6, 8), np.nan, np.float32), small, photo)
    with pytest.raises(ConfigError, match="small has the shape"):
        guided_upsample(values.T, small, photo)
    with pytest.raises(ConfigError, match="photo is float32"):
        guided_upsample(values, small, photo.astype(np.float32))
    with pytest.raises(ConfigError, match="photo has the shape"):
        guided_upsample(values, small, photo[:4])
    with pytest.raises(ConfigError, match="radius is 0"):
        guided_upsample(values, small, photo, radius=0)
    with pytest.raises(ConfigError, match="shape"):
        bilinear(np.zeros((2, 3, 4), np.float32), (5, 5))
