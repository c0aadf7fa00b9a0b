"""Seeds: colours and heat worked out by hand; nothing is invented where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made import red_model

from rustseg_jax.errors import ConfigError
from rustseg_jax.learning import seeds
from rustseg_jax.learning.seeds import (
    CLEAN,
    HALF_SURE,
    RUST,
    UNKNOWN,
    colour_seeds,
    make_seeds,
    own_seeds,
)

BROWN, GREY, BLACK = (140, 70, 30), (150, 150, 150), (20, 20, 20)


def half(left: tuple[int, int, int], right: tuple[int, int, int], side: int = 128) -> np.ndarray:
    picture = np.zeros((side, side, 3), np.uint8)
    picture[:, : side // 2], picture[:, side // 2 :] = left, right
    return picture


def test_colour_seeds_by_hand() -> None:
    found = colour_seeds(half(BROWN, GREY))
    assert found.shape == (32, 32)
    assert (found[:, :15] == RUST).all()
    # Within 5 seeds of the border the far window (11 wide) holds some of the colour.
    assert (found[:, 16:21] == UNKNOWN).all()
    assert (found[:, 21:] == CLEAN).all()


def test_in_the_dark_colour_says_nothing() -> None:
    found = colour_seeds(half(BROWN, BLACK))
    assert (found[:, 16:] == UNKNOWN).all()


def test_a_speck_is_no_seed_but_spoils_the_clean_ones_around() -> None:
    picture = half(GREY, GREY)
    picture[64:68, 64:68] = BROWN
    found = colour_seeds(picture)
    assert (found != RUST).all()
    # One of 121 seeds is less than HARDLY: still clean.
    assert (found == CLEAN).all()
    picture[64:72, 64:72] = BROWN  # four of 121 are more
    found = colour_seeds(picture)
    assert found[16, 16] == UNKNOWN
    assert found[0, 0] == CLEAN


def test_own_seeds_by_hand() -> None:
    picture = half(BROWN, GREY, 64)
    heat = np.zeros((4, 4), np.float32)
    heat[:, :2] = 0.9
    found = seeds._from_heat(picture, heat, seeds.CUT)
    assert found.shape == (16, 16)
    assert (found[:, :6] == RUST).all()
    assert (found[:, 11:] == CLEAN).all()


def test_warm_but_under_the_threshold_is_half_sure_where_the_crf_grows() -> None:
    picture = half(BROWN, GREY, 64)
    heat = np.zeros((4, 4), np.float32)
    heat[:, :2] = 0.9
    heat[0, 1] = 0.6  # of the same colour as its neighbours: the CRF takes it in
    found = seeds._from_heat(picture, heat, seeds.CUT)
    assert HALF_SURE in found[:4, 4:8]


def test_a_cold_map_has_no_seed_of_rust() -> None:
    found = seeds._from_heat(half(BROWN, GREY, 64), np.full((4, 4), 0.05, np.float32), seeds.CUT)
    assert (found == CLEAN).all()


@pytest.mark.slow
def test_own_seeds_do_not_depend_on_the_batch() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (5, 64, 64, 3), np.uint8)
    pictures[:, :32, :32] = (200, 40, 20)
    which = np.array([4, 0, 2])
    model = red_model(input_size=64)
    one, many = (list(own_seeds(model, pictures, which, batch=b)) for b in (1, 8))
    assert len(one) == len(many) == 3
    np.testing.assert_array_equal(one, many)
    alone = next(own_seeds(model, pictures, np.array([0])))
    np.testing.assert_array_equal(alone, one[1])


def test_seeds_of_a_training_set() -> None:
    pictures = np.stack([half(BROWN, GREY), half(BROWN, GREY), half(GREY, GREY)])
    labels, model, said = np.array([1, 0, 1]), red_model(), []
    unknown = make_seeds("none", pictures, labels, model)
    assert [set(np.unique(s)) for s in unknown] == [{UNKNOWN}, {CLEAN}, {UNKNOWN}]
    found = make_seeds("colour", pictures, labels, model, progress=said.append)
    np.testing.assert_array_equal(found[0], colour_seeds(pictures[0]))
    assert (found[1] == CLEAN).all()  # of rust colour, but labelled clean
    assert said == ["seeds from colour: 2/2\n"]
    own = make_seeds("own", pictures, labels, model)
    np.testing.assert_array_equal(own[0], next(own_seeds(model, pictures, np.array([0]))))
    assert (own[1] == CLEAN).all()


@pytest.mark.parametrize("shape", [(62, 64, 3), (64, 64)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="picture has the shape"):
        colour_seeds(np.zeros(shape, np.uint8))
