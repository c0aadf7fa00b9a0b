from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from rustseg_jax import ConfigError
from rustseg_jax.labels.errors import DamagedError
from rustseg_jax.labels.rle import Rle, decode, encode, runs

# pycocotools 2.0.11 hands NumPy its arrays in the manner of NumPy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_runs_by_hand():
    # Down the columns: 0 1 | 1 0 | 1 1
    mask = np.array([[0, 1, 1], [1, 0, 1]], bool)
    assert runs(mask).tolist() == [1, 2, 1, 2]
    assert runs(~mask).tolist() == [0, 1, 2, 1, 2]
    # The fourth run, 2, as the difference to the second, 2: 0. All small: chr(48 + n).
    assert encode(mask) == "1210"
    assert decode("1210", (2, 3)).tolist() == mask.tolist()


def test_a_box_by_hand():
    mask = np.zeros((4, 5), bool)
    assert Rle.of(mask).box == (0, 0, 0, 0)
    mask[1:3, 2] = True
    assert Rle.of(mask).box == (2, 1, 1, 2)
    mask[1, 4] = True
    assert Rle.of(mask).box == (2, 1, 3, 2)
    mask[:] = False
    mask[3, 1] = mask[0, 2] = True  # one run, from the foot of a column to the head of the next
    assert Rle.of(mask).box == (1, 0, 2, 4)
    # Runs of no length, which `encode` never writes: 1 clean, 0 marked, 3 clean, 2 marked.
    assert Rle("1032", 3, 2).area == 2
    assert Rle("1032", 3, 2).box == (1, 1, 1, 2)


def test_a_long_run_by_hand():
    # 100 = 3 * 32 + 4: "4" with more to come, then 3; chr(48 + 4 + 32), chr(48 + 3)
    assert encode(np.zeros((10, 10), bool)) == chr(84) + chr(51)
    assert encode(np.ones((10, 10), bool)) == "0" + chr(84) + chr(51)


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.floats(0, 1), st.integers(0, 99))
def test_as_pycocotools_writes_and_reads(shape, share, seed):
    mask = np.random.default_rng(seed).random(shape) < share
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert encode(mask) == theirs["counts"].decode()
    np.testing.assert_array_equal(decode(encode(mask), shape), mask)
    rle = Rle.of(mask)
    assert rle.area == mask.sum()
    assert list(rle.box) == coco.toBbox(rle.to_coco()).tolist()
    np.testing.assert_array_equal(coco.decode(rle.to_coco()).astype(bool), mask)


def test_a_photo_of_megapixels_too():
    mask = np.zeros((1500, 2000), bool)
    mask[100:1400:7, 3:1900] = True
    mask[:, 500] = True
    assert encode(mask) == coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    np.testing.assert_array_equal(Rle.of(mask).decode(), mask)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12))
def test_damage_is_noticed(text):
    try:
        mask = decode(text, (5, 4))
    except DamagedError:
        return
    assert mask.shape == (5, 4)
    np.testing.assert_array_equal(decode(encode(mask), (5, 4)), mask)


@pytest.mark.parametrize("counts", ["", "1", "12", "P", "ä", "o" * 20 + "0", "T3"])
def test_damage_is_said(counts):
    with pytest.raises(DamagedError, match="damaged"):
        decode(counts, (2, 3))


@pytest.mark.parametrize(
    "mask", [np.zeros((2, 3)), np.zeros((2, 3, 1), bool), np.zeros((0, 3), bool), [[True]]]
)
def test_what_is_no_mask_is_refused(mask):
    with pytest.raises(ConfigError, match=r"bool \(H, W\)|one pixel"):
        encode(mask)


@settings(max_examples=20, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_result_is_its_own_array(mask):
    found = Rle.of(mask).decode()
    assert found.flags.c_contiguous
    assert found.flags.writeable
