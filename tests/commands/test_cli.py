from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import random_network
from PIL import Image

from rustseg_jax.classify.weights import save_network
from rustseg_jax.cli import build_parser, main
from rustseg_jax.commands import common
from rustseg_jax.commands import evaluate as evaluate_command
from rustseg_jax.commands import train as train_command
from rustseg_jax.evaluate import measurements

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
ENDINGS = (".json", ".mask.png", ".overlay.png")


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random network in a file; its head knows both answers."""
    network = random_network(seed=2, input_size=64)
    kernel = np.random.default_rng(0).normal(size=(32, 2)).astype(np.float32)
    network.head_kernel.set_value(jnp.asarray(kernel))
    network.head_bias.set_value(jnp.zeros(2))  # as a fresh head
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(path, network)
    return path


@pytest.fixture(autouse=True)
def _quiet_surroundings(weights, monkeypatch):
    """Weights by environment; no compiled programs in the user's own cache."""
    monkeypatch.setenv("RUSTSEG_MODEL", str(weights))
    monkeypatch.setattr("rustseg_jax.runtime.enable_compilation_cache", lambda: None)


def photo(path: Path, seed: int = 0, size: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    Image.fromarray(small).resize((size, size)).save(path)
    return path


def segment(*args: object) -> int:
    return main(["segment", *map(str, args)])


def one_line(pattern: str, stderr: str) -> bool:
    """Whether one line, progress bars aside, begins so; a bar ends with a carriage return."""
    return sum(bool(re.match(pattern, line)) for line in stderr.splitlines()) == 1


def results(out: Path) -> set[str]:
    """Names whose three files are all there; no other files may be."""
    files = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()} - {"summary.csv"}
    names = {f.removesuffix(".json") for f in files if f.endswith(".json")}
    assert files == {name + ending for name in names for ending in ENDINGS}
    return names


def summary(out: Path) -> list[dict[str, str]]:
    with (out / "summary.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# ---- segment: what is written


def test_files_are_those_of_the_library(tmp_path, weights, capsys):
    import rustseg_jax as rs

    place = photo(tmp_path / "gate.png")
    assert segment(place, "--out", tmp_path / "out", "--decision-threshold", "0") == 0
    seg = rs.segment(place, rs.load_model(weights), rs.Config(decision_threshold=0.0))
    assert 0 < seg.area < 1
    mask = np.asarray(Image.open(tmp_path / "out/gate.mask.png"))
    np.testing.assert_array_equal(mask, seg.mask * np.uint8(255))
    drawn = np.asarray(Image.open(tmp_path / "out/gate.overlay.png"))
    np.testing.assert_array_equal(drawn, rs.mask_overlay(seg.image, seg.mask))
    facts = json.loads((tmp_path / "out/gate.json").read_text())
    assert facts["probability"] == pytest.approx(seg.probability)
    assert (facts["corroded"], facts["area"]) == (True, seg.area)
    assert facts["photo"]["path"] == "../gate.png"
    assert facts["config"]["decision_threshold"] == 0
    [row] = summary(tmp_path / "out")
    assert (row["status"], row["files"], row["width"]) == ("done", "gate", "40")
    assert float(row["area"]) == seg.area
    text = capsys.readouterr()
    assert f"{100 * seg.area:.1f} %" in text.out
    assert "photo" in text.err  # the progress bar


def test_json_is_one_object(tmp_path, capsys):
    photo(tmp_path / "in/a.png")
    (tmp_path / "in/b.jpg").write_bytes(b"no picture")
    assert segment(tmp_path / "in", "--out", tmp_path / "out", "--json") == 1
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["done"], found["skipped"], found["failed"]) == (1, 0, 1)
    assert [p["status"] for p in found["photos"]] == ["done", "failed"]
    assert "b.jpg is not an image" in found["photos"][1]["error"]
    assert one_line(r"rustseg: .*b\.jpg is not an image", captured.err)
    assert "Traceback" not in captured.err
    assert results(tmp_path / "out") == {"a"}


def test_options_reach_the_configuration(tmp_path):
    place = photo(tmp_path / "a.png")
    options = [
        "--threshold-rule",
        "fixed",
        "--threshold",
        "0.6",
        "--crf",
        "irn",
        "--decision-threshold",
        "0.25",
    ]
    assert segment(place, "--out", tmp_path / "out", *options) == 0
    facts = json.loads((tmp_path / "out/a.json").read_text())
    assert facts["threshold"] == 0.6
    assert facts["config"]["decision_threshold"] == 0.25
    assert facts["config"]["threshold"]["rule"] == "fixed"
    assert facts["config"]["crf"]["bilateral_srgb"] == 5.0


# ---- segment: names


def test_folders_are_mirrored_and_no_photo_overwrites_another(tmp_path):
    for k, name in enumerate(("1.png", "a/1.png", "a/1.jpg", "b/1.png", "b/1-2.png")):
        photo(tmp_path / "in" / name, seed=k)
    assert segment(tmp_path / "in", "--out", tmp_path / "out") == 0
    assert results(tmp_path / "out") == {"1", "a/1", "a/1-2", "b/1", "b/1-2"}
    # The same names, flat, in a later call: each gets its own.
    flat = [tmp_path / "in" / name for name in ("b/1.png", "a/1.png", "1.png")]
    assert segment(flat[0], "--out", tmp_path / "flat") == 0
    before = (tmp_path / "flat/1.json").read_bytes()
    assert segment(*flat[1:], "--out", tmp_path / "flat") == 0
    assert results(tmp_path / "flat") == {"1", "1-2", "1-3"}
    assert (tmp_path / "flat/1.json").read_bytes() == before
    assert segment(*reversed(flat), "--out", tmp_path / "flat") == 0
    assert [r["status"] for r in summary(tmp_path / "flat")] == ["skipped"] * 3
    assert [r["files"] for r in summary(tmp_path / "flat")] == ["1-3", "1-2", "1"]


def test_globs_keep_what_is_below_their_fixed_part(tmp_path):
    photo(tmp_path / "in/x/1.png")
    photo(tmp_path / "in/y/1.png", seed=1)
    photo(tmp_path / "in/y/2.jpg", seed=2)
    assert segment(tmp_path / "in/**/*.png", "--out", tmp_path / "out") == 0
    assert results(tmp_path / "out") == {"x/1", "y/1"}


def test_results_are_not_taken_for_photos(tmp_path):
    photo(tmp_path / "a.png")
    for _ in range(2):
        assert segment(tmp_path, "--out", tmp_path) == 0
    assert len(summary(tmp_path)) == 1
    assert segment(tmp_path / "a.mask.png", "--out", tmp_path / "out") == 0
    assert results(tmp_path / "out") == {"a.mask"}


def test_foreign_files_are_left_alone(tmp_path):
    place = photo(tmp_path / "a.png")
    (tmp_path / "a.json").write_text('{"mine": 1}')
    (tmp_path / "a-2.json").write_text("not json")
    assert segment(place, "--out", tmp_path) == 0
    assert (tmp_path / "a.json").read_text() == '{"mine": 1}'
    assert (tmp_path / "a-3.mask.png").is_file()


def test_a_photo_named_twice_is_done_once(tmp_path):
    place = photo(tmp_path / "in/a.png")
    assert segment(tmp_path / "in", place, "--out", tmp_path / "out") == 0
    assert len(summary(tmp_path / "out")) == 1


# ---- segment: going on


def status_after(tmp_path: Path, *options: str) -> str:
    assert segment(tmp_path / "a.png", "--out", tmp_path / "out", *options) == 0
    assert results(tmp_path / "out") == {"a"}
    return summary(tmp_path / "out")[0]["status"]


def test_finished_photos_are_skipped(tmp_path):
    photo(tmp_path / "a.png")
    assert status_after(tmp_path) == "done"
    row = summary(tmp_path / "out")[0]
    stamp = (tmp_path / "out/a.json").stat().st_mtime_ns
    assert status_after(tmp_path) == "skipped"
    assert summary(tmp_path / "out")[0] == {**row, "status": "skipped"}
    assert (tmp_path / "out/a.json").stat().st_mtime_ns == stamp
    assert status_after(tmp_path, "--overwrite") == "done"


def test_what_changed_is_done_anew(tmp_path, weights, monkeypatch):
    place = photo(tmp_path / "a.png")
    status_after(tmp_path)
    assert status_after(tmp_path, "--threshold", "0.3") == "done"
    assert status_after(tmp_path) == "done"  # back to the defaults
    photo(place, seed=5)
    assert status_after(tmp_path) == "done"
    (tmp_path / "out/a.overlay.png").unlink()
    assert status_after(tmp_path) == "done"
    other = random_network(seed=1, input_size=64)
    save_network(tmp_path / "other.safetensors", other)
    assert status_after(tmp_path, "--model", str(tmp_path / "other.safetensors")) == "done"
    assert status_after(tmp_path, "--model", str(tmp_path / "other.safetensors")) == "skipped"


def test_a_moved_photo_keeps_its_results(tmp_path):
    place = photo(tmp_path / "a.png")
    status_after(tmp_path)
    (tmp_path / "new").mkdir()
    place.rename(tmp_path / "new/a.png")
    assert segment(tmp_path / "new", "--out", tmp_path / "out") == 0
    assert summary(tmp_path / "out")[0]["status"] == "skipped"


def test_a_failed_photo_keeps_its_older_result_and_is_no_end(tmp_path, monkeypatch, capsys):
    for name in "abc":
        photo(tmp_path / f"in/{name}.png")
    from rustseg_jax import pipeline

    real, calls = pipeline.segment, []

    def sometimes(*args):
        calls.append(args)
        if len(calls) == 2:
            raise ZeroDivisionError("a bug")
        return real(*args)

    monkeypatch.setattr(pipeline, "segment", sometimes)
    assert segment(tmp_path / "in", "--out", tmp_path / "out") == 1
    assert [r["status"] for r in summary(tmp_path / "out")] == ["done", "failed", "done"]
    assert "please report it" in capsys.readouterr().err
    assert segment(tmp_path / "in", "--out", tmp_path / "out") == 0
    assert [r["status"] for r in summary(tmp_path / "out")] == ["skipped", "done", "skipped"]


# Half a second a photo, so that the interrupt lands in the middle on any machine.
SLOWLY = """
import os, pathlib, signal, sys, time
from rustseg_jax import pipeline
# A shell that runs the tests in the background leaves Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
quick = pipeline.segment
begun = []
def segment(*args, **options):
    begun.append(1)
    if len(begun) == 2:  # the first photo is written and counted
        pathlib.Path(os.environ["SECOND"]).touch()
    time.sleep(0.5)
    return quick(*args, **options)
pipeline.segment = segment
from rustseg_jax.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_ctrl_c_and_on_again(tmp_path, weights):
    total = 10
    for k in range(total):
        photo(tmp_path / f"in/{k:02}.png", seed=k, size=600)
    out = tmp_path / "out"
    command = ["segment", str(tmp_path / "in"), "--out", str(out), "--decision-threshold", "0"]
    second = tmp_path / "second"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "RUSTSEG_NATIVE": "0"}
    environment["SECOND"] = str(second)
    process = subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while not second.exists() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    finished = len(list(out.glob("*.json")))
    assert 1 <= finished < total
    assert f"interrupted; {finished} of {total} photos are finished" in stderr
    assert "repeat the command without --overwrite" in stderr
    assert "Traceback" not in stderr
    assert f"{finished} done" in stdout
    assert not list(out.glob(".*"))  # nothing half written
    assert main(command) == 0
    assert len(results(out)) == total
    statuses = [row["status"] for row in summary(out)]
    assert statuses == ["skipped"] * finished + ["done"] * (total - finished)


# ---- misuse


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "COMMAND"),
        (["frobnicate"], "invalid choice"),
        (["segment", "x.jpg"], "--out"),
        (["segment", "x.jpg", "--out", "o", "--decision-threshold", "2"], "between 0 and 1"),
        (["segment", "x.jpg", "--out", "o", "--threshold", "0"], "above 0 and at most 1"),
        (["segment", "x.jpg", "--out", "o", "--crf", "best"], "deeplab"),
        (["segment", "x.jpg", "--out", "o", "--mode", "some"], "tiles"),
        (["segment", "x.jpg", "--out", "o", "--window", "0"], "a whole number of at least 1"),
        (["segment", "x.jpg", "--out", "o"], "rustseg: x.jpg not found"),
        (["evaluate", "--data", "nowhere"], "rustseg: nowhere is not a data folder"),
        (["evaluate", "--data", "d", "--limit", "0"], "a whole number of at least 1"),
        (["train", "--data", "nowhere", "--out", "o"], "rustseg: nowhere is not a data folder"),
    ],
)
def test_misuse_is_said_in_words(argv, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XLA_FLAGS", train_command.FLAG + "=4")
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_names_nothing_is_no_end(tmp_path, capsys):
    place = photo(tmp_path / "a.png")
    assert segment(tmp_path / "typo.png", place, "--out", tmp_path / "out") == 1
    assert [r["status"] for r in summary(tmp_path / "out")] == ["failed", "done"]
    assert "typo.png not found" in capsys.readouterr().err


def test_wrong_weights_and_folders_leave_everything_as_it_was(tmp_path, capsys):
    place = photo(tmp_path / "a.png")
    status_after(tmp_path)
    before = {p: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert segment(place, "--out", tmp_path / "out", "--model", tmp_path / "none") == 2
    assert "weights file" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before
    assert segment(place, "--out", place) == 2
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert "another one with --out" in said


# ---- evaluate


@pytest.mark.slow
def test_evaluate_prints_what_the_library_says(weights, capsys):
    from rustseg_jax.classify.weights import load_model
    from rustseg_jax.evaluate.run import evaluate

    command = ["evaluate", "--data", str(ROOT / "data/samples"), "--limit", "4"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == evaluate(ROOT / "data/samples", load_model(weights), limit=4)
    assert main([*command, "--split", "sample"]) == 0
    text = capsys.readouterr().out
    for stage, scores in found["segmentation"]["sample"].items():
        if stage != "n":
            cells = [f"{value:.3f}" for value in scores.values()]
            assert re.search(rf"sample\s+2\s+{stage}\s+" + r"\s+".join(cells), text)
    gate = found["verdict_gate"]["sample"]
    assert f"sample: masks emptied by the verdict: {gate['emptied']} of 2" in text
    assert found["over_hsv_rule"]["sample"]["mask"] < 1.5  # random weights
    assert "sample: below target: mask ratio" in text
    missed = " and ".join(m["measure"] for m in found["below_target"])
    assert missed  # random weights
    assert re.search(rf"sample\s+rendered\s+4\s.*\s{missed}\n", text + "\n")


def test_evaluate_can_be_kept_to_one_half(tmp_path, capsys):
    photo(tmp_path / "a.png")
    rows = "".join(f"a.png,1,x,{scene},seg-x,\n" for scene in range(9))
    (tmp_path / "manifest.csv").write_text("image,label,source,scene,split,mask\n" + rows)
    n = []
    for options in ([], ["--half", "A"], ["--half", "B"]):
        assert main(["evaluate", "--data", str(tmp_path), "--json", *options]) == 0
        n.append(json.loads(capsys.readouterr().out)["classification"]["seg-x"]["n"])
    assert n[0] == 9 == n[1] + n[2]
    assert 0 < n[1] < 9


def test_evaluate_keeps_a_record_beside_its_answer(tmp_path, weights, capsys):
    from rustseg_jax.images import sha256

    place, samples = tmp_path / "metrics.json", ROOT / "data" / "samples"
    words = ["evaluate", f"--data={samples}", "--limit", "4", "--json", "--record", str(place)]
    assert main(words) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "curves" not in answer
    found = measurements.read(place)
    [run] = found.runs
    assert found.weights == sha256(weights.read_bytes())
    assert run.report == answer | {"failed": 0}
    assert list(run.curves) == list(answer["classification"])
    assert run.command == (
        "python -m rustseg_jax evaluate --data data/samples --limit 4 --json --record metrics.json"
    )
    assert (run.data, run.half, run.limit) == ("samples", None, 4)
    assert run.config["decision_threshold"] == 0.3
    text = place.read_text()
    assert str(tmp_path) not in text
    assert str(ROOT) not in text
    assert ".jpg" not in text  # numbers, no pictures


def test_a_record_of_other_data_names_no_place_of_this_machine(tmp_path):
    photo(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "manifest.csv").write_text(
        "image,label,source,scene,split,mask\na.png,1,x,1,s,\nbroken.png,1,x,2,s,\n"
    )
    place = tmp_path / "metrics.json"
    words = ["evaluate", "--data", str(tmp_path), "--half", "B", "--record", str(place)]
    assert main(words) == 1
    [run] = measurements.read(place).runs
    assert run.report["failed"] == 1
    assert run.command.endswith("evaluate --data FOLDER --half B --record metrics.json")
    assert str(tmp_path) not in place.read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--record", "no/where.json"], "rustseg: folder no of where.json does not exist"),
        (["--record", "m.json", "--faithfulness"], "rustseg: --record cannot be combined"),
    ],
)
def test_a_record_that_cannot_be_kept_is_refused_first(tmp_path, monkeypatch, capsys, more, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate_command, "load_classifier", None)  # it does not come to that
    assert main(["evaluate", "--data", str(ROOT / "data/samples"), *more]) == 2
    assert one_line(said, capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_evaluate_leaves_out_what_is_broken(tmp_path, capsys):
    photo(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    (tmp_path / "manifest.csv").write_text(
        "image,label,source,scene,split,mask\na.png,0,x,1,s,\nb.png,1,x,2,s,\n"
    )
    assert main(["evaluate", "--data", str(tmp_path), "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["classification"]["s"]["n"] == 1
    assert one_line(r"rustseg: skipped: .*b\.png is not an image", captured.err)


@pytest.mark.slow
def test_faithfulness_prints_what_the_library_says(tmp_path, weights, capsys):
    from rustseg_jax.classify.weights import load_model
    from rustseg_jax.config import Config
    from rustseg_jax.evaluate.heatmap_study import study

    photo(tmp_path / "a.png")
    (tmp_path / "manifest.csv").write_text("image,label,source,scene,split,mask\na.png,1,x,1,s,\n")
    command = ["evaluate", "--data", str(tmp_path), "--faithfulness"]
    assert main([*command, "--decision-threshold", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == study(tmp_path, load_model(weights), Config(decision_threshold=0))
    assert main([*command, "--decision-threshold", "0"]) == 0
    text = capsys.readouterr().out
    assert "s: 1 of 1 images classified as corroded" in text
    for name, scores in found["faithfulness"]["s"]["maps"].items():
        cells = [re.escape(f"{value:.3f}") for value in scores.values()]
        assert re.search(rf"^{name}\s+" + r"\s+".join(cells) + "$", text, re.M)
    assert re.search(r"^score_map over random +[+-]0\.\d{3} \([+-]", text, re.M)
    assert main([*command, "--decision-threshold", "1"]) == 0
    assert "s: 0 of 0 images classified as corroded\nnothing to score" in capsys.readouterr().out


# ---- failures


@pytest.mark.slow
def test_failures_prints_what_the_library_says(weights, capsys):
    from rustseg_jax.classify.weights import load_model
    from rustseg_jax.evaluate.failure_measures import MEASURES, measure_failures

    command = ["failures", "--only", "post_processing", "--limit", "2"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == measure_failures(load_model(weights), names=["post_processing"], limit=2)
    assert main(command) == 0
    text = capsys.readouterr().out
    numbers = found["post_processing"]["scenes"]
    assert re.search(r"^n +2 +images$", text, re.M)
    for key, meaning in MEASURES["post_processing"].items():
        value = "-" if numbers[key] is None else f"{numbers[key]:.3f}"
        assert re.search(rf"^{key} +{value}  {re.escape(meaning)}$", text, re.M), key
    assert main(["failures", "--data", "nowhere"]) == 2
    assert "nowhere is not a data folder" in capsys.readouterr().err


# ---- train


def test_train_hands_its_options_on(tmp_path, monkeypatch, capsys):
    from rustseg_jax.learning import train as library
    from rustseg_jax.learning.recipe import PRESETS

    asked = []

    def pretend(*args, **options):
        asked.append((args, options))
        return library.Trained(len(asked) > 1, tmp_path / "w", {"accuracy": 0.75})

    monkeypatch.setattr(library, "train", pretend)
    monkeypatch.setenv("XLA_FLAGS", "")
    command = ["train", "--data", "d", "--out", "o", "--preset", "smoke", "--workers", "3"]
    more = ["--resume", "--devices", "3", "--init", "w", "--half-of", "a", "b"]
    assert main([*command, *more]) == 130
    options = {"resume": True, "workers": 3, "init": Path("w"), "halves": ["a", "b"]}
    assert asked == [((Path("d"), Path("o"), PRESETS["smoke"]), options)]
    assert os.environ["XLA_FLAGS"] == f"{train_command.FLAG}=3"
    captured = capsys.readouterr()
    assert "to continue the run in o, repeat the command with --resume" in captured.err
    assert "accuracy" in captured.out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["val"] == {"accuracy": 0.75}


@pytest.mark.parametrize(
    ("wanted", "before", "after"),
    [(None, "", ""), (None, "F=3", "F=3"), (4, "", "F=4"), (4, "--a F=2 --b", "--a --b F=4")],
)
def test_devices(wanted, before, after):
    environ = {"XLA_FLAGS": before.replace("F", train_command.FLAG)}
    train_command.set_devices(wanted, environ)
    assert environ["XLA_FLAGS"] == after.replace("F", train_command.FLAG)


# ---- the command line itself


def test_the_heat_map_can_be_chosen():
    from rustseg_jax.config import LocaliseConfig

    paths = ["segment", "x.jpg", "--out", "o"]

    def chosen(*options):
        return common.config_of(build_parser().parse_args([*paths, *options])).localise

    assert chosen() == LocaliseConfig()
    assert (chosen("--cam", "author").method, chosen("--cam", "author").variant) == (
        "grad_cam_pp",
        "author",
    )
    assert chosen("--cam", "eq19", "--scales", "1").scales == (1.0,)
    assert chosen("--scales", "0.5").scales == (0.5,)
    assert chosen("--cam", "score_map").method == "score_map"


def test_the_windows_of_large_photos_can_be_chosen():
    from rustseg_jax.config import TileConfig

    def chosen(*options):
        words = ["segment", "x.jpg", "--out", "o", *options]
        return common.config_of(build_parser().parse_args(words)).tiles

    assert chosen() == TileConfig()
    options = ["--mode", "tiles", "--tiles-from", "900", "--window", "300", "--overlap", "0.5"]
    assert chosen(*options, "--max-windows", "9") == TileConfig("tiles", 900, 300, 0.5, 9)
    assert build_parser().parse_args(["evaluate", "--data", "d", "--mode", "whole"]).mode == "whole"


def test_a_large_photo_says_its_cost_beforehand_and_its_windows_afterwards(tmp_path, capsys):
    # The network's input is 64 pixels, 4 cells; windows of 100 pixels: 25 a cell, so 300 x 300
    # are 12 cells. A quarter of overlap is a step of 3 cells: starts 0, 3, 5 and 8.
    place = photo(tmp_path / "gate.png", size=300)
    options = ["--mode", "tiles", "--window", "100", "--decision-threshold", "0"]
    assert segment(place, "--out", tmp_path / "out", *options) == 0
    said = capsys.readouterr().err
    assert one_line(
        r"rustseg: .*gate\.png, 300 x 300 pixels: "
        r"analysing 16 tiles at full resolution \(about 2 s\)",
        said,
    )
    assert said.index("16 tiles") < said.index("100%")
    facts = json.loads((tmp_path / "out/gate.json").read_text())
    assert facts["config"]["tiles"]["mode"] == "tiles"
    assert {name: facts["tiling"][name] for name in ("windows", "passes", "scale")} == {
        "windows": 16, "passes": 17, "scale": 1.0,
    }  # fmt: skip
    assert summary(tmp_path / "out")[0]["windows"] == "16"
    assert segment(place, "--out", tmp_path / "out", "--mode", "whole") == 0
    assert "tiles" not in capsys.readouterr().err
    assert json.loads((tmp_path / "out/gate.json").read_text())["tiling"] is None
    assert summary(tmp_path / "out")[0]["windows"] == "0"


def test_names_of_choices_are_those_of_the_library():
    from rustseg_jax.config import FAILURES, PRESETS
    from rustseg_jax.evaluate.failures import FAILURES as DEFINED
    from rustseg_jax.learning.recipe import PRESETS as RECIPES

    assert tuple(DEFINED) == FAILURES
    assert tuple(RECIPES) == PRESETS
    assert common.CAMS == ("score_map", "grad_cam", "eq19", "author")


def test_help_imports_nothing_slow():
    """The package's own __init__ is left out: this is about what the commands import."""
    code = (
        "import sys, types; package = types.ModuleType('rustseg_jax'); "
        f"package.__path__ = [{str(ROOT / 'rustseg_jax')!r}]; sys.modules['rustseg_jax'] = package;"
        "from rustseg_jax.cli import main; status = main(['segment', '--help']); "
        "print(status, sorted({'jax', 'numpy', 'PIL', 'pydensecrf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
    assert "PHOTO_OR_FOLDER" in done.stdout


def test_table_by_hand():
    assert common.table(["name", "n"], [["a", "1"], ["bcd", "under 0.1 %"], ["e", "-"]]) == (
        "name            n\na               1\nbcd   under 0.1 %\ne               -"
    )


def _sections() -> dict[str, str]:
    parts = re.split(r"^## (\w+)$", DOCS, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _subparsers():
    return build_parser()._subparsers._group_actions[0].choices


def _actions(parser):
    """Of a command and of its parts."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for part in action.choices.values():
                yield from _actions(part)


def test_every_command_and_option_is_documented():
    assert list(_sections()) == list(_subparsers())
    for name, parser in _subparsers().items():
        for action in _actions(parser):
            for option in action.option_strings:
                if option.startswith("--"):
                    assert f"`{option}" in _sections()[name], f"{name} {option}"
            for choice in action.choices or ():
                assert f"`{choice}`" in DOCS, f"{name}: {choice}"
    known = {o for p in _subparsers().values() for a in _actions(p) for o in a.option_strings}
    assert set(re.findall(r"`(--[a-z-]+)", DOCS)) <= known


@pytest.mark.slow
def test_the_examples_of_the_documentation_work(tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    examples = [shlex.split(e)[3:] for e in re.findall(r"^python -m rustseg_jax .*", DOCS, re.M)]
    ran = 0
    for words in examples[1:]:
        assert build_parser().parse_args(words).command == words[0]
        if "data/samples" in " ".join(words):
            assert main(words) == 0, words
            ran += 1
    assert ran == 6
