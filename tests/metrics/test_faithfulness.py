"""Insertion, deletion and ROAD: hand-worked numbers, and plain loops as oracle."""

from __future__ import annotations

import numpy as np
import pytest

from rustseg_jax.errors import ConfigError
from rustseg_jax.metrics.faithfulness import impute, insertion_deletion, road


def corner_image():
    """Grey, its top left quarter red."""
    image = np.full((8, 8, 3), 100, np.uint8)
    image[:4, :4] = (255, 0, 0)
    return image


def redness(batch):
    """Share of the pixels that are as red as the quarter, times 4: 1 for the photo."""
    return ((batch[..., 0] > 0.99) & (batch[..., 1] < 0.01)).mean(axis=(1, 2)) * 4


GOOD = np.kron([[1.0, 0.0], [0.0, 0.0]], np.ones((4, 4)))


def test_insertion_and_deletion_by_hand():
    # The map marks the quarter: after a quarter of the pixels all red is in (or out).
    result = insertion_deletion(redness, corner_image(), GOOD, fill="mean", steps=4)
    assert result.fractions == (0, 0.25, 0.5, 0.75, 1)
    assert result.insertion_curve == (0, 1, 1, 1, 1)
    assert result.deletion_curve == (1, 0, 0, 0, 0)
    assert result.insertion == pytest.approx(7 / 8)
    assert result.deletion == pytest.approx(1 / 8)


def test_a_map_of_the_wrong_place_scores_badly():
    result = insertion_deletion(redness, corner_image(), 1 - GOOD, fill="mean", steps=4)
    assert result.insertion_curve == (0, 0, 0, 0, 1)
    assert result.deletion_curve == (1, 1, 1, 1, 0)


def test_a_flat_map_scores_as_chance():
    image = corner_image().repeat(8, axis=0).repeat(8, axis=1)
    result = insertion_deletion(redness, image, np.zeros((4, 4)), fill="mean")
    np.testing.assert_allclose(result.insertion_curve, result.fractions, atol=0.08)
    assert result == insertion_deletion(redness, image, np.ones((4, 4)), fill="mean")


@pytest.mark.parametrize("fill", ["blur", "mean"])
def test_the_ends_of_the_curves(fill):
    image = np.random.default_rng(1).integers(0, 256, (48, 80, 3), np.uint8)
    seen = []

    def predict(batch):
        seen.append(batch.copy())
        return batch[..., 0].std(axis=(1, 2))

    heat = np.random.default_rng(2).random((3, 5))
    result = insertion_deletion(predict, image, heat, fill=fill, steps=5, batch=4)
    assert all(batch.shape == (4, 48, 80, 3) for batch in seen)
    assert all(batch.dtype == np.float32 for batch in seen)
    assert len(seen) == 3  # 10 pictures
    np.testing.assert_array_equal(seen[1][1], image / np.float32(255))
    assert result.insertion_curve[-1] == result.deletion_curve[0]
    assert result.insertion_curve[0] == result.deletion_curve[-1]
    assert result.insertion_curve[-1] == pytest.approx((image[..., 0] / 255).std(), rel=1e-5)
    assert result.insertion_curve[0] < result.insertion_curve[-1] - 0.01


def test_the_batch_does_not_matter():
    image = np.random.default_rng(3).integers(0, 256, (8, 8, 3), np.uint8)
    heat = np.random.default_rng(4).random((2, 2))

    def mean(batch):
        return batch[..., 0].mean(axis=(1, 2), dtype=np.float64)

    curves = [insertion_deletion(mean, image, heat, steps=6, batch=b) for b in (1, 5, 40)]
    assert curves[0] == curves[1] == curves[2]


def test_rise_fills_with_blur_and_with_the_mean():
    """The insertion is that of blur and the deletion that of the mean, each to the last bit."""
    image = np.random.default_rng(5).integers(0, 256, (32, 48, 3), np.uint8)
    heat = np.random.default_rng(6).random((2, 3))

    def spread(batch):
        return batch[..., 0].std(axis=(1, 2), dtype=np.float64)

    blur, mean, rise = (
        insertion_deletion(spread, image, heat, fill=fill, steps=5)
        for fill in ("blur", "mean", "rise")
    )
    assert rise.insertion_curve == blur.insertion_curve
    assert rise.deletion_curve == mean.deletion_curve
    assert mean.deletion_curve != blur.deletion_curve


# --- ROAD: what is taken away is filled in


def test_imputation_by_hand():
    """A missing corner is the mean of its neighbours, direct ones weighing twice as much."""
    photo = np.zeros((2, 2, 3), np.float32)
    photo[0, 1], photo[1, 0], photo[1, 1] = 0.25, 0.5, 1.0
    gone = np.array([[True, False], [False, False]])
    filled = impute(photo, gone, noise=0)
    np.testing.assert_allclose(filled[0, 0], (2 * 0.25 + 2 * 0.5 + 1.0) / 5, rtol=1e-6)
    np.testing.assert_array_equal(filled[~gone], photo[~gone])


def test_imputation_agrees_with_plain_iteration():
    """Jacobi's method on the same means, until nothing moves."""
    rng = np.random.default_rng(0)
    photo, gone = rng.random((9, 7, 3)).astype(np.float32), rng.random((9, 7)) < 0.6
    weights = {(a, b): 1 / 12 if a and b else 1 / 6 for a in (-1, 0, 1) for b in (-1, 0, 1)}
    del weights[0, 0]
    found = np.where(gone[..., None], 0.5, photo.astype(np.float64))
    for _ in range(2000):
        previous = found.copy()
        for y, x in np.argwhere(gone):
            around = [
                (w, previous[y + a, x + b])
                for (a, b), w in weights.items()
                if 0 <= y + a < 9 and 0 <= x + b < 7
            ]
            found[y, x] = sum(w * v for w, v in around) / sum(w for w, _ in around)
    np.testing.assert_allclose(impute(photo, gone, noise=0), found, atol=1e-6)


def test_imputation_adds_little_noise_always_the_same():
    photo, gone = np.full((30, 30, 3), 0.5, np.float32), np.ones((30, 30), bool)
    gone[0] = False
    filled = impute(photo, gone)
    assert 0.008 < filled[gone].std() < 0.012
    np.testing.assert_array_equal(filled, impute(photo, gone))
    np.testing.assert_array_equal(impute(photo, np.zeros_like(gone)), photo)


def test_road_by_hand():
    """Grey with a red quarter in its middle: without the quarter no red is left, without
    the cold three quarters all of it is."""
    image = np.full((16, 16, 3), 100, np.uint8)
    image[4:12, 4:12] = (250, 0, 0)
    heat = np.zeros((16, 16))
    heat[4:12, 4:12] = 1

    def red(batch):  # share of the quarter that is still red
        return (batch[:, 4:12, 4:12, 0] - batch[:, 4:12, 4:12, 1] > 0.9).mean(axis=(1, 2))

    good = road(red, image, heat, shares=(0.25, 0.75))
    assert good.without_hottest == (0, 0)
    assert good.without_coldest == (1, 1)
    assert good.score == 1
    bad = road(red, image, 1 - heat, shares=(0.25, 0.75))
    assert bad.score == -1
    assert bad.without_hottest == good.without_coldest


def test_road_asks_in_batches_of_one_shape_and_keeps_what_stays():
    rng = np.random.default_rng(7)
    image, heat = rng.integers(0, 256, (112, 224, 3), np.uint8), rng.random((7, 14))
    seen = []

    def predict(batch):
        seen.append(batch.copy())
        return batch[..., 0].mean(axis=(1, 2), dtype=np.float64)

    result = road(predict, image, heat, shares=(0.25, 0.5), batch=3)
    assert [batch.shape for batch in seen] == [(3, 112, 224, 3)] * 2
    views = np.concatenate(seen)[:4]
    kept = (views == image / np.float32(255)).all(axis=-1).mean(axis=(1, 2))
    np.testing.assert_allclose(kept, [0.75, 0.5, 0.75, 0.5], atol=0.002)
    assert result.shares == (0.25, 0.5)
    np.testing.assert_allclose(
        result.score, np.mean(result.without_coldest) - np.mean(result.without_hottest)
    )


# --- what a caller can get wrong


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: insertion_deletion(redness, corner_image(), GOOD, fill="black"),
            "fill is 'black'",
        ),
        (lambda: insertion_deletion(redness, corner_image(), GOOD[0]), "^heatmap"),
        (lambda: insertion_deletion(redness, corner_image() / 255, GOOD), "^image is float64"),
        (lambda: insertion_deletion(redness, corner_image(), GOOD, steps=0), "steps is 0"),
        (
            lambda: insertion_deletion(lambda b: b, corner_image(), GOOD),
            "predict returned the shape",
        ),
        (lambda: road(redness, corner_image(), GOOD, shares=()), r"shares is \(\)"),
        (lambda: road(redness, corner_image(), GOOD, shares=(0.5, 1.0)), "below 1"),
        (lambda: road(redness, corner_image(), GOOD[0]), "^heatmap"),
        (lambda: impute(np.zeros((2, 2, 3), np.float32), np.ones((2, 2), bool)), "everywhere"),
    ],
)
def test_misuse_is_explained(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
