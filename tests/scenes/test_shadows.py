"""Shadows cast onto a picture: by hand where there is one answer."""

from __future__ import annotations

import numpy as np
import pytest

from rustseg_jax.errors import ConfigError
from rustseg_jax.scenes.shadows import SHADOWS, cast_shadow


@pytest.mark.parametrize("kind", SHADOWS)
def test_a_shadow_darkens_its_part_and_nothing_else(kind: str) -> None:
    image = np.full((96, 128, 3), 200, np.uint8)
    for seed in range(4):
        shaded, shadow = cast_shadow(image, kind, seed)
        assert 0.15 < shadow.mean() < 0.85, seed
        assert (shaded <= image).all()
        # In full shadow 0.3 of the light is left in red: 200 * 0.3 ** (1 / 2.2) = 115.7.
        assert shaded[..., 0].min() == 116
        # Green 1 - 0.7 * 0.97 and blue 1 - 0.7 * 0.9: the shadow is blue.
        assert shaded[..., 1].min() == round(200 * 0.321 ** (1 / 2.2))
        assert shaded[..., 2].min() == round(200 * 0.37 ** (1 / 2.2))
        # Half of the shadow's depth, where the mask begins, leaves 0.65 of the red light.
        half = 200 * 0.65 ** (1 / 2.2)
        assert shaded[shadow][:, 0].max() <= half + 1
        assert shaded[~shadow][:, 0].min() >= half - 1
        assert (shaded[..., 0] == 200).any()


def test_the_same_seed_casts_the_same_shadow_and_another_seed_another() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    first, again, other = (cast_shadow(image, "edge", seed)[1] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.05


def test_an_unknown_shadow_is_named() -> None:
    with pytest.raises(ConfigError, match="kind is 'cloud'; it must be one of edge"):
        cast_shadow(np.zeros((64, 64, 3), np.uint8), "cloud", 0)
