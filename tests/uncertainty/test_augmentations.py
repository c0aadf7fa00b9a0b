"""Variants of a photo: how they are made and aligned again, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made import patch, red_model

import rustseg_jax as rs
from rustseg_jax.config import UncertaintyConfig, Variant
from rustseg_jax.uncertainty.augmentations import _back, _varied, look_again

SHAPE = (96, 128)
LOOK = rs.LocaliseConfig(method="grad_cam", scales=(0.5, 1.0))
CRF = rs.CRFParams(working_size=64, bilateral_sxy=40, reference_size=64)


def rusty() -> np.ndarray:
    """Rust in the upper left: neither mirror image nor shift leaves it as it is."""
    return patch(SHAPE, slice(24, 72), slice(0, 64))


def test_the_variants_in_order() -> None:
    assert UncertaintyConfig().variants == (
        Variant(mirror=True),
        Variant(shift=8),
        Variant(shift=-8),
        Variant(scale=0.8),
        Variant(scale=1.25),
    )
    assert UncertaintyConfig(mirror=False, shift=0, scales=(2.0,)).variants == (Variant(scale=2.0),)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shift": -1}, "shift is -1"),
        ({"shift": 0.5}, "shift is 0.5"),
        ({"scales": (0.1,)}, "scales is"),
        ({"level": 1.0}, "level is 1.0"),
        ({"mirror": False, "shift": 0, "scales": ()}, "give no variant"),
    ],
)
def test_wrong_choices_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(rs.ConfigError, match=words):
        UncertaintyConfig(**options)  # type: ignore[arg-type]


def test_shifts_and_mirror_by_hand() -> None:
    photo = np.arange(6, dtype=np.uint8).reshape(2, 3)[..., None].repeat(3, axis=2)
    right = _varied(photo, Variant(shift=1), 1)[..., 0]
    assert right.tolist() == [[0, 0, 1], [0, 0, 1]]  # down and right, the border repeated
    left = _varied(photo, Variant(shift=-1), -1)[..., 0]
    assert left.tolist() == [[4, 5, 5], [4, 5, 5]]
    assert _varied(photo, Variant(mirror=True), 0)[..., 0].tolist() == [[2, 1, 0], [5, 4, 3]]


def test_heat_is_laid_back_by_hand() -> None:
    ramp = np.add.outer(np.arange(8), np.arange(8)).astype(np.float32) / 20
    # A photo shifted by half a cell moves a ramp of 1 / 20 a cell by 1 / 40 in each direction.
    shifted = ramp - np.float32(0.05)
    back = _back(np.clip(shifted, 0, 1), Variant(shift=8), (8, 8))
    np.testing.assert_allclose(back[2:-2, 2:-2], ramp[2:-2, 2:-2], atol=5e-3)
    np.testing.assert_array_equal(_back(ramp[:, ::-1], Variant(mirror=True), (8, 8)), ramp)
    larger = _back(np.full((10, 10), 0.5, np.float32), Variant(scale=1.25), (8, 8))
    np.testing.assert_allclose(larger, np.full((8, 8), 0.5), atol=1e-6)
    assert larger.dtype == np.float32


def test_a_network_that_does_not_mind_says_the_same() -> None:
    seg = rs.segment(rusty(), red_model(), rs.Config(localise=LOOK, crf=CRF))
    looks = look_again(seg, red_model(), UncertaintyConfig(shift=0))
    assert len(looks) == 3
    mirrored = looks[0]
    assert mirrored.probability == pytest.approx(seg.probability, abs=1e-3)
    np.testing.assert_allclose(mirrored.heat, seg.heatmap, atol=1e-2)
    for look in looks:
        assert look.heat.shape == seg.heatmap.shape
        assert look.heat.dtype == np.float32
        assert 0 <= look.heat.min() <= look.heat.max() <= 1
        # Rust is on the left at every size, and so is the heat.
        assert look.heat[:, :2].mean() > 2 * look.heat[:, 2:].mean()


def test_a_photo_in_windows_is_looked_at_in_windows_again() -> None:
    photo = patch((192, 256), slice(48, 96), slice(0, 96))
    tiles = rs.TileConfig(mode="tiles", window=64, working_size=64)
    config = rs.Config(localise=LOOK, crf=CRF, tiles=tiles)
    seg = rs.segment(photo, red_model(), config)
    assert seg.tiling is not None
    looks = look_again(seg, red_model(), UncertaintyConfig(scales=(1.25,)))
    for look in looks:
        assert look.heat.shape == seg.heat.shape
        # 12 by 16 cells of 16 pixels: rust is in the rows 3 to 5 of the columns 0 to 5.
        rust = look.heat[3:6, 1:5].min()
        assert rust > 0.4
        # The whole photo, whose cells are four times as large, has a say beside the windows.
        assert look.heat[:, 8:].max() < rust / 2
        assert look.heat[8:].max() < rust / 2
