"""The variants of the heat map beside chance and colour, on a network set by hand."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_made import patch, red_model
from PIL import Image

from rustseg_jax.classify import Classifier
from rustseg_jax.config import METHODS, Config, LocaliseConfig
from rustseg_jax.errors import ConfigError, DataError
from rustseg_jax.evaluate import heatmap_study
from rustseg_jax.evaluate.heatmap_study import BASELINES, MEASURES, study, variants
from rustseg_jax.manifest import COLUMNS


@pytest.fixture(scope="module")
def model() -> Classifier:
    return red_model(gain=24.0, odds=2.0, input_size=128)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures with a patch of rust, each elsewhere, two without, one that is broken."""
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for k in range(5):
        photo = patch((128, 128), slice(16 * k, 16 * k + 48), slice(64 - 8 * k, 112 - 8 * k))
        Image.fromarray(photo).save(folder / f"rust{k}.png")
        rows.append([f"rust{k}.png", 1, "s", f"{k}", "seg-x", ""])
    for k in range(2):
        Image.fromarray(patch((128, 128))).save(folder / f"clean{k}.png")
        rows.append([f"clean{k}.png", 0, "s", f"c{k}", "clean", ""])
    (folder / "broken.png").write_bytes(b"no picture")
    rows.append(["broken.png", 0, "s", "b", "clean", ""])
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return folder


def test_variants_are_all_that_localise_knows_at_the_same_scales():
    base = LocaliseConfig(scales=(0.5, 1.0), mirror=True)
    found = variants(base)
    assert list(found) == ["score_map", "grad_cam", "eq19", "author"]
    assert {look.method for look in found.values()} == set(METHODS)
    assert {(look.scales, look.mirror) for look in found.values()} == {((0.5, 1.0), True)}


def test_maps_of_the_rust_beat_chance(data: Path, model: Classifier):
    """The network sees red and nothing else, so its maps do better than noise throughout."""
    seen = []
    config = Config(localise=LocaliseConfig("grad_cam_pp"))
    result = study(data, model, config, limit=3, progress=lambda *now: seen.append(now))
    report = result["faithfulness"]["seg-x"]
    assert (report["called"], report["n"]) == (5, 3)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert list(report["maps"]) == [*variants(LocaliseConfig()), *BASELINES]
    assert set(report["gains"]) == set(variants(LocaliseConfig()))
    for name, by_base in report["gains"].items():
        for measure in ("deletion", "road"):  # the insertion's blur hides no colour from it
            assert by_base["random"][measure]["low"] > 0, (name, measure)
        for base, sign_of in ((b, MEASURES) for b in BASELINES):
            for measure, sign in sign_of.items():
                difference = report["maps"][name][measure] - report["maps"][base][measure]
                assert by_base[base][measure]["mean"] == pytest.approx(sign * difference)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_pictures_not_called_corroded_are_left_out_and_broken_ones_named(
    data: Path, model: Classifier
):
    result = study(data, model, splits=["clean"])
    assert result["faithfulness"] == {"clean": {"called": 0, "n": 0, "maps": {}, "gains": {}}}
    assert [Path(f["image"]).name for f in result["failed"]] == ["broken.png"]


def test_the_interval_by_hand():
    """Differences that are all the same leave no doubt; two values resample to three means."""
    assert heatmap_study._gain(np.full(7, 0.25)) == {"mean": 0.25, "low": 0.25, "high": 0.25}
    assert heatmap_study._gain(np.array([0.0, 1.0])) == {"mean": 0.5, "low": 0.0, "high": 1.0}
    many = np.random.default_rng(0).normal(1, 2, 400)
    gain = heatmap_study._gain(many)
    assert gain["high"] - gain["low"] == pytest.approx(2 * 1.96 * 2 / 20, rel=0.1)


def test_the_colour_map_by_hand():
    mask = np.zeros((32, 32), bool)
    mask[:8, 16:] = True
    np.testing.assert_array_equal(heatmap_study._cell_means(mask, 2), [[0, 0.5], [0, 0]])


def test_misuse(tmp_path: Path, data: Path, model: Classifier):
    with pytest.raises(DataError, match=r"manifest\.csv not found"):
        study(tmp_path, model)
    with pytest.raises(ConfigError, match="limit is 0"):
        study(data, model, limit=0)
    with pytest.raises(ConfigError, match="half is 'C'"):
        study(data, model, replace(Config()), half="C")
