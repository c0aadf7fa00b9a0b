"""Windows of large photos: which, at what cost, and how their maps join."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hand_made import red_model

import rustseg_jax as rs
from rustseg_jax.config import CRFParams, NetworkConfig, TileConfig
from rustseg_jax.tiling import windows
from rustseg_jax.tiling.plan import Plan, blend, crf_of, fade, plan_tiles, reduce

SHAPES = [(1501, 1501), (3000, 4000), (4000, 6000), (5773, 8660), (300, 4000), (1600, 100)]


def planned(shape: tuple[int, int], **options: object) -> Plan:
    found = plan_tiles(shape, TileConfig(**options))  # type: ignore[arg-type]
    assert found is not None
    return found


# The plan


def test_a_plan_by_hand() -> None:
    # Windows of 64 pixels are 4 cells of 16. 128 x 256 pixels are 8 x 16 cells. At an overlap
    # of a half the step is 2 cells: starts 0, 2, 4 and 0, 2, ..., 12.
    found = plan_tiles((128, 256), TileConfig("tiles", window=64, overlap=0.5), input_size=64)
    assert found == Plan((128, 256), 64, 1.0, 4, (0, 2, 4), (0, 2, 4, 6, 8, 10, 12))
    assert (found.windows, found.passes, found.grid) == (21, 22, (8, 16))
    boxes = list(found.boxes())
    assert len(boxes) == 21
    assert boxes[0] == (slice(0, 64), slice(0, 64))
    assert boxes[1] == (slice(0, 64), slice(32, 96))
    assert boxes[7] == (slice(32, 96), slice(0, 64))
    assert boxes[-1] == (slice(64, 128), slice(192, 256))


def test_who_is_looked_at_in_windows() -> None:
    for shape, mode, tiled in [
        ((1500, 1000), "auto", False),
        ((1000, 1501), "auto", True),
        ((4000, 6000), "whole", False),
        ((449, 448), "tiles", True),
        ((448, 448), "tiles", False),  # one window would be the whole photo
    ]:
        assert (plan_tiles(shape, TileConfig(mode)) is not None) is tiled, (shape, mode)
    assert plan_tiles((1000, 1501)) is not None
    assert plan_tiles((1000, 1500)) is None


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
def test_windows_cover_the_photo_and_overlap_as_wanted(
    shape: tuple[int, int], overlap: float
) -> None:
    found = planned(shape, overlap=overlap, max_windows=1000)
    seen = np.zeros(shape, np.uint8)
    size = tuple(min(found.window, side) for side in shape)
    for rows, columns in found.boxes():
        assert (rows.stop - rows.start, columns.stop - columns.start) == size
        seen[rows, columns] = 1
        assert rows.stop <= shape[0]
        assert columns.stop <= shape[1]
    assert seen.all()
    for starts in (found.rows, found.columns):
        steps = np.diff(starts)
        assert (steps <= found.cells * (1 - overlap) + 1e-9).all()
        assert (steps >= 1).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("most", [1, 7, 40, 128])
def test_too_many_windows_shrink_the_photo_first(shape: tuple[int, int], most: int) -> None:
    found = planned(shape, max_windows=most)
    assert 1 <= found.windows <= most
    assert found.scale == 448 / found.window
    if found.scale < 1:  # and no more than needed
        closer = planned(shape, window=found.window - 1, max_windows=10_000)
        assert closer.windows > most


def test_the_largest_photo_stays_affordable() -> None:
    assert planned((5773, 8660)).passes <= 129


def test_a_plan_says_its_cost_in_words_and_numbers() -> None:
    # 109 passes of 0.11 s are 11.99 s; five times that are 59.95 s.
    plan = planned((3000, 4000))
    assert plan.describe() == "108 tiles at full resolution (about 12 s)"
    assert plan.duration(5) == "about 60 s"
    large = planned((5773, 8660))
    assert "tiles of the photo reduced to 54 % (about 14 s)" in large.describe()
    assert plan.to_json() == {
        "windows": 108, "rows": 9, "columns": 12, "window": 448, "scale": 1.0, "passes": 109,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "some"}, "mode is 'some'; must be one of auto, whole, tiles"),
        ({"from_side": 0}, "from_side is 0; .* at least 1"),
        ({"window": 15}, "window is 15; .* at least 16"),
        ({"window": 448.0}, "window is 448.0"),
        ({"max_windows": 0}, "max_windows is 0"),
        ({"overlap": 0.95}, "overlap is 0.95; must be between 0 and 0.9"),
        ({"overlap": float("nan")}, "overlap is nan"),
        ({"whole_share": 1.5}, "whole_share is 1.5; must be between 0 and 1"),
        ({"working_size": 8}, "working_size is 8"),
    ],
)
def test_wrong_options_are_refused_by_name(options: dict[str, object], said: str) -> None:
    with pytest.raises(rs.ConfigError, match=said):
        TileConfig(**options)  # type: ignore[arg-type]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(rs.ConfigError, match="shape is"):
        plan_tiles((0, 2000))
    with pytest.raises(rs.ConfigError, match="input_size is 450"):
        plan_tiles((2000, 2000), input_size=450)


# Blending


def test_fade_by_hand() -> None:
    # sin^2 at 1/8, 3/8, 5/8 and 7/8 of pi.
    s = (1 - np.sqrt(0.5)) / 2
    np.testing.assert_allclose(fade(4), [s, 1 - s, 1 - s, s], rtol=1e-6)


def test_a_blend_by_hand() -> None:
    # Two windows of 2 x 2 cells side by side, a cell apart. Weights of a window are 1/2 all
    # over, so the shared column is the mean.
    found = Plan((32, 48), 32, 1.0, 2, (0,), (0, 1))
    maps = np.array([[[1, 2], [3, 4]], [[6, 7], [8, 9]]], np.float32)
    np.testing.assert_allclose(blend(maps, found), [[1, 4, 7], [3, 6, 9]], rtol=1e-6)


def test_a_neighbour_counts_more_where_a_window_ends() -> None:
    found = Plan((64, 112), 64, 1.0, 4, (0,), (0, 3))
    maps = np.stack([np.zeros((4, 4)), np.ones((4, 4))]).astype(np.float32)
    assert blend(maps, found)[0].tolist() == pytest.approx([0, 0, 0, 0.5, 1, 1, 1])
    found = Plan((64, 96), 64, 1.0, 4, (0,), (0, 2))
    s = float(fade(4)[0])
    assert blend(maps, found)[2].tolist() == pytest.approx([0, 0, s, 1 - s, 1, 1], rel=1e-5)


def test_a_blend_restores_what_windows_were_cut_from() -> None:
    found = planned((3000, 4000))
    field = np.random.default_rng(0).random(found.grid, np.float32)
    maps = np.stack([field[i : i + 28, j : j + 28] for i in found.rows for j in found.columns])
    np.testing.assert_allclose(blend(maps, found), field, rtol=1e-6)
    with pytest.raises(rs.ConfigError, match=r"maps has the shape \(107, 28, 28\)"):
        blend(maps[1:], found)


def test_a_blend_stays_within_what_the_windows_say() -> None:
    found = planned((1700, 2000))
    maps = np.random.default_rng(1).random((found.windows, 28, 28), np.float32)
    fine = blend(maps, found)
    assert fine.shape == found.grid
    assert fine.dtype == np.float32
    assert maps.min() <= fine.min()
    assert fine.max() <= maps.max()


def test_reduce_by_hand_and_its_mean() -> None:
    fine = np.array([[0, 1, 0.5, 0.5], [1, 0, 0.5, 0.5], [0, 0, 1, 1], [0, 0, 1, 1]], np.float32)
    np.testing.assert_allclose(reduce(fine, 2), [[0.5, 0.5], [0, 1]])
    fine = np.random.default_rng(0).random((101, 57), np.float32)
    small = reduce(fine, 28)
    assert small.shape == (28, 28)
    assert small.mean() == pytest.approx(fine.mean(), abs=1e-3)
    np.testing.assert_array_equal(reduce(small, 28), small)


# The CRF


def test_the_crf_reaches_as_far_as_in_a_photo_of_a_windows_size() -> None:
    crf, config = CRFParams(), TileConfig()
    assert crf_of(None, crf, config) is crf
    for shape in SHAPES:
        found = planned(shape)
        adapted = crf_of(found, crf, config)
        working = min(adapted.working_size, max(shape))
        # Pixels of the photo that bilateral_sxy is: at the CRF's size, times the shrinking.
        reach = crf.bilateral_sxy * working / adapted.reference_size * max(shape) / working
        assert reach == pytest.approx(crf.bilateral_sxy * found.window / 448, rel=1e-2)
        assert adapted.working_size == max(448, min(896, round(max(shape) * found.scale / 4)))
    assert crf_of(planned((1000, 4000)), CRFParams(working_size=2000), config) == CRFParams(
        working_size=2000, reference_size=4000
    )


# The verdict


def test_pooling_by_hand() -> None:
    margins = np.log([1.0, 3.0])
    lse = NetworkConfig(pooling="lse", sharpness=1.0)
    assert windows.pool(margins, lse) == pytest.approx(np.log(2))
    sharp = NetworkConfig(pooling="lse", sharpness=2.0)
    assert windows.pool(margins, sharp) == pytest.approx(np.log((1 + 9) / 2) / 2)
    assert windows.pool(np.array([1.0, 2.0, 6.0]), NetworkConfig(pooling="mean")) == 3
    assert windows.pool(np.array([900.0, 0.0]), lse) == pytest.approx(900 - np.log(2))


def test_more_windows_are_not_more_chances() -> None:
    rng = np.random.default_rng(0)
    for pooling in ("mean", "lse"):
        network = NetworkConfig(pooling=pooling)
        few = rng.normal(-2, 1, 25)
        assert windows.pool(np.tile(few, 5), network) == pytest.approx(windows.pool(few, network))
        assert few.mean() - 1e-9 <= windows.pool(few, network) < few.max()


def test_both_looks_have_one_voice() -> None:
    assert windows.agree(-4.0, 1.0) == -1.5
    assert windows.agree(1.0, -4.0) == -1.5


def test_maps_of_several_pictures_compare() -> None:
    heat = np.array([[[0.5, 1.0]], [[1.0, 0.0]]], np.float32)
    top = np.array([4.0, 2.0], np.float32)
    cam = rs.LocaliseConfig(method="grad_cam")
    np.testing.assert_array_equal(windows.absolute(heat, top, cam), [[[2, 4]], [[2, 0]]])
    score = rs.LocaliseConfig(method="score_map")
    np.testing.assert_array_equal(windows.absolute(heat, top, score), heat)


class Spy:
    """A network that remembers the shapes it was given."""

    def __init__(self, model: rs.Classifier) -> None:
        self.model, self.config, self.head = model, model.config, model.head
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, x: jax.Array) -> rs.Output:
        self.shapes.append(x.shape)
        return self.model(x)

    def verdict(self, x: jax.Array, output: rs.Output) -> jax.Array:
        return self.model.verdict(x, output)


def test_the_network_sees_each_window_once_in_order_and_in_one_shape() -> None:
    # Nine squares of 32 pixels, each a window, each of another redness: (R - B) / 255 = red.
    red = np.arange(9).reshape(3, 3) * 25
    photo = np.zeros((96, 96, 3), np.uint8)
    photo[..., 0] = np.kron(red, np.ones((32, 32)))
    found = plan_tiles((96, 96), TileConfig("tiles", window=32, overlap=0.0), input_size=32)
    assert found is not None
    spy = Spy(red_model(gain=8, odds=1, input_size=32))
    config = rs.LocaliseConfig(method="grad_cam")
    views = windows.look(photo, spy, found, config)  # type: ignore[arg-type]
    assert spy.shapes == [(windows.BATCH, 32, 32, 3)] * 3
    activation = 4 * red.ravel() / 255
    np.testing.assert_allclose(views.margins, 8 * activation - 1, rtol=1e-5)
    # Grad-CAM: gradient 8 / 2 of the mean of 2 x 2 positions, so 4 / 4, times the activation.
    assert views.maps.shape == (9, 2, 2)
    np.testing.assert_allclose(
        views.maps, np.ones((9, 2, 2)) * activation[:, None, None], rtol=1e-5
    )
