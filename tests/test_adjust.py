"""Adjustment of a result: steps by hand, and agreement of `Adjustable` with the full result."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made import picture, save_redness

import rustseg_jax as rs
from rustseg_jax.adjust import EDGES_MOST, RUST_MOST, Adjustment, adjustable


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> rs.Classifier:
    return rs.load_model(save_redness(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    rng = np.random.default_rng(0)
    rough = picture(rusty=True).astype(int) + rng.integers(-9, 10, (96, 128, 3))
    return np.clip(rough, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def found(photo: np.ndarray, model: rs.Classifier) -> rs.Segmentation:
    return rs.segment(photo, model)


@pytest.fixture(scope="module")
def sure(found: rs.Segmentation, model: rs.Classifier) -> rs.Uncertainty:
    return rs.measure_uncertainty(found, model)


def test_steps_by_hand() -> None:
    # Two log odds for five steps: of even odds 1 to e^2.
    assert Adjustment(rust=5).threshold(0.5) == pytest.approx(1 / (1 + np.exp(2)))
    assert Adjustment(rust=-5).threshold(0.5) == pytest.approx(1 / (1 + np.exp(-2)))
    assert Adjustment(edges=3).threshold(0.37) == 0.37
    crf = rs.CRFParams(bilateral_compat=10.0)
    weights = [Adjustment(edges=e).crf(crf).bilateral_compat for e in (-3, -1, 0, 2)]
    assert weights == [1.25, 5, 10, 40]
    assert Adjustment(rust=2).crf(crf) == crf


@pytest.mark.parametrize("name", ["rust", "edges"])
@pytest.mark.parametrize("value", [-6, 6, 0.5, "1"])
def test_other_steps_are_refused(name: str, value: object) -> None:
    with pytest.raises(rs.ConfigError, match=f"{name} is {value!r}"):
        Adjustment(**{name: value})  # type: ignore[arg-type]


def test_more_rust_is_never_less(photo: np.ndarray, found: rs.Segmentation) -> None:
    kept = adjustable(found)
    steps = range(-RUST_MOST, RUST_MOST + 1)
    rough = [kept.again(photo, Adjustment(rust=r))[0].rough.sum() for r in steps]
    assert rough == sorted(rough)
    assert rough[0] < rough[-1]


@pytest.mark.parametrize("turned", [Adjustment(), Adjustment(2, -2), Adjustment(-3, EDGES_MOST)])
def test_what_was_kept_says_what_the_whole_result_says(
    photo: np.ndarray, found: rs.Segmentation, sure: rs.Uncertainty, turned: Adjustment
) -> None:
    again, said = adjustable(found, sure=sure).again(photo, turned, doubt=True)
    wanted = rs.resegment(
        found,
        threshold=turned.threshold(found.threshold),
        crf=turned.crf(found.config.crf),
    )
    for name in ("mask", "rough", "posterior"):
        np.testing.assert_array_equal(getattr(again, name), getattr(wanted, name))
    assert (again.threshold, again.config) == (wanted.threshold, wanted.config)
    update = rs.update_uncertainty(sure, wanted)
    assert said is not None
    assert said.interval == (sure.interval if turned == Adjustment() else update.interval)
    assert said.note == (sure.note if turned == Adjustment() else update.note)
    np.testing.assert_array_equal(said.map, update.map)


def test_the_lattice_is_used_again(photo: np.ndarray, found: rs.Segmentation) -> None:
    again, said = adjustable(found).again(photo, Adjustment(1, 2))
    assert said is None
    assert again.lattice is not None
    assert found.lattice is not None
    assert again.lattice._crf is found.lattice._crf


def test_nothing_of_the_photos_size_is_kept(found: rs.Segmentation, sure: rs.Uncertainty) -> None:
    kept = adjustable(found, sure=sure)
    assert kept.shape == (96, 128)
    arrays = [
        v for v in (*vars(kept).values(), *vars(kept.evidence).values()) if hasattr(v, "nbytes")
    ]
    assert [array.shape for array in arrays] == [found.heatmap.shape]
    assert kept.sure is not None
    assert kept.sure.map is None
    assert found.image.any()  # the result itself is left as it was
    with pytest.raises(rs.ConfigError, match="must be the photo of this result"):
        kept.again(np.zeros((96, 127, 3), np.uint8), Adjustment())


def test_a_verdict_is_not_overruled(model: rs.Classifier) -> None:
    photo = picture(rusty=False)
    again, _ = adjustable(rs.segment(photo, model)).again(photo, Adjustment(RUST_MOST, EDGES_MOST))
    assert not again.corroded
    assert not again.mask.any()
