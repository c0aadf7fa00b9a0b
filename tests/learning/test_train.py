"""Whole runs of a tiny recipe: resume to the bit, refusals, calibration by brute force."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_made import patch, red_model
from PIL import Image
from safetensors.numpy import load_file

from rustseg_jax import load_model, metrics
from rustseg_jax.config import NetworkConfig
from rustseg_jax.errors import ConfigError, DataError
from rustseg_jax.learning import train as training
from rustseg_jax.learning.recipe import Phase, Recipe
from rustseg_jax.learning.train import Trained, score, train
from rustseg_jax.manifest import half_of, load_manifest

# Six steps, two an epoch.
pytestmark = pytest.mark.slow  # nearly every test trains
RECIPE = Recipe(
    network=NetworkConfig(width=2, input_size=32, pooling="context"),
    phases=(
        Phase(1, packed=32, crop=32, share=(0.8, 1.0), evaluate=32, seeds="colour"),
        Phase(2, packed=32, crop=32, share=(0.8, 1.0), evaluate=32, seeds="own"),
    ),
    batch=4,
    per_epoch=8,
    judge_every=1,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    lines = ["image,label,source,scene,split,mask"]
    rng = np.random.default_rng(0)
    for k in range(16):
        photo = patch((32, 40), slice(0, 24 * (k % 2)), slice(4, 36))
        noisy = np.clip(photo + rng.normal(0, 9, photo.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{k}.png")
        lines.append(f"{k}.png,{k % 2},x,{k},{'train' if k < 10 else 'val'},")
    for k in range(6):  # rusty ones of another collection, with and without masks
        shutil.copy(folder / "1.png", folder / f"seg{k}.png")
        lines.append(f"seg{k}.png,1,y,scene{k},seg-x,")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def straight(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trained]:
    out = tmp_path_factory.mktemp("runs") / "straight"
    return out, train(data, out, RECIPE, workers=1)


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def same_weights(a: Path, b: Path) -> None:
    first, second = load_file(a), load_file(b)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def test_a_run_leaves_what_it_says(straight: tuple[Path, Trained]) -> None:
    out, trained = straight
    assert trained.finished
    assert trained.weights == out / "best.safetensors"
    assert json.loads((out / "recipe.json").read_text()) == json.loads(json.dumps(RECIPE.as_dict()))
    lines = log(out)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert all(line["val"]["n"] == 6 and np.isfinite(line["loss"]) for line in lines)
    assert lines[-1]["seconds_left"] == 0
    # Phases before the last are judged, but do not compete.
    best = max(line["val"]["balanced_accuracy"] for line in lines[1:])
    assert trained.report["balanced_accuracy"] == pytest.approx(best, abs=1e-4)
    model = load_model(trained.weights)
    assert model.config == RECIPE.network
    assert model.metadata["val"]["balanced_accuracy"] == pytest.approx(best, abs=1e-4)


def test_an_epoch_that_is_not_judged_has_a_line_too(data: Path, tmp_path: Path) -> None:
    trained = train(data, tmp_path / "run", replace(RECIPE, judge_every=9), workers=1)
    lines = log(tmp_path / "run")
    assert [line["epoch"] for line in lines if "val" in line] == [1, 3]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert trained.report["n"] == 6


def test_seeds_are_kept_and_know_clean_pictures(straight: tuple[Path, Trained]) -> None:
    for k in (0, 1):
        seeds = np.load(straight[0] / "seeds" / f"phase-{k}.npy")
        assert seeds.shape == (10, 8, 8)
        assert (seeds[::2] == 0).all()  # the even pictures are clean
    by_colour = np.load(straight[0] / "seeds" / "phase-0.npy")
    assert (by_colour[1::2] == 255).any(axis=(1, 2)).all()  # a red patch in each


def test_half_a_of_another_split_is_learnt_from_and_weights_begin(
    data: Path, straight: tuple[Path, Trained], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, phases=RECIPE.phases[:1], peak_rate=1e-9, weight_decay=0.0)
    first = straight[0] / "last.safetensors"
    train(data, tmp_path / "out", recipe, workers=1, init=first, halves=("seg-x",))
    count = sum(half_of(f"scene{k}") == "A" for k in range(6))
    assert 0 < count < 6
    assert len(np.load(tmp_path / "out" / "seeds" / "phase-0.npy")) == 10 + count
    begun, last = load_file(first), load_file(tmp_path / "out" / "last.safetensors")
    for name in begun:
        if "kernel" in name:
            np.testing.assert_allclose(last[name], begun[name], atol=1e-6)


def test_a_stopped_run_goes_on_to_the_same_bits(
    data: Path, straight: tuple[Path, Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Stopped in the middle of the second epoch, as a signal would: after step 3 of 6.
    out = tmp_path / "stopped"
    make = training.make_step

    def make_stopping(*args: Any) -> Any:
        step = make(*args)

        def stopping(state: Any, *batch: Any) -> Any:
            if int(state.step) == 2:
                training.signal.raise_signal(training.signal.SIGINT)
            return step(state, *batch)

        return stopping

    with monkeypatch.context() as patched:
        patched.setattr(training, "make_step", make_stopping)
        first = train(data, out, RECIPE, workers=1)
    assert not first.finished
    assert len(log(out)) == 1
    with (out / "log.jsonl").open("a") as file:  # as if killed between judging and saving
        file.write(json.dumps({"epoch": 2}) + "\n")
    second = train(data, out, RECIPE, resume=True, workers=1)
    assert second.finished
    assert [line["epoch"] for line in log(out)] == [1, 2, 3]
    same_weights(out / "last.safetensors", straight[0] / "last.safetensors")
    same_weights(out / "best.safetensors", straight[0] / "best.safetensors")
    assert second.report == straight[1].report


def test_a_checkpoint_of_a_run_that_went_on_is_exact(
    data: Path, straight: tuple[Path, Trained], tmp_path: Path
) -> None:
    # The step gives its memory away while the checkpoint is still being written.
    out = tmp_path / "killed"
    shutil.copytree(straight[0], out)
    shutil.rmtree(out / "checkpoints" / "6")
    (out / "last.safetensors").unlink()
    assert train(data, out, RECIPE, resume=True, workers=1).finished
    same_weights(out / "last.safetensors", straight[0] / "last.safetensors")


def test_a_finished_run_stays_as_it_is(data: Path, straight: tuple[Path, Trained]) -> None:
    out, trained = straight
    before = (out / "log.jsonl").read_bytes()
    assert train(data, out, RECIPE, resume=True, workers=1) == trained
    assert (out / "log.jsonl").read_bytes() == before


def test_a_run_is_not_overwritten(data: Path, straight: tuple[Path, Trained]) -> None:
    out, _ = straight
    before = {p: p.read_bytes() for p in out.glob("*.*") if p.is_file()}
    with pytest.raises(ConfigError, match="already has a run"):
        train(data, out, RECIPE, workers=1)
    with pytest.raises(ConfigError, match="a different recipe"):
        train(data, out, replace(RECIPE, seed=1), resume=True, workers=1)
    with pytest.raises(ConfigError, match="started with other pictures"):
        train(data, out, RECIPE, resume=True, workers=1, halves=("seg-x",))
    assert before == {p: p.read_bytes() for p in out.glob("*.*") if p.is_file()}


def test_both_labels_are_needed(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    text = (folder / "manifest.csv").read_text()
    (folder / "manifest.csv").write_text(text.replace(",1,x", ",0,x"))
    with pytest.raises(DataError, match=r"split 'train' .* both labels"):
        train(folder, tmp_path / "out", RECIPE, workers=1)
    assert not (tmp_path / "out").exists()  # refused before anything is made
    with pytest.raises(DataError, match="no split 'test'"):
        train(data, tmp_path / "out", RECIPE, val_split="test", workers=1)


# Scoring and calibration


def test_scores_do_not_depend_on_the_batch(data: Path) -> None:
    model = red_model(input_size=32)
    records = load_manifest(data, splits=("train", "val"))
    photos = np.stack([np.asarray(Image.open(r.image))[:, :32] for r in records])
    wanted = np.concatenate(
        [np.asarray(model(p[None].astype(np.float32) / np.float32(255)).logits) for p in photos]
    )
    for batch in (4, 16, 32):
        np.testing.assert_allclose(score(model, photos, batch=batch), wanted, atol=1e-5)
    labels = np.array([r.label for r in records])
    report = metrics.classification_report(model.probability(wanted), labels, 0.5)
    assert report["balanced_accuracy"] == 1
