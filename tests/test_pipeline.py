"""The pipeline on synthetic photos and a hand-made network: verdict, mask, strokes, memory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from hand_made import REDNESS, patch, red_model
from PIL import Image
from scipy.special import expit, logit

import rustseg_jax as rs
from rustseg_jax.classify import Classifier
from rustseg_jax.images.resample import bilinear
from rustseg_jax.pipeline import NO_CORROSION, NO_HEAT

SHAPE = (96, 128)
ROWS, COLUMNS = slice(24, 72), slice(32, 96)  # a quarter of the picture, on the grid of the map
WHOLE = rs.TileConfig("whole")
CONFIG = rs.Config(crf=rs.CRFParams(working_size=64, bilateral_sxy=40, reference_size=64))


def rusty(scale: int = 1) -> np.ndarray:
    rows, columns = (slice(s.start * scale, s.stop * scale) for s in (ROWS, COLUMNS))
    return patch((SHAPE[0] * scale, SHAPE[1] * scale), rows, columns)


def truth(scale: int = 1) -> np.ndarray:
    return rusty(scale)[..., 0] == 150


@pytest.fixture(scope="module")
def model() -> Classifier:
    return red_model(gain=8, odds=1)


@pytest.fixture(scope="module")
def found(model: Classifier) -> rs.Segmentation:
    return rs.segment(rusty(), model, CONFIG)


@pytest.fixture(scope="module")
def nothing(model: Classifier) -> rs.Segmentation:
    return rs.segment(patch(SHAPE), model, CONFIG)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


# A corroded photo


def test_the_verdict_by_hand(found: rs.Segmentation) -> None:
    # A quarter of the picture is rust, so the margin is about 8 * REDNESS / 4 - 1. The photo is
    # squashed to 64 x 64, a map of 4 x 4; the blur of shrinking adds to the blocks at the rim.
    assert found.corroded
    assert found.reason == ""
    low = expit(8 * REDNESS / 4 - 1)
    assert low - 1e-3 <= found.probability <= 1
    assert found.heatmap.shape == (4, 4)
    assert found.heatmap.dtype == np.float32
    assert found.heatmap.max() == pytest.approx(1, abs=1e-5)
    assert found.heat_maximum == pytest.approx(found.heatmap.max())
    np.testing.assert_allclose(found.heatmap[1:3, 1:3], 1, atol=1e-3)


def test_the_mask_is_the_patch(found: rs.Segmentation) -> None:
    assert found.mask.shape == found.rough.shape == SHAPE
    assert found.mask.dtype == found.rough.dtype == np.bool_
    assert found.posterior is not None
    assert found.posterior.dtype == np.float32
    np.testing.assert_array_equal(found.mask, found.posterior >= 0.5)
    assert iou(found.mask, truth()) > 0.9
    assert iou(found.mask, truth()) >= iou(found.rough, truth())
    assert found.area == found.mask.mean()


def test_the_stages_come_in_order(found: rs.Segmentation, nothing: rs.Segmentation) -> None:
    assert list(found.stages) == ["photo", "heatmap", "rough", "posterior", "mask"]
    assert list(nothing.stages) == ["photo", "heatmap", "rough", "mask"]
    assert found.stages["mask"] is found.mask
    assert found.stages["heatmap"] is found.heatmap
    np.testing.assert_array_equal(found.stages["photo"], rusty())
    with pytest.raises(TypeError):
        found.stages["mask"] = found.rough  # type: ignore[index]
    assert set(found.timings) == {"read", "classify", "localise", "lattice", "threshold", "refine"}
    assert all(seconds >= 0 for seconds in found.timings.values())


def test_a_result_is_frozen_and_says_how_it_came_about(found: rs.Segmentation) -> None:
    with pytest.raises(FrozenInstanceError):
        found.mask = found.rough  # type: ignore[misc]
    assert found.config == CONFIG
    assert found.model["network"]["width"] == 1
    assert "array" not in repr(found)


def test_a_photo_from_anywhere_gives_the_same(
    found: rs.Segmentation, model: Classifier, tmp_path: Path
) -> None:
    path = tmp_path / "gate.png"
    Image.fromarray(rusty()).save(path)
    for source in (path, str(path), path.read_bytes(), Image.open(path)):
        again = rs.segment(source, model, config=CONFIG)
        np.testing.assert_array_equal(again.mask, found.mask)
        np.testing.assert_array_equal(again.heatmap, found.heatmap)


def test_the_photo_is_untouched(model: Classifier) -> None:
    photo = rusty()
    photo.flags.writeable = False
    seg = rs.segment(photo, model, CONFIG)
    rs.resegment(seg, rust=truth(), clean=~truth())
    np.testing.assert_array_equal(photo, rusty())
    np.testing.assert_array_equal(seg.image, rusty())
    assert not np.shares_memory(seg.image, photo)


# Nothing found


def test_no_corrosion_is_an_empty_mask_with_a_reason(nothing: rs.Segmentation) -> None:
    assert not nothing.corroded
    assert nothing.probability == pytest.approx(expit(-1.0))
    assert nothing.reason == NO_CORROSION
    assert nothing.mask.shape == SHAPE
    assert nothing.mask.dtype == np.bool_
    assert not nothing.mask.any()
    assert nothing.area == 0
    assert nothing.posterior is None
    assert nothing.heatmap.shape == (4, 4)
    assert nothing.heat_maximum == pytest.approx(expit(-1.0))  # of every position, as of the whole
    assert not nothing.rough.any()


def test_a_verdict_that_nothing_speaks_for_is_said() -> None:
    # P is 0.27 for the whole and for every position: over the verdict's limit, under the map's.
    config = replace(CONFIG, decision_threshold=0.2)
    seg = rs.segment(patch(SHAPE), red_model(), config)
    assert seg.corroded
    assert seg.reason == NO_HEAT
    assert not seg.mask.any()


def test_the_decision_threshold_is_reached_from_equal_on(found: rs.Segmentation) -> None:
    model = red_model()
    for limit, corroded in ((found.probability, True), (1.0, False), (0.0, True)):
        seg = rs.segment(rusty(), model, rs.Config(decision_threshold=limit, crf=CONFIG.crf))
        assert seg.corroded is corroded
        assert seg.mask.any() == corroded
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(rs.ConfigError, match="decision_threshold is"):
            rs.Config(decision_threshold=wrong)


# Many photos


def test_a_batch_equals_a_loop(model: Classifier) -> None:
    photos = [
        rusty(),
        patch(SHAPE),
        patch((50, 40), slice(0, 25), slice(40)),
        rusty()[::-1],
        patch(SHAPE),
    ]
    alone = [rs.segment(p, model, CONFIG) for p in photos]
    together = list(rs.segment_batch(photos, model, CONFIG, batch=2))
    assert [s.corroded for s in together] == [True, False, True, True, False]
    for a, b in zip(together, alone, strict=True):
        assert a.probability == pytest.approx(b.probability, abs=1e-6)
        assert (a.corroded, a.reason) == (b.corroded, b.reason)
        np.testing.assert_allclose(a.heatmap, b.heatmap, atol=1e-5)
        assert a.threshold == pytest.approx(b.threshold, abs=1e-5)
        assert (a.mask != b.mask).mean() < 1e-3
        np.testing.assert_array_equal(a.image, b.image)


def test_photos_are_read_as_they_are_needed(model: Classifier) -> None:
    taken = []

    def photos() -> object:
        for k in range(10):
            taken.append(k)
            yield patch(SHAPE)

    results = rs.segment_batch(photos(), model, CONFIG, batch=2)  # type: ignore[arg-type]
    next(results)
    assert len(taken) <= 3
    assert list(rs.segment_batch([], model)) == []
    with pytest.raises(rs.ConfigError, match="batch is 0"):
        next(rs.segment_batch([patch(SHAPE)], model, batch=0))
    with pytest.raises(rs.ImageError, match="8 x 8"):
        list(rs.segment_batch([patch((8, 8))], model))


# Large photos in tiles

# A tile is 64 pixels, as the network's input: 4 cells. The photo of 512 x 640 is 32 x 40
# cells; its rust is a square of 48 pixels, 3 cells, in the corner of one cell of the whole map.
WIDE = (512, 640)
SPOT = slice(336, 384), slice(480, 528)
TILED = replace(CONFIG, tiles=rs.TileConfig("tiles", window=64, max_windows=200, whole_share=0.0))


@pytest.fixture(scope="module")
def spotted(model: Classifier) -> rs.Segmentation:
    return rs.segment(patch(WIDE, *SPOT), red_model(gain=200, odds=1), TILED)


def test_windows_find_a_small_spot_where_it_is(spotted: rs.Segmentation) -> None:
    assert spotted.tiling is not None
    assert spotted.tiling.plan == rs.plan_tiles(WIDE, TILED.tiles, input_size=64)
    assert spotted.fine_heatmap is spotted.heat is spotted.stages["fine_heatmap"]
    assert spotted.fine_heatmap is not None
    assert spotted.fine_heatmap.shape == (32, 40)
    np.testing.assert_array_equal(
        spotted.fine_heatmap > 0.5, patch(WIDE, *SPOT)[::16, ::16, 0] == 150
    )
    small = patch(WIDE, *SPOT)[..., 0] == 150
    whole = rs.segment(spotted.image, red_model(gain=200, odds=1), replace(TILED, tiles=WHOLE))
    assert whole.tiling is None
    assert whole.fine_heatmap is None
    assert whole.heat is whole.heatmap
    assert iou(spotted.rough, small) > 0.6 > 2 * iou(whole.rough, small)
    assert iou(spotted.mask, small) > 0.9
    assert "windows" in spotted.timings


def test_the_heat_map_of_windows_keeps_the_contract(spotted: rs.Segmentation) -> None:
    assert spotted.heatmap.shape == (4, 4)
    assert spotted.heatmap.dtype == np.float32
    assert spotted.fine_heatmap is not None
    assert spotted.fine_heatmap.max() == 1
    # 32 x 40 cells to 4 x 4: each the mean of 8 x 10.
    means = spotted.fine_heatmap.reshape(4, 8, 4, 10).mean((1, 3))
    np.testing.assert_allclose(spotted.heatmap, means, atol=1e-6)


def test_the_verdict_is_the_mean_of_both_looks_in_log_odds(spotted: rs.Segmentation) -> None:
    found = spotted.tiling
    assert found is not None
    mean = (logit(found.whole) + logit(found.windows)) / 2
    assert spotted.probability == pytest.approx(expit(mean))
    # "mean" pooling: the windows' margins, 200 * mean activation - 1, are averaged.
    share = patch(WIDE, *SPOT)[..., 0] == 150
    seen = [share[box].mean() for box in found.plan.boxes()]
    assert found.windows == pytest.approx(expit(200 * REDNESS * np.mean(seen) - 1), rel=1e-3)


@pytest.mark.parametrize("pooling", ["mean", "lse"])
def test_a_large_clean_photo_stays_clean_in_however_many_windows(pooling: str) -> None:
    model = red_model(pooling=pooling)
    alone = rs.segment(patch((64, 64)), model, CONFIG).probability
    for window in (64, 128):
        tiles = rs.TileConfig("tiles", window=window, overlap=0.5, max_windows=1000)
        seg = rs.segment(patch(WIDE), model, replace(CONFIG, tiles=tiles))
        assert not seg.corroded
        assert not seg.mask.any()
        assert seg.reason == NO_CORROSION
        assert seg.probability == pytest.approx(alone)


def test_auto_goes_by_the_longer_side(model: Classifier) -> None:
    for side, tiled in ((640, False), (639, True)):
        config = replace(CONFIG, tiles=rs.TileConfig(from_side=side, window=64, max_windows=200))
        seg = rs.segment(patch(WIDE, *SPOT), model, config)
        assert (seg.tiling is not None) is tiled


def test_a_batch_of_large_and_small_equals_a_loop() -> None:
    model = red_model(gain=200, odds=1)
    config = replace(TILED, tiles=replace(TILED.tiles, mode="auto", from_side=200))
    photos = [patch(WIDE, *SPOT), rusty(), patch(WIDE)]
    alone = [rs.segment(p, model, config) for p in photos]
    assert [s.tiling is not None for s in alone] == [True, False, True]
    for a, b in zip(rs.segment_batch(photos, model, config, batch=2), alone, strict=True):
        assert a.tiling == b.tiling or a.probability == pytest.approx(b.probability, abs=1e-6)
        assert (a.corroded, a.reason) == (b.corroded, b.reason)
        np.testing.assert_allclose(a.heat, b.heat, atol=1e-5)
        assert (a.mask != b.mask).mean() < 1e-3


def test_strokes_and_thresholds_on_a_photo_in_windows(spotted: rs.Segmentation) -> None:
    np.testing.assert_array_equal(rs.resegment(spotted).mask, spotted.mask)
    np.testing.assert_array_equal(rs.resegment(spotted).rough, spotted.rough)
    assert rs.resegment(spotted).lattice is spotted.lattice
    rust, clean = np.zeros(WIDE, bool), np.zeros(WIDE, bool)
    rust[5, 7:30], clean[SPOT] = True, True
    after = rs.resegment(spotted, rust=rust, clean=clean)
    assert after.mask[rust].all()
    assert not after.mask[clean].any()
    assert after.tiling is spotted.tiling
    low, high = (rs.resegment(spotted, threshold=t).rough for t in (0.05, 0.95))
    assert low.sum() > high.sum()
    other = rs.resegment(spotted, crf=rs.CRFParams(working_size=32))
    assert other.lattice is not None
    assert max(other.lattice.image.shape) == 160  # a quarter of 640
    assert other.crf.reference_size == 448 * 640 // 64


def test_the_whole_photo_has_its_say_in_the_heat_map() -> None:
    model = red_model(gain=200, odds=1)
    look = rs.LocaliseConfig(method="score_map")

    def heat(tiles: rs.TileConfig) -> np.ndarray:
        config = replace(CONFIG, tiles=tiles, localise=look)
        return rs.segment(patch(WIDE, *SPOT), model, config).heat

    alone, whole = heat(TILED.tiles), heat(WHOLE)
    enlarged = bilinear(whole, (32, 40))
    for share in (0.25, 1.0):
        both = heat(replace(TILED.tiles, whole_share=share))
        np.testing.assert_allclose(both, (1 - share) * alone + share * enlarged, atol=1e-6)


def test_score_maps_of_windows_stay_probabilities() -> None:
    model = red_model(gain=8, odds=4)
    look = rs.LocaliseConfig(method="score_map")
    seg = rs.segment(patch(WIDE, *SPOT), model, replace(TILED, localise=look))
    assert seg.fine_heatmap is not None
    np.testing.assert_allclose(seg.fine_heatmap.min(), expit(-4), rtol=1e-4)
    np.testing.assert_allclose(seg.fine_heatmap.max(), expit(8 * REDNESS - 4), rtol=1e-4)
    assert seg.heat_maximum == pytest.approx(float(seg.fine_heatmap.max()))


# Strokes


def test_strokes_are_kept_to_the_pixel_on_a_photo_larger_than_the_working_size(
    model: Classifier,
) -> None:
    scale = 3  # 384 pixels wide, six times the working size
    seg = rs.segment(rusty(scale), model, CONFIG)
    before = seg.mask.copy()
    rng = np.random.default_rng(0)
    rust, clean = (rng.random(seg.mask.shape) < 0.02 for _ in range(2))  # single pixels, anywhere
    rust[7, 5:200], clean[8, 5:200] = True, True  # two touching lines, one pixel wide
    clean &= ~rust
    after = rs.resegment(seg, rust=rust, clean=clean)
    assert after.mask[rust].all()
    assert not after.mask[clean].any()
    assert after.posterior is not None
    assert (after.posterior[rust] == 1).all()
    assert (after.posterior[clean] == 0).all()
    np.testing.assert_array_equal(seg.mask, before)  # the earlier result is left as it is
    assert (after.probability, after.corroded) == (seg.probability, seg.corroded)
    assert after.lattice is seg.lattice


def test_without_strokes_nothing_changes(found: rs.Segmentation, nothing: rs.Segmentation) -> None:
    empty = np.zeros(SHAPE, bool)
    for seg in (found, nothing):
        for strokes in ({}, {"rust": empty, "clean": empty}):
            again = rs.resegment(seg, **strokes)  # type: ignore[arg-type]
            np.testing.assert_array_equal(again.mask, seg.mask)
            np.testing.assert_array_equal(again.rough, seg.rough)
            assert again.reason == seg.reason


def test_an_expert_overrules_the_verdict_and_may_take_it_back(nothing: rs.Segmentation) -> None:
    rust = np.zeros(SHAPE, bool)
    rust[40:44, 50:60] = True
    marked = rs.resegment(nothing, rust=rust)
    assert marked.mask[rust].all()
    assert marked.reason == ""
    assert (marked.probability, marked.corroded) == (nothing.probability, False)
    undone = rs.resegment(marked)
    assert not undone.mask.any()
    assert undone.posterior is None
    assert undone.reason == NO_CORROSION


def test_clean_strokes_alone_leave_an_empty_mask(nothing: rs.Segmentation) -> None:
    assert not rs.resegment(nothing, clean=np.ones(SHAPE, bool)).mask.any()


def test_a_stroke_spreads_unless_it_is_settled(nothing: rs.Segmentation) -> None:
    photo = nothing.image.copy()
    photo[40:60, 40:70] = (60, 90, 60)  # a colour that the network does not see
    seg, rust = replace(nothing, image=photo, lattice=None), np.zeros(SHAPE, bool)
    rust[49:51, 45:65] = True
    grown = rs.resegment(seg, rust=rust).mask
    assert grown[42:58, 42:68].all()
    assert grown.sum() < 1.2 * 20 * 30
    kept = rs.resegment(seg, rust=rust, settled=rust).mask
    assert kept[rust].all()
    assert kept.sum() < 3 * rust.sum()  # the CRF's rim around it, 2 x 20 pixels wide
    with pytest.raises(rs.ConfigError, match="settled is bool"):
        rs.resegment(seg, rust=rust, settled=rust[1:])


def test_strokes_spread_alike_at_any_size_of_the_crf(nothing: rs.Segmentation) -> None:
    photo = np.repeat(np.repeat(nothing.image, 8, axis=0), 8, axis=1)
    photo[320:480, 320:560] = (60, 90, 60)
    rust = np.zeros(photo.shape[:2], bool)
    rust[390:410, 360:520] = True
    empty = np.zeros_like(rust)
    seg = replace(nothing, image=photo, lattice=None, mask=empty, rough=empty)
    for working_size in (256, 448, 900):
        mask = rs.resegment(seg, rust=rust, crf=rs.CRFParams(working_size=working_size)).mask
        assert mask[rust].all()
        assert mask[336:464, 336:544].mean() > 0.99
        assert mask.sum() < 1.2 * 160 * 240


def test_another_threshold_and_other_parameters(found: rs.Segmentation) -> None:
    low, high = (rs.resegment(found, threshold=t) for t in (0.05, 0.95))
    assert (low.threshold, high.threshold) == (0.05, 0.95)
    assert low.rough.sum() > found.rough.sum() > high.rough.sum()
    crf = rs.CRFParams(working_size=32)
    other = rs.resegment(found, crf=crf)
    assert other.config.crf == crf
    assert other.lattice is not None
    assert other.lattice.image.shape == (24, 32, 3)
    assert found.config == CONFIG
    for wrong in (0.0, 1.0, float("nan")):
        with pytest.raises(rs.ConfigError, match="threshold is"):
            rs.resegment(found, threshold=wrong)


def test_wrong_strokes_are_refused_by_name(found: rs.Segmentation) -> None:
    both = np.zeros(SHAPE, bool)
    both[0, :3] = True
    with pytest.raises(rs.ConfigError, match=r"rust and clean overlap in 3 pixels"):
        rs.resegment(found, rust=both, clean=both)
    with pytest.raises(rs.ConfigError, match=r"rust is bool\(64, 64\).*bool\(96, 128\)"):
        rs.resegment(found, rust=np.zeros((64, 64), bool))
    with pytest.raises(rs.ConfigError, match=r"clean is uint8"):
        rs.resegment(found, clean=np.zeros(SHAPE, np.uint8))


# Memory


BIG = """
import re, sys
from pathlib import Path
import numpy as np
sys.path.insert(0, "tests")
from hand_made import red_model
import rustseg_jax as rs
photo = np.full((4000, 6000, 3), (90, 110, 130), np.uint8)
photo[1000:3000, 1500:4500] = (150, 75, 30)
seg = rs.segment(photo, red_model())
seg = rs.resegment(seg, rust=np.zeros(seg.mask.shape, bool), clean=~seg.mask)
assert seg.mask.any()
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_memory_of_a_large_photo() -> None:
    # 24 megapixels, to be quick. The limit is 3 GB for 50: about 0.5 GB that do not grow, so
    # 0.5 + 24 / 50 * 2.5 = 1.7 GB here.
    # Kilobytes of VmHWM, not ru_maxrss: that one remembers the size of the process it came from.
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", BIG], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1_700_000


# Each heat-map method has its own default threshold


def test_the_cut_follows_the_kind_of_heat_map_unless_it_was_chosen() -> None:
    cam, plain = rs.LocaliseConfig(method="grad_cam"), rs.Config()
    assert plain.threshold == rs.ThresholdConfig()
    assert rs.Config(localise=cam).threshold != plain.threshold
    assert plain.with_heat_map(cam) == rs.Config(localise=cam)
    assert plain.with_heat_map(cam).with_heat_map(plain.localise) == plain
    chosen = rs.Config(threshold=rs.ThresholdConfig("otsu"))
    assert chosen.with_heat_map(cam).threshold == chosen.threshold
    assert replace(plain, localise=cam).threshold == plain.threshold  # as it says
