from __future__ import annotations

import csv
import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import random_network
from PIL import Image

from rustseg_jax.classify import Classifier
from rustseg_jax.config import Config, TileConfig
from rustseg_jax.errors import ConfigError, DataError
from rustseg_jax.evaluate import run as module
from rustseg_jax.evaluate.run import choose, evaluate, evenly
from rustseg_jax.evaluate.scores import Scored, summarise
from rustseg_jax.manifest import COLUMNS, Record, half_of
from rustseg_jax.pipeline import segment

SIDE = 32
RUST = (150, 70, 30)  # inside the colour rule
GREY = (128, 128, 128)


@pytest.fixture(scope="module")
def model() -> Classifier:
    """Random weights whose head knows both answers."""
    network = random_network(seed=2, input_size=64)
    network.eval()
    kernel = np.random.default_rng(0).normal(size=(32, 2)).astype(np.float32)
    network.head_kernel.set_value(jnp.asarray(kernel))
    network.head_bias.set_value(jnp.zeros(2))  # as a fresh head
    return Classifier.of(network)


class _Data:
    """A data folder in the making."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, []

    def add(self, name, split, label, *, colours=(GREY,), mask=None, source="a", size=SIDE):
        picture = np.zeros((size, size, 3), np.uint8)
        for k, colour in enumerate(colours):  # vertical stripes of equal width
            part = slice(k * size // len(colours), (k + 1) * size // len(colours))
            picture[:, part] = colour
        Image.fromarray(picture).save(self.folder / f"{name}.png")
        masked = ""
        if mask is not None:
            masked = f"{name}.mask.png"
            Image.fromarray(mask).save(self.folder / masked)
        self.rows.append([f"{name}.png", label, source, name, split, masked])
        with (self.folder / "manifest.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *self.rows])
        return self.folder / f"{name}.png"


@pytest.fixture
def data(tmp_path: Path) -> _Data:
    return _Data(tmp_path)


def half(size: int = SIDE) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    mask[:, : size // 2] = 255
    return mask


def test_evenly_by_hand():
    records = list("abcdefghij")
    assert evenly(records, 5) == list("acegi")
    assert evenly(records, 3) == list("adg")
    assert evenly(records, 1) == ["a"]
    assert evenly(records, 10) == evenly(records, 99) == evenly(records, None) == records


def test_the_colour_rule_by_hand(data, model):
    """Left half of the first picture is rust and found; of the second nothing is found."""
    data.add("hit", "s", 1, colours=(RUST, GREY), mask=half())
    data.add("miss", "s", 1, colours=(GREY,), mask=half(2 * SIDE), size=2 * SIDE)
    scores = evaluate(data.folder, model)["segmentation"]["s"]
    assert scores["n"] == 2
    # found 512 pixels, all right; truth 512 + 2048
    expected = {"mean_iou": 0.5, "pooled_iou": 512 / 2560, "pooled_f1": 1024 / (512 + 2560)}
    assert scores["hsv_rule"] == pytest.approx(expected)


def test_ignored_pixels_do_not_count(data, model):
    index = np.zeros((SIDE, SIDE), np.uint8)
    index[:, : SIDE // 4] = 1
    index[:, SIDE // 4 : SIDE // 2] = 255
    data.add("open", "s", 1, colours=(RUST, GREY), mask=index)
    assert evaluate(data.folder, model)["segmentation"]["s"]["hsv_rule"]["pooled_iou"] == 1.0


def test_stages_are_those_of_segment(data, model):
    rng = np.random.default_rng(1)
    paths = [
        data.add(f"p{k}", "s", 1, colours=rng.integers(0, 256, (6, 3)), mask=half())
        for k in range(3)
    ]
    found = [segment(path, model) for path in paths]
    truth = half() > 127
    scores = evaluate(data.folder, model)["segmentation"]["s"]

    def iou(a, b):
        return (a & b).sum() / (a | b).sum()

    for stage in ("rough", "mask"):
        wanted = np.mean([iou(getattr(seg, stage), truth) for seg in found])
        assert scores[stage]["mean_iou"] == pytest.approx(wanted), stage


def test_no_corrosion_empties_the_mask_and_nothing_else(data, model):
    data.add("p", "s", 1, colours=(RUST, GREY, (0, 200, 30)), mask=half())
    never = evaluate(data.folder, model, Config(decision_threshold=1.0))["segmentation"]["s"]
    always = evaluate(data.folder, model, Config(decision_threshold=0.0))["segmentation"]["s"]
    assert never["mask"] == {"mean_iou": 0.0, "pooled_iou": 0.0, "pooled_f1": 0.0}
    assert always["mask"]["pooled_iou"] > 0
    for stage in ("heatmap", "rough", "hsv_rule"):
        assert never[stage] == always[stage], stage
    assert never["heatmap"]["pooled_iou"] > 0


def test_the_heatmap_is_cut_at_one_half_whatever_the_rule(data, model):
    from rustseg_jax.config import ThresholdConfig
    from rustseg_jax.refine import rough_mask

    path = data.add("p", "s", 1, colours=(RUST, GREY, (0, 200, 30)), mask=half())
    config = Config(threshold=ThresholdConfig("fixed", value=0.9))
    scores = evaluate(data.folder, model, config)["segmentation"]["s"]
    truth, found = half() > 127, segment(path, model).heatmap
    for stage, threshold in (("heatmap", 0.5), ("rough", 0.9)):
        cut = rough_mask(found, threshold, truth.shape)
        wanted = (cut & truth).sum() / (cut | truth).sum()
        assert scores[stage]["pooled_iou"] == pytest.approx(wanted), stage


def test_verdicts_are_those_of_segment_in_batches_and_out(data, model):
    rng = np.random.default_rng(2)
    sources = ["b", "a", "a"] * 4
    paths = [
        data.add(
            f"p{k}", "s", k % 2, colours=rng.integers(0, 256, (4, 3)), source=source, size=40 + k
        )
        for k, source in enumerate(sources)
    ]
    p = np.array([segment(path, model).probability for path in paths])
    cut = float(np.median(p))
    result = evaluate(data.folder, model, Config(decision_threshold=cut))
    labels, verdicts = np.arange(12) % 2, p >= cut
    report = result["classification"]["s"]
    assert report["n"] == 12
    assert report["accuracy"] == pytest.approx((verdicts == labels).mean())
    assert report["auc"] == pytest.approx(
        np.mean([(a > b) + (a == b) / 2 for a in p[labels == 1] for b in p[labels == 0]])
    )
    assert result["segmentation"] == {}
    assert list(result["by_source"]["s"]) == ["a", "b"]
    chosen = np.array(sources) == "a"
    assert result["by_source"]["s"]["a"] == {
        "n": 8,
        "recall": pytest.approx(verdicts[chosen & (labels == 1)].mean()),
        "specificity": pytest.approx((~verdicts)[chosen & (labels == 0)].mean()),
    }


def test_the_verdict_gate_by_hand(data, model):
    """Of two pictures of the same size, the verdict empties the less probable one."""
    stripes = [(RUST, GREY, (0, 200, 30)), ((10, 20, 250), RUST, (240, 240, 20), GREY)]
    paths = [
        data.add(f"p{k}", "s", 1, colours=colours, mask=half()) for k, colours in enumerate(stripes)
    ]
    p = [segment(path, model).probability for path in paths]
    truth, free = half() > 127, Config(decision_threshold=0.0)
    masks = [segment(path, model, free).mask for path in paths]
    iou = [(m & truth).sum() / (m | truth).sum() for m in masks]
    less, more = np.argsort(p)
    assert min(iou) > 0
    result = evaluate(data.folder, model, Config(decision_threshold=p[more]))
    gate = result["verdict_gate"]["s"]
    assert gate["emptied"] == 1
    assert gate["mask_any_verdict"]["mean_iou"] == pytest.approx(np.mean(iou))
    assert gate["emptied_masks"]["pooled_iou"] == pytest.approx(iou[less])
    assert result["segmentation"]["s"]["mask"]["mean_iou"] == pytest.approx(iou[more] / 2)
    open_gate = evaluate(data.folder, model, free)
    assert open_gate["verdict_gate"]["s"]["emptied"] == 0
    assert open_gate["verdict_gate"]["s"]["emptied_masks"] is None
    assert (
        open_gate["verdict_gate"]["s"]["mask_any_verdict"]
        == open_gate["segmentation"]["s"]["mask"]
        == gate["mask_any_verdict"]
    )


def test_over_the_colour_rule_is_a_ratio_of_pooled_iou(data, model):
    data.add("p", "s", 1, colours=(RUST, GREY, (0, 200, 30)), mask=half())
    data.add("q", "none", 1, colours=(GREY, (0, 200, 30)), mask=half())
    result = evaluate(data.folder, model, Config(decision_threshold=0.0))
    scores, over = result["segmentation"]["s"], result["over_hsv_rule"]["s"]
    assert list(over) == ["heatmap", "rough", "mask"]
    for stage, ratio in over.items():
        assert ratio * scores["hsv_rule"]["pooled_iou"] == pytest.approx(
            scores[stage]["pooled_iou"]
        )
    assert set(result["over_hsv_rule"]["none"].values()) == {None}


def test_targets_by_source_by_hand():
    """85 of 100 found is enough, 16 of 20 left alone is not; what a source lacks is no miss."""

    def pictures(source, label, right, wrong):
        record = Record(Path("x"), label, source, "", "s", None)
        return [Scored(record, float(label))] * right + [Scored(record, 1.0 - label)] * wrong

    scored = pictures("rust", 1, 85, 15) + pictures("clean", 0, 16, 4) + pictures("rust2", 1, 0, 1)
    assert summarise({"s": scored}, 0.5)["below_target"] == [
        {"split": "s", "source": "clean", "measure": "specificity", "value": 0.8, "n": 20},
        {"split": "s", "source": "rust2", "measure": "recall", "value": 0.0, "n": 1},
    ]


def test_a_half_keeps_its_scenes_of_seg_splits_and_all_of_the_others(data, model):
    names = [f"p{k}" for k in range(12)]
    for name in names:
        data.add(name, "seg-x", 1)
        data.add(f"v{name}", "val", 1)
    in_a = sum(half_of(name) == "A" for name in names)
    assert 0 < in_a < 12
    for half_name, wanted in (("A", in_a), ("B", 12 - in_a), (None, 12)):
        found = evaluate(data.folder, model, half=half_name)["classification"]
        assert {s: r["n"] for s, r in found.items()} == {"seg-x": wanted, "val": 12}, half_name
    limited = choose(data.folder, half="A", limit=in_a - 1)
    assert {half_of(r.scene) for r in limited["seg-x"]} == {"A"}
    assert len(limited["seg-x"]) == in_a - 1
    assert len(limited["val"]) == in_a - 1


def test_large_photos_without_a_mask_get_the_verdict_of_segment(data, model):
    rng = np.random.default_rng(3)
    config = Config(tiles=TileConfig(from_side=100, window=64))
    paths = [
        data.add(f"p{k}", "s", 1, colours=rng.integers(0, 256, (5, 3)), size=size)
        for k, size in enumerate((90, 200, 180))
    ]
    found = [segment(path, model, config) for path in paths]
    assert [seg.tiling is not None for seg in found] == [False, True, True]
    records, state = choose(data.folder)["s"], module.Progress(3, None)
    scored = list(module._score(records, model, config, state))
    assert [s.probability for s in scored] == pytest.approx([s.probability for s in found])


def test_one_label_leaves_gaps_and_valid_json(data, model):
    data.add("p", "s", 1)
    result = evaluate(data.folder, model)
    assert result["classification"]["s"]["auc"] is None
    assert result["by_source"]["s"]["a"]["specificity"] is None
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_curves_are_of_the_same_pictures_as_the_report(data, model):
    rng = np.random.default_rng(4)
    for k in range(9):
        colours = rng.integers(0, 256, (4, 3))
        data.add(f"p{k}", "s", int(k % 3 > 0), colours=colours, source="ab"[k % 2])
    assert "curves" not in evaluate(data.folder, model)
    probabilities = sorted(segment(p, model).probability for p in data.folder.glob("p?.png"))
    cut = probabilities[4]
    result = evaluate(data.folder, model, Config(decision_threshold=cut), curves=True)
    report, curves = result["classification"]["s"], result["curves"]["s"]
    points = curves["points"]
    assert points["threshold"] == pytest.approx(sorted(set(probabilities), reverse=True))
    here = np.argmin(np.abs(np.array(points["threshold"]) - cut))
    assert points["tp"][here] / points["corroded"] == pytest.approx(report["recall"])
    assert points["tp"][here] + points["fp"][here] == 5
    assert sum(b["n"] for b in curves["reliability"]) == 9
    rows = {(r["source"], r["measure"]): r for r in curves["sources"]}
    assert set(rows) == {(s, m) for s in "ab" for m in ("recall", "specificity")}
    for (source, measure), row in rows.items():
        assert row["value"] == result["by_source"]["s"][source][measure] == row["right"] / row["n"]
        assert row["low"] <= row["value"] <= row["high"]
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_splits_limit_and_progress(data, model):
    for k in range(5):
        data.add(f"x{k}", "x", k % 2)
        data.add(f"y{k}", "y", k % 2)
    assert list(evaluate(data.folder, model)["classification"]) == ["x", "y"]
    seen = []
    result = evaluate(
        data.folder, model, splits=["y"], limit=2, progress=lambda *now: seen.append(now)
    )
    assert {s: r["n"] for s, r in result["classification"].items()} == {"y": 2}
    assert seen == [(1, 2), (2, 2)]


def test_what_cannot_be_scored_is_named_and_left_out(data, model):
    data.add("good", "s", 1, mask=half())
    data.add("broken", "s", 1).write_bytes(b"no picture")
    data.add("small", "s", 1, mask=half(SIDE // 2))
    result = evaluate(data.folder, model)
    assert result["classification"]["s"]["n"] == result["segmentation"]["s"]["n"] == 1
    assert [Path(f["image"]).name for f in result["failed"]] == ["broken.png", "small.png"]
    assert "must be equal" in result["failed"][1]["error"]


def test_more_pictures_than_a_batch_keep_their_order():
    names = [str(k) for k in range(3 * module.BATCH + 1)]
    records = [Record(Path(name), 0, "", "", "s", None) for name in names]
    state = module.Progress(len(names), None)
    found = list(module._readable(records, lambda r: r.image.name, state))
    assert [read for _, read in found] == names


def test_misuse(data, model):
    with pytest.raises(DataError, match=r"manifest\.csv not found"):
        evaluate(data.folder, model)
    data.add("p", "s", 1)
    with pytest.raises(ConfigError, match="limit is 0"):
        evaluate(data.folder, model, limit=0)
    with pytest.raises(ConfigError, match="half is 'a'; it must be one of A, B"):
        evaluate(data.folder, model, half="a")
    with pytest.raises(DataError, match="no split 'z'; its splits are s"):
        evaluate(data.folder, model, splits=["z"])
    (data.folder / "manifest.csv").write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(DataError, match="lists no pictures"):
        evaluate(data.folder, model)


@pytest.mark.shared
def test_the_colour_rule_on_real_photos(shared_data, model):
    """Pooled IoU of the rule was measured beforehand, by other code, on all of seg-web."""
    result = evaluate(shared_data, model, splits=["seg-web"], limit=24)
    assert result["segmentation"]["seg-web"]["hsv_rule"]["pooled_iou"] == pytest.approx(
        0.373, abs=0.06
    )
