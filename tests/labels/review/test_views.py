"""Pictures of corrections: their pixels by hand, sizes, photos that cannot be read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from labels_made import box, new_store, photo_bytes, save
from PIL import Image

import rustseg_jax as rs
from rustseg_jax.drawing.difference import DIFFERENCE_COLOURS
from rustseg_jax.drawing.overlay import MASK_COLOUR
from rustseg_jax.images import read
from rustseg_jax.labels.records import Correction
from rustseg_jax.labels.review.views import (
    change_picture,
    correction_picture,
    disagreement_picture,
    thumbnail,
)
from rustseg_jax.labels.rle import Rle

SHAPE = (40, 60)
GREY = np.full((*SHAPE, 3), 100, np.uint8)


def _pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), int)


@pytest.fixture
def correction(tmp_path: Path) -> Correction:
    store = new_store(tmp_path)
    photo = store.add_photo(photo_bytes(shape=SHAPE))
    mask, ignore = box(0, 0, 20, 30, SHAPE), box(20, 30, 40, 60, SHAPE)
    return save(store, photo, mask=mask, ignore=ignore)


def test_mask_and_ignore_are_tinted_and_the_rest_is_the_photo(correction: Correction) -> None:
    drawn = _pixels(correction_picture(GREY, correction))
    assert drawn.shape == (*SHAPE, 3)
    np.testing.assert_array_equal(drawn[10, 15], (100 + np.array(MASK_COLOUR) + 1) // 2)
    np.testing.assert_array_equal(drawn[30, 45], [95] * 3)  # between 100 and 90
    np.testing.assert_array_equal(drawn[30, 10], [100] * 3)
    assert _pixels(correction_picture(GREY, correction, side=30)).shape == (20, 30, 3)


def test_a_change_by_hand() -> None:
    # 8 of 32 rows stay, 8 are added, 8 taken away: IoU 1/3, a quarter of the picture each.
    photo = np.full((32, 32, 3), 100, np.uint8)
    old, new = box(0, 0, 16, 32, (32, 32)), box(8, 0, 24, 32, (32, 32))
    change = change_picture(photo, Rle.of(old), Rle.of(new))
    assert (change.iou, change.added, change.dropped) == (pytest.approx(1 / 3), 0.25, 0.25)
    drawn = _pixels(change.picture)
    for row, name in ((4, "extra"), (12, "hit"), (20, "missed")):
        wanted = 0.35 * 100 + 0.65 * np.array(DIFFERENCE_COLOURS[name])
        np.testing.assert_allclose(drawn[row, 5], wanted, atol=1)
    np.testing.assert_array_equal(drawn[28, 5], [100] * 3)


def test_disagreement_is_yellow_in_proportion() -> None:
    split = np.zeros(SHAPE, np.float32)
    split[:, 30:] = 1
    drawn = _pixels(disagreement_picture(GREY, split))
    np.testing.assert_array_equal(drawn[20, 5], [100] * 3)
    red, green, blue = drawn[20, 55]
    assert min(red, green) > 200 > 60 > blue


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_thumbnail_is_upright_and_small(tmp_path: Path, kind: str) -> None:
    # Stored lying, with the order to turn it: upright it is 300 high and 600 wide.
    store, exif = new_store(tmp_path), Image.Exif()
    exif[0x0112] = 6
    data = photo_bytes(shape=(600, 300), format=kind, exif=exif)
    photo = store.add_photo(data)
    assert photo.shape == read(data).shape[:2] == (300, 600)
    made = save(store, photo, mask=box(0, 0, 300, 300, (300, 600)))
    drawn = _pixels(thumbnail(store.photo_path(photo), made))
    assert drawn.shape == (160, 320, 3)
    azure = drawn[:, :150].mean((0, 1)) - drawn[:, 170:].mean((0, 1))
    assert azure[2] > 40 > 0 > azure[0]


def test_what_is_no_picture(tmp_path: Path, correction: Correction) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"nothing")
    with pytest.raises(rs.ImageError, match=r"photo\.jpg"):
        thumbnail(path, correction)
