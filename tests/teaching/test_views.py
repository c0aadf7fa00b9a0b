"""The pictures of a lesson for a page: which there are, their files, sizes and words."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hand_made import picture, red_model
from PIL import Image

from rustseg_jax import ConfigError, segment
from rustseg_jax.drawing.overlay import heat_colours
from rustseg_jax.teaching.lesson import teach
from rustseg_jax.teaching.texts import SHORT_TITLES, STEPS
from rustseg_jax.teaching.views import SHOWS, View, exhibit, exhibits_of, step_views, thumbnails

MODEL = red_model()
TRUE = np.zeros((96, 128), bool)
TRUE[24:72, 32:96] = True  # exactly the rust of `picture`
SEG = segment(picture(rusty=True), MODEL)
KNOWN = teach(SEG, MODEL, true=TRUE)
CLEAN = teach(segment(picture(rusty=False), MODEL), MODEL)


def _read(view: View) -> np.ndarray:
    file = Image.open(io.BytesIO(view.data))
    assert file.format == {"image/png": "PNG", "image/jpeg": "JPEG"}[view.kind]
    assert file.size == (view.width, view.height)
    return np.asarray(file.convert("RGB"))


def test_every_step_has_its_pictures_each_with_words() -> None:
    count = {"seen": 2, "heatmap": 2, "threshold": 1, "unary": 2, "mask": 3, "truth": 5}
    for step in STEPS:
        views = step_views(KNOWN, step)
        assert step in SHORT_TITLES
        assert len({view.name for view in views}) == len(views)
        for view in views:
            assert view.alt
            assert view.caption
            _read(view)
        if step in count:
            assert len(views) == count[step]
    assert not step_views(KNOWN, "scores")
    assert KNOWN.crf is not None
    assert len(step_views(KNOWN, "crf")) == KNOWN.crf.updates + 1
    with pytest.raises(ConfigError, match="heatmap"):
        step_views(KNOWN, "heat")


def test_a_photo_without_corrosion_has_no_crf_and_no_truth() -> None:
    for step in ("unary", "crf", "truth"):
        assert not step_views(CLEAN, step)
        assert step not in thumbnails(CLEAN)
    assert "update0" not in exhibits_of(CLEAN)
    assert exhibit(CLEAN, "mask").numbers["Area"] == "0.0 %"
    with pytest.raises(ConfigError, match="for this photo it must be one of"):
        exhibit(CLEAN, "diff-crf")


def test_positions_are_enlarged_by_whole_numbers() -> None:
    true = step_views(KNOWN, "heatmap", side=64)[0]
    drawn = _read(true)  # 4 x 4 positions, 16 pixels each
    assert drawn.shape == (64, 64, 3)
    np.testing.assert_array_equal(drawn[8::16, 8::16], heat_colours(SEG.heat))
    np.testing.assert_array_equal(drawn[:16, :16], np.broadcast_to(drawn[0, 0], (16, 16, 3)))


def test_channels_stand_under_their_block() -> None:
    views = step_views(KNOWN, "blocks")
    groups = list(dict.fromkeys(view.group for view in views))
    assert [group.split(":")[0] for group in groups] == [f"Block {k}" for k in range(1, 6)]
    assert "4 x 4 positions, each sees 140 pixels" in groups[-1]
    # One of the 16 channels of the last block is in use; it speaks for corrosion.
    last = [view for view in views if view.group == groups[-1]]
    assert last[0].caption.startswith("Channel 0: +")
    assert last[0].caption.endswith("for")
    assert last[1].caption.endswith("neither")
    assert "15 of them inactive" in groups[-1]


def test_all_exhibits_of_a_photo_have_one_shape() -> None:
    views = [exhibit(KNOWN, name).view for name in exhibits_of(KNOWN)]
    shapes = {(view.width, view.height) for view in views}
    assert shapes == {(128, 96)}
    assert {name for name in exhibits_of(KNOWN) if not name.startswith("update")} == set(SHOWS)
    assert KNOWN.crf is not None
    assert f"update{KNOWN.crf.updates}" not in exhibits_of(KNOWN)  # it is the mask


def test_numbers_of_an_exhibit() -> None:
    assert exhibit(KNOWN, "photo").numbers == {"Size": "128 x 96"}
    mask = exhibit(KNOWN, "mask").numbers
    assert mask["Area"] == f"{100 * SEG.area:.1f} %"
    assert KNOWN.truth is not None
    assert mask["IoU"] == f"{KNOWN.truth.stages['verdict'].iou:.2f}"
    assert exhibit(KNOWN, "diff-grid").numbers["IoU"] == f"{KNOWN.truth.stages['grid'].iou:.2f}"
    assert "IoU at the best threshold" in exhibit(KNOWN, "heat").numbers
    assert "IoU" not in exhibit(teach(SEG, MODEL), "mask").numbers


def test_the_mask_alone_is_black_and_white() -> None:
    plain = _read(exhibit(KNOWN, "plain").view)
    np.testing.assert_array_equal(plain[..., 0] == 255, SEG.mask)
    assert set(np.unique(plain)) == {0, 255}


def test_a_difference_says_what_share_was_missed() -> None:
    view = exhibit(KNOWN, "diff-threshold").view
    assert KNOWN.truth is not None
    stage = KNOWN.truth.stages["threshold"]
    missed = 100 * stage.missed.sum() / TRUE.sum()
    assert f"{missed:.0f} % of the true rust missed" in view.alt


def test_thumbnails_are_small_and_of_the_photos_shape() -> None:
    small = thumbnails(KNOWN)
    assert set(small) == set(STEPS) - {"scores"}
    assert {(view.width, view.height) for view in small.values()} == {(128, 96)}
    large = teach(segment(picture(rusty=True, size=(300, 600)), MODEL), MODEL)
    assert max(len(view.data) for view in thumbnails(large).values()) < 20_000
    assert {(v.width, v.height) for v in thumbnails(large).values()} == {(168, 84)}
