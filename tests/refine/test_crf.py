"""The dense CRF with strokes: by hand, against pydensecrf and against exact mean field."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydensecrf.densecrf import DenseCRF2D

from rustseg_jax.config import PUBLISHED, CRFParams
from rustseg_jax.errors import ConfigError
from rustseg_jax.refine import (
    Lattice,
    crf_refine,
    shrink_strokes,
    working_shape,
)

PAINT, RUST = (90, 110, 130), (150, 75, 30)


def flat(shape: tuple[int, int], colour: tuple[int, int, int] = PAINT) -> np.ndarray:
    return np.full((*shape, 3), colour, np.uint8)


def two_colours(shape: tuple[int, int], column: int) -> np.ndarray:
    photo = flat(shape)
    photo[:, column:] = RUST
    return photo


def at_own_size(size: int, **changes: float) -> CRFParams:
    """Parameters whose sxy hold as given on a small picture."""
    return CRFParams(reference_size=size, **changes)  # type: ignore[arg-type]


# Threshold


# Rough mask and probability


# The CRF


def exact_mean_field(
    image: np.ndarray, probability: np.ndarray, params: CRFParams, rust: np.ndarray | None = None
) -> np.ndarray:
    """Mean field with both labels and all N x N kernel values, as the paper writes it."""
    height, width = probability.shape
    scale = max(height, width) / params.reference_size
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    place = np.stack([y, x], -1)[:, None] - np.stack([y, x], -1)[None]
    far = (place**2).sum(-1)
    colour = image.reshape(-1, 3).astype(float)
    other = ((colour[:, None] - colour[None]) ** 2).sum(-1)
    kernels = []
    for weight, exponent in (
        (params.gaussian_compat, far / (params.gaussian_sxy * scale) ** 2),
        (
            params.bilateral_compat,
            far / (params.bilateral_sxy * scale) ** 2 + other / params.bilateral_srgb**2,
        ),
    ):
        k = np.exp(-exponent / 2)
        norm = 1 / np.sqrt(k.sum(1))
        kernels.append(weight * norm[:, None] * k * norm[None])
    kernel = sum(kernels)
    unary = np.log(np.stack([1 - probability.ravel(), probability.ravel()]).astype(float))
    Q = np.exp(unary)
    for _ in range(params.iterations):
        Q = np.exp(unary + Q @ kernel.T)
        Q /= Q.sum(0)
        if rust is not None:
            Q[:, rust.ravel()] = [[0], [1]]
    return Q[1].reshape(height, width)


def noisy_case(shape: tuple[int, int] = (24, 24)) -> tuple[np.ndarray, np.ndarray]:
    """Two colours with noise, and evidence that is right about them only on the whole."""
    rng = np.random.default_rng(5)
    photo = two_colours(shape, shape[1] // 2 + 3).astype(float)
    photo = np.clip(photo + rng.normal(0, 6, photo.shape), 0, 255).astype(np.uint8)
    probability = np.full(shape, 0.35, np.float32)
    probability[:, shape[1] // 2 + 3 :] = 0.65
    probability += rng.uniform(-0.3, 0.3, shape).astype(np.float32)
    return photo, probability


@pytest.mark.parametrize(
    "params",
    [
        at_own_size(24, gaussian_sxy=2.0, bilateral_sxy=20.0, bilateral_srgb=13.0),
        at_own_size(24),
        replace(PUBLISHED["pydensecrf"], reference_size=24),
        PUBLISHED["pydensecrf"],
    ],
    ids=["narrow", "default", "as published", "scaled"],
)
def test_agrees_with_exact_mean_field(params: CRFParams) -> None:
    photo, probability = noisy_case()
    exact = exact_mean_field(photo, probability, params)
    ours = Lattice(photo, params).infer(probability)
    assert ((ours >= 0.5) == (exact >= 0.5)).mean() >= 0.98
    assert np.abs(ours - exact).mean() < 0.03


def test_the_smoothness_kernel_alone_is_exact() -> None:
    photo, probability = noisy_case((20, 31))
    params = at_own_size(31, bilateral_compat=0.0, gaussian_sxy=2.0)
    ours = Lattice(photo, params).infer(probability)
    np.testing.assert_allclose(ours, exact_mean_field(photo, probability, params), atol=0.02)


def test_the_appearance_kernel_alone_is_pydensecrfs() -> None:
    # Not square: a swap of width and height would shear the picture.
    photo, probability = noisy_case((40, 57))
    params = at_own_size(
        57, gaussian_compat=0.0, bilateral_sxy=30.0, bilateral_srgb=13.0, tolerance=0.0
    )
    crf = DenseCRF2D(57, 40, 2)
    unary = -np.log(np.stack([1 - probability, probability])).reshape(2, -1)
    crf.setUnaryEnergy(np.ascontiguousarray(unary, np.float32))
    crf.addPairwiseBilateral(sxy=30, srgb=13, rgbim=photo, compat=10)
    theirs = np.array(crf.inference(params.iterations))[1].reshape(40, 57)
    np.testing.assert_allclose(Lattice(photo, params).infer(probability), theirs, atol=1e-4)


def test_a_flat_photo_with_even_evidence_keeps_its_verdict() -> None:
    for level in (0.2, 0.8):
        posterior = crf_refine(flat((32, 48)), np.full((32, 48), level, np.float32))
        assert ((posterior >= 0.5) == (level >= 0.5)).all()


def test_even_odds_stay_even() -> None:
    posterior = crf_refine(flat((20, 20)), np.full((20, 20), 0.5, np.float32))
    np.testing.assert_allclose(posterior, 0.5, atol=1e-6)


def test_a_single_contrary_pixel_is_smoothed_away() -> None:
    probability = np.full((32, 32), 0.2, np.float32)
    probability[10, 20] = 0.9
    posterior = crf_refine(flat((32, 32)), probability, at_own_size(32))
    assert (posterior < 0.5).all()


def test_labels_are_symmetric() -> None:
    photo, probability = noisy_case()
    lattice = Lattice(photo, at_own_size(24))
    np.testing.assert_allclose(
        lattice.infer(probability), 1 - lattice.infer(1 - probability), atol=1e-4
    )


def test_the_border_moves_to_the_colour_edge() -> None:
    # The evidence puts the border at column 36, the paint ends at 30. Not square.
    photo = two_colours((40, 64), 30)
    ramp = np.clip(0.5 + (np.arange(64) - 35.5) * 0.02, 0.05, 0.95).astype(np.float32)
    posterior = crf_refine(photo, np.tile(ramp, (40, 1)), at_own_size(64, gaussian_compat=1.0))
    np.testing.assert_array_equal(posterior >= 0.5, np.tile(np.arange(64) >= 30, (40, 1)))


def test_a_turned_photo_gives_the_turned_mask() -> None:
    photo, probability = noisy_case((40, 57))
    params = at_own_size(57)
    upright = crf_refine(photo, probability, params)
    turned = crf_refine(photo.transpose(1, 0, 2), probability.T, params)
    assert ((turned.T >= 0.5) == (upright >= 0.5)).mean() > 0.995


def test_strided_input_gives_the_same() -> None:
    photo, probability = noisy_case((40, 57))
    expected = crf_refine(photo, probability)
    wide_photo, wide = np.repeat(photo, 2, axis=1), np.repeat(probability, 2, axis=1)
    np.testing.assert_array_equal(crf_refine(wide_photo[:, ::2], wide[:, ::2]), expected)


def test_a_kept_lattice_equals_a_fresh_one() -> None:
    photo, probability = noisy_case((40, 57))
    rust = np.zeros((40, 57), bool)
    rust[5:9, 5:9] = True
    lattice = Lattice(photo)
    first = crf_refine(photo, probability, lattice=lattice)
    stroked = crf_refine(photo, probability, rust=rust, lattice=lattice)
    np.testing.assert_array_equal(stroked, crf_refine(photo, probability, rust=rust))
    np.testing.assert_array_equal(crf_refine(photo, probability, lattice=lattice), first)
    assert (stroked != first).any()


def test_a_kept_lattice_takes_other_weights_and_equals_a_fresh_one() -> None:
    photo, probability = noisy_case((40, 57))
    lattice = Lattice(photo)
    first = crf_refine(photo, probability, lattice=lattice)
    for changes in ({"bilateral_compat": 2.5}, {"gaussian_compat": 1.0, "iterations": 2}):
        params = replace(lattice.params, **changes)  # type: ignore[arg-type]
        assert lattice.fits(params)
        other = lattice.weighted(params)
        assert other.params == params
        assert other._crf is lattice._crf  # what is expensive is shared
        found = crf_refine(photo, probability, params, lattice=lattice)
        np.testing.assert_array_equal(found, crf_refine(photo, probability, params))
        assert (found != first).any()
    assert lattice.weighted(CRFParams()) is lattice
    np.testing.assert_array_equal(crf_refine(photo, probability, lattice=lattice), first)


def test_other_reaches_need_another_lattice() -> None:
    photo, probability = noisy_case((40, 57))
    lattice = Lattice(photo)
    for changes in ({"bilateral_sxy": 26.0}, {"bilateral_srgb": 9.0}, {"gaussian_sxy": 2.0},
                    {"reference_size": 447}):  # fmt: skip
        params = replace(lattice.params, **changes)  # type: ignore[arg-type]
        assert not lattice.fits(params)
        with pytest.raises(ConfigError, match="Build another lattice"):
            lattice.weighted(params)
        with pytest.raises(ConfigError, match="lattice has the size"):
            crf_refine(photo, probability, params, lattice=lattice)
    without = Lattice(photo, CRFParams(bilateral_compat=0.0))
    assert not without.fits(CRFParams())  # the kernel was left out: it is not there
    none = replace(lattice.params, bilateral_compat=0.0)
    np.testing.assert_array_equal(
        crf_refine(photo, probability, none, lattice=lattice),
        crf_refine(photo, probability, none),
    )


def test_a_settled_posterior_ends_the_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    photo, probability = flat((16, 16)), np.full((16, 16), 0.1, np.float32)
    steps: list[int] = []
    lattice = Lattice(photo, CRFParams(iterations=50))
    messages = lattice._messages

    def counted(*arguments):  # type: ignore[no-untyped-def]
        steps.append(1)
        return messages(*arguments)

    monkeypatch.setattr(lattice, "_messages", counted)
    early = lattice.infer(probability)
    assert len(steps) < 10
    exhaustive = Lattice(photo, CRFParams(iterations=50, tolerance=0.0)).infer(probability)
    np.testing.assert_allclose(early, exhaustive, atol=1e-3)


def test_every_step_is_the_answer_of_so_many_iterations() -> None:
    photo, probability = noisy_case((24, 31))
    steps = list(Lattice(photo, CRFParams(iterations=3)).steps(probability))
    assert len(steps) == 4
    np.testing.assert_allclose(steps[0], probability, atol=2e-5)  # CLIP
    for count, step in enumerate(steps):
        fewer = Lattice(photo, CRFParams(iterations=count))
        np.testing.assert_array_equal(step, fewer.infer(probability))
    assert (steps[2] != steps[1]).any()


def test_steps_end_when_the_posterior_has_settled() -> None:
    photo, probability = flat((16, 16)), np.full((16, 16), 0.1, np.float32)
    steps = list(Lattice(photo, CRFParams(iterations=50)).steps(probability))
    assert 2 < len(steps) < 12
    assert np.abs(steps[-1] - steps[-2]).max() <= 1e-3 < np.abs(steps[-2] - steps[-3]).max()


# Strokes


def hostile_strokes(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A thin line, single pixels and a box of rust; a line of clean through it."""
    rust, clean = np.zeros(shape, bool), np.zeros(shape, bool)
    rust[shape[0] // 3, 3:-3] = True
    rust[1, 1] = rust[-1, 0] = True
    rust[-9:-4, 4:12] = True
    clean[:, shape[1] // 2] = True
    clean[2, 1] = True
    rust &= ~clean
    return rust, clean


@pytest.mark.parametrize("shape", [(40, 57), (201, 147)], ids=["working size", "larger"])
@pytest.mark.parametrize("level", [1e-9, 0.0, 1.0, 0.5])
def test_strokes_are_kept_to_the_pixel(shape: tuple[int, int], level: float) -> None:
    rust, clean = hostile_strokes(shape)
    params = CRFParams(working_size=57)
    posterior = crf_refine(
        flat(shape), np.full((14, 14), level, np.float32), params, rust=rust, clean=clean
    )
    assert (posterior[rust] == 1).all()
    assert (posterior[clean] == 0).all()


def test_strokes_shrink_by_hand() -> None:
    # 5 rows to 2 (0-1, 2-4), 7 columns to 3 (0-1, 2-3, 4-6). A thin stroke is not lost, and
    # a working pixel that both kinds touch is left to the CRF.
    rust, clean = np.zeros((5, 7), bool), np.zeros((5, 7), bool)
    rust[0, 1] = rust[4, 6] = rust[2, 2] = True
    clean[0, 0] = clean[0, 4] = True
    small_rust, small_clean = shrink_strokes(rust, clean, (2, 3))
    np.testing.assert_array_equal(small_rust, [[0, 0, 0], [0, 1, 1]])
    np.testing.assert_array_equal(small_clean, [[0, 0, 1], [0, 0, 0]])


def test_a_stroke_spreads_to_what_looks_alike() -> None:
    # Undecided evidence, slightly against rust; one stroke in the brown half.
    photo = two_colours((40, 64), 32)
    probability = np.full((40, 64), 0.48, np.float32)
    rust = np.zeros((40, 64), bool)
    rust[10:30, 45:55] = True
    posterior = crf_refine(photo, probability, at_own_size(64, gaussian_compat=1.0), rust=rust)
    assert (posterior[:, 34:] >= 0.5).mean() > 0.9
    assert (posterior[:, :30] < 0.5).all()


def test_strokes_agree_with_exact_mean_field() -> None:
    photo, probability = noisy_case()
    rust = np.zeros((24, 24), bool)
    rust[3:12, 2:5] = True
    params = at_own_size(24)
    exact = exact_mean_field(photo, probability, params, rust)
    ours = Lattice(photo, params).infer(probability, rust=rust)
    assert ((ours >= 0.5) == (exact >= 0.5)).mean() >= 0.98


def test_stroke_refusals() -> None:
    photo, probability = flat((20, 30)), np.full((20, 30), 0.5, np.float32)
    stroke = np.ones((20, 30), bool)
    with pytest.raises(ConfigError, match="overlap in 600 pixels"):
        crf_refine(photo, probability, rust=stroke, clean=stroke)
    with pytest.raises(ConfigError, match="rust is bool with the shape"):
        crf_refine(photo, probability, rust=stroke.T)
    with pytest.raises(ConfigError, match="clean is uint8"):
        crf_refine(photo, probability, clean=stroke.astype(np.uint8))


# Sizes and refusals


def test_working_shape_by_hand() -> None:
    assert working_shape((448, 448), 448) == (448, 448)
    assert working_shape((3000, 4000), 448) == (336, 448)
    assert working_shape((100, 60), 448) == (100, 60)
    assert working_shape((16, 50_000), 448) == (1, 448)


def test_a_larger_photo_gets_a_mask_of_its_own_size_along_its_edges() -> None:
    # The edge at column 210 does not fall on the grid of the working size.
    photo = two_colours((240, 330), 210)
    probability = np.zeros((8, 11), np.float32)
    probability[:, 7:] = 0.9
    probability += 0.05
    posterior = crf_refine(photo, probability, CRFParams(working_size=64))
    assert posterior.shape == (240, 330)
    assert posterior.dtype == np.float32
    assert ((posterior >= 0.5) == np.tile(np.arange(330) >= 210, (240, 1))).mean() > 0.995


@pytest.mark.parametrize("shape", [(16, 16), (16, 900), (1, 1)])
def test_extreme_shapes_run(shape: tuple[int, int]) -> None:
    posterior = crf_refine(flat(shape), np.full((28, 28), 0.7, np.float32))
    assert posterior.shape == shape
    assert np.isfinite(posterior).all()


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_rows_run(name: str) -> None:
    photo, probability = noisy_case()
    assert np.isfinite(Lattice(photo, PUBLISHED[name]).infer(probability)).all()


def test_certain_evidence_is_clipped_not_infinite() -> None:
    probability = np.zeros((20, 20), np.float32)
    probability[5:15, 5:15] = 1
    assert np.isfinite(crf_refine(flat((20, 20)), probability)).all()


def test_crf_refusals() -> None:
    photo, probability = flat((20, 30)), np.full((20, 30), 0.5, np.float32)
    broken = probability.copy()
    broken[3, 4] = np.nan
    with pytest.raises(ConfigError, match="without NaN"):
        crf_refine(photo, broken)
    with pytest.raises(ConfigError, match="without NaN"):
        Lattice(photo).infer(broken)
    with pytest.raises(ConfigError, match="probability has values from"):
        crf_refine(photo, probability * np.inf)
    with pytest.raises(ConfigError, match="probability has the shape"):
        Lattice(photo).infer(probability.T)
    with pytest.raises(ConfigError, match="image is float64"):
        Lattice(photo / 255)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="image is uint8 with the shape"):
        crf_refine(photo[..., :2], probability)
    with pytest.raises(ConfigError, match="lattice has the size"):
        crf_refine(photo, probability, lattice=Lattice(photo[:10]))
    for changes in ({"iterations": -1}, {"bilateral_sxy": 0}, {"working_size": 8}):
        with pytest.raises(ConfigError, match=next(iter(changes))):
            CRFParams(**changes)
