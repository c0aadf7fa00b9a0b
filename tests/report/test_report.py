"""What a result says in words, JSON and files."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_made import picture, save_redness
from PIL import Image

import rustseg_jax as rs
from rustseg_jax.drawing.encode import png
from rustseg_jax.report.report import full_overlay, headline, make_report, meaning, to_json, verdict


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> rs.Classifier:
    return rs.load_model(save_redness(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture(scope="module")
def rusty(model: rs.Classifier) -> rs.Segmentation:
    return rs.segment(picture(rusty=True), model)


@pytest.fixture(scope="module")
def clean(model: rs.Classifier) -> rs.Segmentation:
    return rs.segment(picture(rusty=False), model)


@pytest.fixture(scope="module")
def sure(rusty: rs.Segmentation, model: rs.Classifier) -> rs.Uncertainty:
    return rs.measure_uncertainty(rusty, model)


def _mask(share: float) -> np.ndarray:
    """100 x 100 with exactly this share set."""
    mask = np.zeros(10_000, bool)
    mask[: round(share * 10_000)] = True
    return mask.reshape(100, 100)


@pytest.mark.parametrize(
    ("corroded", "probability", "area", "threshold", "words"),
    [
        (True, 0.96, 0.12, 0.5, "Corrosion found, 96 % confidence, about 12 % of the photo"),
        (True, 0.9999, 0.003, 0.5, "Corrosion found, over 99 % confidence, under 1 % of the photo"),
        (True, 1.0, 1.0, 0.5, "Corrosion found, over 99 % confidence, all of the photo"),
        (True, 0.8, 0.999, 0.5, "Corrosion found, 80 % confidence, over 99 % of the photo"),
        (True, 0.7, 0.0, 0.5, "Corrosion found, 70 % confidence, but no area stands out"),
        (
            True, 0.3, 0.2, 0.25,
            "Possible corrosion (30 % probability); if present, about 20 % of the photo",
        ),
        (False, 0.09, 0.0, 0.5, "No corrosion found, 91 % confidence"),
        (False, 0.0, 0.0, 0.5, "No corrosion found, over 99 % confidence"),
        (
            False, 0.6, 0.0, 0.75,
            "No corrosion found: the probability of corrosion is 60 %; "
            "corrosion is reported at 75 % or above",
        ),
    ],
)  # fmt: skip
def test_the_verdict_in_words(
    rusty: rs.Segmentation,
    corroded: bool,
    probability: float,
    area: float,
    threshold: float,
    words: str,
) -> None:
    seg = replace(
        rusty,
        corroded=corroded,
        probability=probability,
        mask=_mask(area),
        config=rs.Config(decision_threshold=threshold),
    )
    assert verdict(seg) == words


@pytest.mark.parametrize(
    ("area", "low", "high", "words"),
    [
        (0.12, 0.10, 0.15, "about 12 % of the photo (10 to 15 %)"),
        (0.12, 0.0, 0.15, "about 12 % of the photo (under 1 % to 15 %)"),
        (0.12, 0.0, 1.0, "about 12 % of the photo (under 1 % to over 99 %)"),
        (0.121, 0.12, 0.122, "about 12 % of the photo (12 %)"),
        (0.12, 0.05, 0.09, "about 12 % of the photo (more likely 5 to 9 %)"),
        (1.0, 0.8, 1.0, "all of the photo (80 to over 99 %)"),
    ],
)
def test_the_interval_in_words(
    rusty: rs.Segmentation, sure: rs.Uncertainty, area: float, low: float, high: float, words: str
) -> None:
    seg = replace(rusty, probability=0.96, mask=_mask(area))
    found = verdict(seg, replace(sure, low=low, high=high))
    assert found == f"Corrosion found, 96 % confidence, {words}"


def test_a_report_says_how_sure_it_is(rusty: rs.Segmentation, sure: rs.Uncertainty) -> None:
    found = make_report(rusty, replace(sure, low=0.2, high=0.4))
    assert found.verdict.endswith("about 25 % of the photo (20 to 40 %)")
    assert found.facts["verdict"] == found.verdict
    assert found.facts["uncertainty"]["high"] == 0.4
    assert found.facts["grades"]["astm_d610"] == {"value": 2, "least": 2, "most": 1}
    assert found.grading.words() == "ISO 4628-3 Ri 5, ASTM D610 grade 2 (2 to 1)"
    json.dumps(found.facts, allow_nan=False)
    small = make_report(rusty, sure, side=48)
    assert small.doubt is not None
    # 96 x 128 to 36 x 48: means over areas keep the mean.
    assert small.doubt.shape == (36, 48)
    assert small.doubt.mean() == pytest.approx(sure.map.mean(), rel=1e-3)
    assert make_report(rusty).doubt is None


def test_the_meaning_follows_the_verdict(rusty: rs.Segmentation, clean: rs.Segmentation) -> None:
    assert "estimate" in meaning(rusty)
    assert "12 %" in meaning(clean)  # 1 / (1 + e^2)
    assert "30 %" in meaning(clean)  # the decision threshold
    assert "nothing is marked" in meaning(replace(rusty, mask=np.zeros_like(rusty.mask)))
    doubtful = meaning(replace(rusty, probability=0.4))
    assert "more likely clean" in doubtful
    assert "30 % or above" in doubtful


def test_the_headline_is_the_verdict_without_figures(rusty: rs.Segmentation) -> None:
    assert headline(rusty) == "Corrosion found"
    assert headline(replace(rusty, probability=0.4)) == "Possible corrosion"
    assert headline(replace(rusty, corroded=False)) == "No corrosion found"


def test_the_json_is_plain_and_complete(rusty: rs.Segmentation, model: rs.Classifier) -> None:
    facts = json.loads(json.dumps(to_json(rusty), allow_nan=False))
    assert set(facts) == {
        "width", "height", "verdict", "probability", "corroded", "reason", "area", "threshold",
        "heat_maximum", "grades", "uncertainty", "surface", "tiling", "model", "config", "timings",
        "version",
    }  # fmt: skip
    assert (facts["width"], facts["height"]) == (128, 96)
    assert facts["area"] == 0.25  # the block is half of each side
    assert facts["corroded"] is True
    assert facts["model"]["digest"] == model.digest
    assert facts["config"]["crf"]["iterations"] == rusty.config.crf.iterations
    assert facts["version"] == rs.__version__


@pytest.mark.parametrize(
    "array",
    [
        np.array([[True, False], [False, True]]),
        np.arange(6, dtype=np.uint8).reshape(2, 3),
        np.arange(18, dtype=np.uint8).reshape(2, 3, 3)[:, ::-1],
    ],
)
def test_png_keeps_every_pixel(array: np.ndarray) -> None:
    back = np.asarray(Image.open(io.BytesIO(png(array))))
    expected = array * np.uint8(255) if array.dtype == np.bool_ else array
    np.testing.assert_array_equal(back, expected)


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.array(True)])
def test_png_refuses_other_arrays(array: Any) -> None:
    with pytest.raises(rs.ImageError, match=r"must be \(H, W\)"):
        png(array)


def test_a_report_of_a_large_photo_is_small_and_its_mask_file_is_not(
    model: rs.Classifier,
) -> None:
    seg = rs.segment(picture(rusty=True, size=(300, 400)), model)
    report = make_report(seg, side=100)
    assert report.image.shape == (75, 100, 3)
    assert report.mask.shape == (75, 100)
    assert abs(report.mask.mean() - seg.area) < 0.02
    assert report.facts["area"] == seg.area  # measured on the full mask
    full = np.asarray(Image.open(io.BytesIO(report.mask_png)))
    np.testing.assert_array_equal(full > 0, seg.mask)


def test_a_report_enlarges_nothing_and_copies(rusty: rs.Segmentation) -> None:
    report = make_report(rusty)
    np.testing.assert_array_equal(report.image, rusty.image)
    np.testing.assert_array_equal(report.mask, rusty.mask)
    assert not np.shares_memory(report.mask, rusty.mask)
    with pytest.raises(rs.ConfigError, match="side is 0"):
        make_report(rusty, side=0)


def test_the_full_overlay_is_that_of_the_library(rusty: rs.Segmentation, tmp_path: Path) -> None:
    photo = png(rusty.image)
    drawn = np.asarray(Image.open(io.BytesIO(full_overlay(photo, png(rusty.mask), opacity=0.3))))
    np.testing.assert_array_equal(drawn, rs.mask_overlay(rusty.image, rusty.mask, opacity=0.3))
    with pytest.raises(rs.ImageError, match="mask is"):
        full_overlay(photo, png(rusty.mask[1:]))


# The marked part


def test_the_marked_part_is_spoken_of_and_graded(
    rusty: rs.Segmentation, sure: rs.Uncertainty
) -> None:
    # Rust is in the middle, half of each side: all of the left half's inner box is rusted.
    left = rs.Surface.box(0, 0, 0.5, 1)
    found = make_report(rusty, replace(sure, low=0.2, high=0.4), surface=left)
    assert found.part is not None
    assert (found.part.share, found.part.area) == (0.5, 0.25)
    assert found.verdict.endswith("about 25 % of the marked steel (20 to 40 %)")
    assert found.grading is found.part.grading
    assert found.facts["surface"] == json.loads(json.dumps(found.part.to_json()))
    assert found.facts["area"] == 0.25  # the picture's stays beside it
    corner = make_report(rusty, surface=rs.Surface.box(0, 0, 0.2, 0.2))
    assert corner.verdict.endswith("but none on the marked steel")
    inner = make_report(rusty, surface=rs.Surface.box(0.3, 0.3, 0.7, 0.7))
    assert inner.verdict.endswith("all of the marked steel")
    assert make_report(rusty).facts["surface"] is None


def test_the_overlay_shows_the_part_and_may_be_a_line(rusty: rs.Segmentation) -> None:
    photo, mask = png(rusty.image), png(rusty.mask)
    box = rs.Surface.box(0.1, 0.1, 0.9, 0.9)
    files = [
        full_overlay(photo, mask),
        full_overlay(photo, mask, fill=False),
        full_overlay(photo, mask, surface=box),
    ]
    tinted, line, dimmed = (np.asarray(Image.open(io.BytesIO(file))) for file in files)
    middle = rusty.image[48, 64]
    assert (tinted[48, 64] != middle).any()
    np.testing.assert_array_equal(line[48, 64], middle)
    assert (line != rusty.image).any()
    np.testing.assert_array_equal(dimmed[48, 64], tinted[48, 64])
    assert (dimmed[2, 2] != tinted[2, 2]).any()
