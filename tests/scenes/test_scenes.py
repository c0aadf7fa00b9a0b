"""Rendered scenes: what noise and stain do by hand, then what holds for every kind."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from rustseg_jax.errors import ConfigError
from rustseg_jax.scenes import KINDS, render
from rustseg_jax.scenes.__main__ import COLUMNS, SAMPLES, SIZE, main
from rustseg_jax.scenes.light import Light, linear, paint, shade, tilt
from rustseg_jax.scenes.noise import Canvas, blur, cells, fbm, mix, sample, smoothstep
from rustseg_jax.scenes.rust import corrode, run_off

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "samples"
SMALL = (72, 96)
CORRODED = [kind for kind, rusts in KINDS.items() if rusts]


def make_rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


# By hand


def test_smoothstep_rises_and_falls():
    t = np.float32([-1, 0, 0.25, 0.5, 1, 2])
    np.testing.assert_allclose(smoothstep(0, 1, t), [0, 0, 0.15625, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(1, 0, t), [1, 1, 0.84375, 0.5, 0, 0])


def test_mix_adds_the_channel_axis():
    colour = np.zeros((1, 2, 3), np.float32)
    mixed = mix(colour, np.float32([8, 4, 2]), np.float32([[0, 0.5]]))
    np.testing.assert_array_equal(mixed, [[[0, 0, 0], [4, 2, 1]]])


def test_sample_reads_between_pixels_and_holds_the_border():
    field = np.float32([[0, 2], [4, 6]])
    y, x = np.float32([[0, 0.5, 9]]), np.float32([[0.5, 0.5, 9]])
    np.testing.assert_allclose(sample(field, y, x), [[1, 3, 6]])


def test_flat_surface_facing_the_sun_shows_albedo_times_light():
    canvas = Canvas(64, 64)
    light = Light((0.0, 0.0, 1.0), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), canvas.full(1))
    lit = shade(canvas, paint(canvas, np.float32([0.2, 0.4, 0.8]), gloss=0.0), light)
    # Sun straight on: 0.5; sky on an upright wall: 0.25 * 0.8.
    np.testing.assert_allclose(lit[32, 32], np.float32([0.2, 0.4, 0.8]) * 0.7, rtol=1e-5)


def test_a_step_throws_its_shadow_away_from_the_sun():
    canvas = Canvas(400, 400)
    surface = paint(canvas, linear(128, 128, 128), gloss=0.0)
    surface.height[:, :200] = 0.02
    level = np.sqrt(0.5)
    light = Light((0.0, -level, level), (1.0, 1.0, 1.0), (0.1, 0.1, 0.1), canvas.full(1))
    lit = shade(canvas, surface, light)[200, :, 0]
    # The sun stands 45 degrees to the left: a step of 8 px darkens 8 px to its right.
    assert lit[204] < 0.35 * lit[300]
    assert lit[230] > 0.95 * lit[300]
    assert lit[180] > 0.95 * lit[300]


def test_run_off_only_goes_down_and_fades():
    canvas = Canvas(100, 80)
    source = canvas.full()
    source[40:44, 20:60] = 1
    stain = run_off(canvas, make_rng(), source)
    assert stain[:36].max() == 0
    middle = stain[:, 25:55].mean(axis=1)
    assert middle[45] > 0.05
    assert middle[50] > middle[70] > middle[95] > 0


# Noise


@pytest.mark.parametrize("stretch", [(1, 1), (0.2, 1)])
def test_fbm_has_unit_variance(stretch):
    canvas = Canvas(256, 256)
    field = np.stack([fbm(canvas, make_rng(s), 8, octaves=3, stretch=stretch) for s in range(12)])
    assert abs(field.mean()) < 0.1
    assert 0.85 < field.std() < 1.15


def test_fbm_is_the_same_field_at_another_size():
    small = fbm(Canvas(64, 96), make_rng(), 3, octaves=3)
    large = fbm(Canvas(192, 288), make_rng(), 3, octaves=3)
    np.testing.assert_allclose(large[1::3, 1::3], small, atol=1e-4)


def test_fbm_draws_one_number_whatever_the_size():
    first, second = make_rng(), make_rng()
    fbm(Canvas(64, 64), first, 20)
    fbm(Canvas(128, 300), second, 20)
    assert first.random() == second.random()


def test_blur_is_a_gaussian_on_either_side_of_the_switch():
    field = make_rng().random((120, 120)).astype(np.float32)
    for sigma in (2.0, 6.0):
        wanted = ndimage.gaussian_filter(field, sigma, mode="nearest")
        assert np.abs(blur(field, sigma) - wanted)[20:-20, 20:-20].max() < 0.01


def test_cells_agree_with_brute_force():
    canvas = Canvas(64, 64)
    first, second, owner = cells(canvas, make_rng(), 6)
    points = np.random.Generator(np.random.PCG64(int(make_rng().integers(2**32))))
    grid = points.random((128, 128, 2), np.float32)
    i, j = np.mgrid[-1:8, -1:8]
    y, x = (i + grid[i % 128, j % 128, 0]).ravel(), (j + grid[i % 128, j % 128, 1]).ravel()
    away = np.hypot(canvas.y[..., None] * 6 - y, canvas.x[..., None] * 6 - x)
    away.sort(axis=-1)
    np.testing.assert_allclose(first, away[..., 0], atol=1e-4)
    assert (second >= first).all()
    assert len(np.unique(owner)) > 20


# Rust


def test_stain_is_not_rust_and_rust_follows_the_bias():
    canvas = Canvas(128, 128)
    bias = np.where(canvas.y + 0 * canvas.x < 0.4, np.float32(9), np.float32(0))
    sound = paint(canvas, linear(220, 220, 215))
    rusty = corrode(canvas, make_rng(1), sound, bias=bias, coverage=0.15, stain=1.0)
    mask = rusty.rust > 0.5
    assert mask[:51].sum() > 0.9 * mask.sum()
    below = rusty.albedo[60:90][~mask[60:90]]
    assert (below[:, 2] < 0.8 * sound.albedo[0, 0, 2]).mean() > 0.1  # it is stained there


def test_rust_coverage_is_what_was_asked_for():
    canvas = Canvas(200, 200)
    for coverage in (0.1, 0.5):
        surface = corrode(canvas, make_rng(2), paint(canvas, linear(9, 9, 9)), coverage=coverage)
        share = (surface.rust > 0.5)[20:-20, 20:-20].mean()
        assert coverage * 0.85 < share < coverage * 1.15 + 0.05


def test_tilt_moves_picture_and_mask_together():
    canvas = Canvas(96, 128)
    rust = smoothstep(0.1, -0.1, fbm(canvas, make_rng(3), 4))
    image, moved = tilt(canvas, make_rng(4), np.repeat(rust[..., None], 3, axis=2), rust)
    np.testing.assert_array_equal(image[..., 1], moved)
    assert np.abs(moved - rust).mean() > 0.01


# Every kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_renders(kind):
    scene = render(kind, 5, size=SMALL)
    assert scene.image.shape == (*SMALL, 3)
    assert scene.image.dtype == np.uint8
    assert scene.mask.shape == SMALL
    assert scene.mask.dtype == bool
    assert (scene.kind, scene.corroded) == (kind, KINDS[kind])
    assert scene.mask.any() == scene.corroded
    assert scene.image.std() > 8  # neither flat nor burnt out
    assert 40 < scene.image.mean() < 215


@pytest.mark.parametrize("kind", CORRODED)
def test_rust_is_browner_than_what_is_around_it(kind):
    warm = []
    for seed in range(3):
        scene = render(kind, seed, size=(96, 96))
        red_over_blue = scene.image[..., 0].astype(int) - scene.image[..., 2]
        sound = ~ndimage.binary_dilation(scene.mask, iterations=2)
        warm.append(red_over_blue[scene.mask].mean() - red_over_blue[sound].mean())
    assert np.mean(warm) > 15


def test_same_seed_same_pixels_other_seed_other_pixels():
    first, again = render("plate", 7, size=SMALL), render("plate", 7, size=SMALL)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert (render("plate", 8, size=SMALL).image != first.image).mean() > 0.5


@pytest.mark.parametrize("kind", ["painted_steel", "pipe", "railing"])
def test_the_scene_is_the_same_at_another_size(kind):
    small, large = (render(kind, 3, size=size).mask for size in ((90, 120), (270, 360)))
    shrunk = large.reshape(90, 3, 120, 3).mean(axis=(1, 3)) > 0.5
    assert (small & shrunk).sum() / (small | shrunk).sum() > 0.75


@pytest.mark.parametrize("size", [(64, 64), (64, 400), (333, 65)])
def test_any_shape(size):
    for kind in ("corrugated", "railing", "leaves", "graffiti"):
        assert render(kind, 0, size=size).mask.shape == size


@pytest.mark.parametrize(
    ("kind", "seed", "size", "word"),
    [
        ("gold", 0, (64, 64), "painted_steel"),
        ("pipe", -1, (64, 64), "seed"),
        ("pipe", 1.5, (64, 64), "seed"),
        ("pipe", 0, (63, 64), "64 to 2048"),
        ("pipe", 0, (64, 2049), "64 to 2048"),
        ("pipe", 0, (64.5, 64), "whole numbers"),
        ("pipe", 0, (64, 64, 3), "whole numbers"),
    ],
)
def test_misuse_is_refused_with_what_is_allowed(kind, seed, size, word):
    with pytest.raises(ConfigError, match=word):
        render(kind, seed, size=size)


# The shipped samples


def shipped_rows() -> list[dict[str, str]]:
    with (SHIPPED / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_shipped_manifest_names_exactly_the_shipped_files():
    rows = shipped_rows()
    assert tuple(rows[0]) == COLUMNS
    assert [(row["kind"], int(row["seed"])) for row in rows] == list(SAMPLES)
    named = {row["image"] for row in rows} | {row["mask"] for row in rows if row["mask"]}
    with (SHIPPED / "attribution.csv").open(newline="", encoding="utf-8") as file:
        photos = {row["image"] for row in csv.DictReader(file)}  # not rendered, no truth known
    tables = {"manifest.csv", "attribution.csv"}
    assert named | photos | tables == {path.name for path in SHIPPED.iterdir()}
    assert not named & photos
    assert {row["split"] for row in rows} == {"sample"}
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 2_000_000


@pytest.mark.parametrize(("kind", "seed"), SAMPLES)
def test_the_shipped_files_are_what_is_rendered(kind, seed):
    row = next(row for row in shipped_rows() if row["kind"] == kind)
    scene = render(kind, seed, size=SIZE)
    with Image.open(SHIPPED / row["image"]) as file:
        image = np.asarray(file, np.int16)
    assert image.shape == scene.image.shape
    assert np.abs(image - scene.image).mean() < 4  # JPEG, quality 90
    assert row["label"] == str(int(scene.corroded))
    assert bool(row["mask"]) == scene.corroded
    if row["mask"]:
        with Image.open(SHIPPED / row["mask"]) as file:
            mask = np.asarray(file)
        assert set(np.unique(mask)) == {0, 255}
        # Another machine's `exp` may flip a pixel that sits on 0.5.
        assert ((mask == 255) != scene.mask).mean() < 1e-4


def test_the_command_writes_a_data_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("rustseg_jax.scenes.__main__.SAMPLES", (("plate", 1), ("brick", 2)))
    monkeypatch.setattr("rustseg_jax.scenes.__main__.SIZE", (64, 64))
    assert main(["--out", str(tmp_path / "new")]) == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "brick.jpg",
        "manifest.csv",
        "plate.jpg",
        "plate.mask.png",
    ]
    assert capsys.readouterr().out.count("\n") == 2
    text = (tmp_path / "new" / "manifest.csv").read_text()
    assert "plate.jpg,1,rendered,plate-1,sample,plate.mask.png,plate,1" in text
    assert "brick.jpg,0,rendered,brick-2,sample,,brick,2" in text
