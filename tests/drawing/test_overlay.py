"""Overlays: hand-worked pixels, no seams between strips, distinguishable colours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import color

from rustseg_jax.drawing import overlay as module
from rustseg_jax.drawing.overlay import (
    DOUBT_COLOUR,
    MASK_COLOUR,
    heat_colours,
    heat_overlay,
    mask_outline,
    mask_overlay,
    side_by_side,
    uncertainty_overlay,
)
from rustseg_jax.errors import ConfigError, ImageError

LIGHT = [235, 248, 255]


def photo(height=24, width=40, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def heat(height=7, width=5, seed=0):
    return np.random.default_rng(seed).random((height, width), np.float32)


def test_overlay_by_hand():
    image = np.full((5, 5, 3), 100, np.uint8)
    mask = np.zeros((5, 5), bool)
    mask[1:4, 1:4] = True
    drawn = mask_overlay(image, mask, opacity=0.25, colour=(200, 0, 100))
    assert drawn[2, 2].tolist() == [125, 75, 100]
    ring = mask.copy()
    ring[2, 2] = False
    assert (drawn[ring] == LIGHT).all()
    assert (drawn[~mask] == 100).all()
    plain = mask_overlay(image, mask, opacity=0.25, colour=(200, 0, 100), outline=False)
    assert (plain[mask] == [125, 75, 100]).all()


def test_overlay_keeps_its_arguments_and_what_is_outside():
    image, mask = photo(), heat(24, 40) > 0.5
    before = image.copy()
    drawn = mask_overlay(image, mask)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(drawn[~mask], image[~mask])
    np.testing.assert_array_equal(mask_overlay(image, np.zeros_like(mask)), image)
    np.testing.assert_array_equal(mask_overlay(image, mask, opacity=0, outline=False), image)
    assert (mask_overlay(image, mask, opacity=1, outline=False)[mask] == MASK_COLOUR).all()


def test_no_outline_along_the_edge_of_the_picture():
    image = photo()
    full = mask_overlay(image, np.ones(image.shape[:2], bool), opacity=1)
    assert (full == MASK_COLOUR).all()


@pytest.mark.parametrize(("side", "width"), [(60, 1), (448, 1), (600, 2), (3000, 10)])
def test_outline_grows_with_the_picture(side, width):
    image = np.zeros((40, side, 3), np.uint8)
    mask = np.zeros((40, side), bool)
    mask[:, 20:] = True
    row = (mask_overlay(image, mask)[20] == LIGHT).all(axis=-1)
    assert row.sum() == width
    assert row[20 : 20 + width].all()


@pytest.mark.parametrize("strip", [1, 100, 333, 10**6])
def test_outline_is_an_erosion_whatever_the_strips(strip, monkeypatch):
    monkeypatch.setattr(module, "_STRIP_PIXELS", strip)
    monkeypatch.setattr(module, "_OUTLINE_SHARE", 3 / 60)
    image = np.zeros((47, 60, 3), np.uint8)
    mask = ndimage.gaussian_filter(heat(47, 60), 4) > 0.5
    core = ndimage.binary_erosion(mask, np.ones((7, 7)), border_value=1)
    drawn = mask_overlay(image, mask, opacity=0)
    np.testing.assert_array_equal((drawn == LIGHT).all(axis=-1), mask & ~core)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_opacity_is_checked(bad):
    with pytest.raises(ConfigError, match="opacity is"):
        mask_overlay(photo(), np.zeros((24, 40), bool), opacity=bad)
    with pytest.raises(ConfigError, match="opacity is"):
        heat_overlay(photo(), heat(), opacity=bad)


def test_overlay_refuses():
    image, mask = photo(), np.zeros((24, 40), bool)
    for bad in (mask.T, mask.astype(np.uint8), mask[None]):
        with pytest.raises(ImageError, match="mask is"):
            mask_overlay(image, bad)
    for bad in (image[..., 0], image / 255, image[..., :2], image[:0]):
        with pytest.raises(ImageError, match="image is"):
            mask_overlay(bad, mask)
    for bad in ((0, 0), (0, 0, 256), (-1, 0, 0)):
        with pytest.raises(ConfigError, match="colour is"):
            mask_overlay(image, mask, colour=bad)


def test_heat_colours_are_viridis():
    steps = np.array([[0, 0.25, 0.5, 0.75, 1]], np.float32)
    # matplotlib 3.11, viridis at indices 0, 64, 128, 191, 255
    known = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [92, 200, 99], [253, 231, 37]]
    np.testing.assert_array_equal(np.rint(steps * 255)[0], [0, 64, 128, 191, 255])
    np.testing.assert_array_equal(heat_colours(steps)[0], known)


def test_heat_colours_rise_evenly_in_lightness():
    ramp = np.linspace(0, 1, 256)[None]
    lightness = color.rgb2lab(heat_colours(ramp))[0, :, 0]
    even = np.linspace(lightness[0], lightness[-1], 256)
    assert np.abs(lightness - even).max() < 3  # of 76: viridis is even in CAM02, nearly so here
    assert lightness[-1] - lightness[0] > 75


def test_mask_colour_stays_apart_from_rust_for_all():
    # Simulated dichromats, full severity: Machado, Oliveira and Fernandes 2009, linear RGB.
    sights = {
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                   [-0.011820, 0.042940, 0.968881]],
        "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
    }  # fmt: skip
    rusts = np.array([[[183, 65, 14], [120, 60, 30], [205, 127, 50], [90, 40, 25]]], np.uint8)
    tinted = mask_overlay(rusts, np.ones((1, 4), bool), outline=False)
    # Doubt is seen on bare rust and on the mask alike, where half of the variants disagree.
    half = np.full((1, 4), 0.5, np.float32)
    pairs = [(rusts, tinted), *((x, uncertainty_overlay(x, half)) for x in (rusts, tinted))]
    for name, matrix in sights.items():
        for pair in pairs:
            seen = []
            for colours in pair:
                linear = (colours / 255.0) ** 2.2 @ np.array(matrix).T
                seen.append(color.rgb2lab(linear.clip(0, 1) ** (1 / 2.2)))
            # A difference of 2.3 is just noticeable (Mahy and others, 1994): we ask for five times.
            assert color.deltaE_cie76(*seen).min() > 11.5, name


def test_heat_overlay_ends():
    image, heatmap = photo(), heat()
    np.testing.assert_array_equal(heat_overlay(image, heatmap, opacity=0), image)
    flat = np.full((7, 5), 0.5, np.float32)
    whole = heat_overlay(image, flat, opacity=1)
    assert (whole == heat_colours(flat)[0, 0]).all()


def test_heat_overlay_by_hand():
    image = np.full((2, 2, 3), 100, np.uint8)
    drawn = heat_overlay(image, np.zeros((1, 1)), opacity=0.5)
    # 0.5 is 128 / 255: (100 * 127 + 68 * 128) / 255 = 83.94, 1 -> 50.31, 84 -> 91.97
    assert (drawn == [84, 50, 92]).all()


@pytest.mark.parametrize("strip", [1, 90, 777])
@pytest.mark.parametrize("shape", [(61, 37), (448, 64), (3, 2)])
def test_heat_overlay_has_no_seams(strip, shape, monkeypatch):
    image, heatmap = photo(*shape), heat(28, 28)
    whole = heat_overlay(image, heatmap, opacity=1)
    monkeypatch.setattr(module, "_STRIP_PIXELS", strip)
    stripped = heat_overlay(image, heatmap, opacity=1)
    assert np.abs(whole.astype(int) - stripped).max() <= 2  # one step of the colour map


def test_heat_at_the_photo_size_is_drawn_as_it_is():
    heatmap = heat(24, 40)
    np.testing.assert_array_equal(heat_overlay(photo(), heatmap, opacity=1), heat_colours(heatmap))


@pytest.mark.parametrize("bad", [1.01, -0.01, np.nan, np.inf])
def test_heat_out_of_range(bad):
    heatmap = heat()
    heatmap[3, 3] = bad
    for draw in (heat_colours, lambda values: heat_overlay(photo(), values)):
        with pytest.raises(ImageError, match="heatmap has values from"):
            draw(heatmap)


@pytest.mark.parametrize("bad", [np.zeros((2, 2), int), np.zeros(4), np.zeros((0, 3))])
def test_heat_of_the_wrong_kind(bad):
    with pytest.raises(ImageError, match="heatmap is"):
        heat_colours(bad)


def test_uncertainty_overlay_by_hand():
    image = np.full((1, 3, 3), 100, np.uint8)
    doubt = np.array([[0, 0.5, 1]], np.float32)
    drawn = uncertainty_overlay(image, doubt, opacity=0.5, colour=(200, 0, 100))
    # a quarter and a half of the colour: 100 + 100 / 4 = 125, 75; 150, 50
    assert drawn.tolist() == [[[100, 100, 100], [125, 75, 100], [150, 50, 100]]]
    assert (uncertainty_overlay(image, doubt, opacity=1)[0, 2] == DOUBT_COLOUR).all()
    assert (image == 100).all()


@pytest.mark.parametrize("strip", [1, 90, 777])
def test_uncertainty_overlay_has_no_seams(strip, monkeypatch):
    image, doubt = photo(61, 37), heat(28, 28)
    whole = uncertainty_overlay(image, doubt)
    monkeypatch.setattr(module, "_STRIP_PIXELS", strip)
    assert np.abs(whole.astype(int) - uncertainty_overlay(image, doubt)).max() <= 1


def test_uncertainty_overlay_refuses():
    for bad, words in ((heat() + 1, "doubt has values from"), (np.zeros((2, 2), int), "doubt is")):
        with pytest.raises(ImageError, match=words):
            uncertainty_overlay(photo(), bad)
    with pytest.raises(ConfigError, match="opacity is 2"):
        uncertainty_overlay(photo(), heat(), opacity=2)
    with pytest.raises(ConfigError, match="colour is"):
        uncertainty_overlay(photo(), heat(), colour=(0, 0, 256))


def test_side_by_side_by_hand():
    left = np.full((60, 30, 3), 10, np.uint8)
    right = np.full((120, 80, 3), 20, np.uint8)
    sheet = side_by_side([left, right])
    assert sheet.shape == (60, 30 + 2 + 40, 3)
    assert (sheet[:, :30] == 10).all()
    assert (sheet[:, 30:32] == 255).all()
    assert (sheet[:, 32:] == 20).all()
    assert side_by_side([left, right], height=120).shape == (120, 60 + 2 + 80, 3)


def test_captions_are_written_below_each_picture():
    pictures = [photo(100, 200), photo(100, 200)]
    sheet = side_by_side(pictures, ["photo", ""])
    bare = side_by_side(pictures)
    np.testing.assert_array_equal(sheet[:100], bare)
    assert sheet.shape[0] > 100
    assert (sheet[100:, :200] < 100).any()
    assert (sheet[100:, 202:] == 255).all()


@given(st.text(max_size=60), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_any_caption_fits(text, width):
    sheet = side_by_side([np.zeros((20, width, 3), np.uint8)], [text])
    assert sheet.shape == (40, width, 3)


def test_captions_of_several_lines_and_undecodable_names():
    pictures = [photo(100, 400)]
    np.testing.assert_array_equal(
        side_by_side(pictures, ["rusty\n gate"]), side_by_side(pictures, ["rusty gate"])
    )
    np.testing.assert_array_equal(
        side_by_side(pictures, ["gate\udce9"]), side_by_side(pictures, ["gate?"])
    )


def test_side_by_side_refuses():
    with pytest.raises(ConfigError, match="images is empty"):
        side_by_side([])
    with pytest.raises(ConfigError, match="captions has length 1 for 2 images"):
        side_by_side([photo(), photo()], ["one"])
    with pytest.raises(ConfigError, match="height is 0"):
        side_by_side([photo()], height=0)
    with pytest.raises(ImageError, match=r"images\[1\] is"):
        side_by_side([photo(), photo() / 255])


def test_an_outline_alone_is_the_masks_inner_border() -> None:
    photo = np.full((300, 300, 3), 90, np.uint8)
    mask = np.zeros((300, 300), bool)
    mask[100:200, 100:200] = True
    drawn = mask_outline(photo, mask)
    changed = (drawn != photo).any(axis=2)
    wanted = mask.copy()
    wanted[102:198, 102:198] = False  # 300 / 300 = 1 pixel wide, twice
    np.testing.assert_array_equal(changed, wanted)
    assert tuple(drawn[101, 150]) == (0, 140, 255)
    assert drawn[100, 150].min() > 200  # its rim is nearly white
    assert (photo == 90).all()
    np.testing.assert_array_equal(mask_outline(photo, ~mask & False), photo)
