"""What README, docs and model card say of the shipped weights is what was measured of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rustseg_jax.classify import weights
from rustseg_jax.evaluate import measurements
from rustseg_jax.evaluate.failure_record import NAME, read_failures
from rustseg_jax.evaluate.measurements import Measurements, Run
from rustseg_jax.images import sha256

ROOT = Path(__file__).resolve().parents[1]
README, QUALITY = ROOT / "README.md", ROOT / "docs" / "quality.md"
CARD = ROOT / "data" / "model" / "README.md"
VERDICTS = {
    "accuracy": "accuracy",
    "balanced accuracy": "balanced_accuracy",
    "f1": "f1",
    "auc": "auc",
    "calibration error": "ece",
    "recall": "recall",
}
STAGES = {
    "heat map > 0.5": "heatmap",
    "rough mask": "rough",
    "mask": "mask",
    "colour rule": "hsv_rule",
}
NAMES = {"rendered samples": "sample"}

Row = dict[str, str]


@pytest.fixture(scope="module")
def measured() -> Measurements:
    return measurements.read(weights.DEFAULT.with_name(measurements.NAME))


def test_the_numbers_are_of_the_shipped_weights(measured: Measurements) -> None:
    """If this fails, new weights came without new numbers: docs/cli.md has the commands."""
    assert measured.weights == sha256(weights.DEFAULT.read_bytes())
    assert all(run.limit is None and run.report["failed"] == 0 for run in measured.runs)


def tables(document: Path) -> Iterator[list[Row]]:
    """Rows of each table, by the heads of its columns in lower case."""
    for block in re.findall(r"(?:^ *\|.*\n)+", document.read_text(encoding="utf-8"), re.MULTILINE):
        head, _, *rows = [
            [cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in block.splitlines()
        ]
        yield [dict(zip(map(str.lower, head), row, strict=True)) for row in rows]


def rows_with(document: Path, *heads: str) -> list[Row]:
    """All rows of the tables that have these columns."""
    return [row for table in tables(document) for row in table if set(heads) <= set(row)]


def place(row: Row, measured: Measurements) -> tuple[Run, str]:
    """The run and the split that a row is about."""
    name, _, half = row["split"].replace("`", "").partition(", half ")
    split = NAMES.get(name, name)
    found = next(
        r for r in measured.runs if split in r.splits and (not half or r.half == half)
    )  # `val` and the samples have no halves
    return found, split


def differences(row: Row, wanted: dict[str, float | None]) -> list[str]:
    """Cells that say another number than `wanted`, rounded as they are; "-" says nothing."""
    wrong = []
    for head, value in wanted.items():
        said = row[head]
        if said == "-":
            continue
        digits = len(said.partition(".")[2])
        true = "-" if value is None else f"{value:.{digits}f}"
        if said != true:
            wrong.append(f"{row['split']}, {head}: {said} is said, {true} was measured")
    return wrong


@pytest.mark.parametrize("document", [QUALITY, CARD], ids=["quality", "card"])
def test_verdicts(document: Path, measured: Measurements) -> None:
    rows = rows_with(document, "split", *VERDICTS)
    assert len(rows) >= 3
    wrong = []
    for row in rows:
        run, split = place(row, measured)
        report: dict[str, Any] = run.report["classification"][split]
        wrong += differences(row, {"n": report["n"]} | {h: report[k] for h, k in VERDICTS.items()})
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("document", "count"), [(QUALITY, 3), (CARD, 4)], ids=["quality", "card"])
def test_masks(document: Path, count: int, measured: Measurements) -> None:
    rows = rows_with(document, "split", *STAGES)
    assert len(rows) >= count
    wrong = []
    for row in rows:
        run, split = place(row, measured)
        scores = run.report["segmentation"][split]
        wanted = {"n": scores["n"]} | {h: scores[k]["pooled_iou"] for h, k in STAGES.items()}
        free = run.report["verdict_gate"][split]["mask_any_verdict"]["pooled_iou"]
        more = {"ratio": run.report["over_hsv_rule"][split]["mask"], "without the verdict": free}
        wrong += differences(row, wanted | {h: v for h, v in more.items() if h in row})
    assert not wrong, "\n".join(wrong)


def test_the_numbers_of_the_readme(measured: Measurements) -> None:
    """Its few numbers are those of the tables behind them."""
    said = {row["measured"]: row["result"] for row in rows_with(README, "measured", "result")}
    verdicts, masks = (
        {row["split"]: row for row in rows_with(QUALITY, "split", column)}
        for column in ("recall", "mask")
    )
    speed = {row[""]: row for row in rows_with(ROOT / "docs" / "performance.md", "", "ratio")}
    web, site = "`seg-web`, half B", "`seg-site`, half B"
    wanted = {
        "accuracy on held-out": verdicts["`val`"]["accuracy"],
        "recall on kept-back": f"{verdicts[web]['recall']}, {verdicts[site]['recall']}",
        "pooled IoU of the masks": ", ".join(
            f"{masks[split]['mask']} ({masks[split]['colour rule']})" for split in (web, site)
        ),
        "forward pass": speed["forward pass"]["ratio"],
    }
    for start, result in wanted.items():
        [found] = [text for name, text in said.items() if name.startswith(start)]
        assert found == result, start
    assert len(said) == len(wanted)


def test_the_four_failures() -> None:
    record = read_failures(weights.DEFAULT.with_name(NAME))
    assert record.weights == sha256(weights.DEFAULT.read_bytes())
    rows = rows_with(QUALITY, "failure", "measure", "now")
    measures = ["recall_shadow", "fp_shadow", "recall", "survival", "iou_mask"]
    assert len(rows) == len(measures)
    for row, measure in zip(rows, measures, strict=True):
        assert row["now"] == f"{record.photos(row['failure'].strip('`'), measure):.2f}", measure


LINK = re.compile(r"\[(?:[^][]|\[[^]]*\])*\]\(([^()\s]+)\)")
PATH = re.compile(
    r"`((?:rustseg_jax|pages|tests|benchmarks|docs|data)/[\w./-]+\.(?:py|md|cpp|json|jpg|js|mjs))`"
)


@pytest.mark.parametrize(
    "document",
    [README, CARD, *sorted((ROOT / "docs").rglob("*.md"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_link_and_path_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    wrong = []
    for target in LINK.findall(text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        place = document.parent / name if name else document
        if not place.exists():
            wrong.append(target)
        elif anchor and anchor not in _anchors(place):
            wrong.append(f"{target}: no such heading")
    wrong += [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    assert not wrong, "\n".join(wrong)


def _anchors(document: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_sources(measured: Measurements) -> None:
    rows = rows_with(CARD, "source of `val`", "recall", "specificity")
    run = measured.find("val", "B")
    assert run is not None
    by_source = run.report["by_source"]["val"]
    assert [row["source of `val`"].strip("`") for row in rows] == list(by_source)
    wrong = []
    for row, rates in zip(rows, by_source.values(), strict=True):
        row["split"] = row["source of `val`"]
        wrong += differences(row, rates)
        wrong += [f"{row}: a number is missing" for k, v in rates.items() if v and row[k] == "-"]
    assert not wrong, "\n".join(wrong)


def test_missed_targets(measured: Measurements) -> None:
    """What the card says it reached, where that is one number."""
    said = {row["target"]: row["reached"] for row in rows_with(CARD, "target", "reached")}
    run = measured.find("val", "B")
    assert run is not None
    verdicts = run.report["classification"]
    reached = {
        r"F1 ": verdicts["val"]["f1"],
        r"AUC ": verdicts["val"]["auc"],
        r"Accuracy ": verdicts["val"]["accuracy"],
        r"1\.5 times the colour rule on `seg-web`": run.report["over_hsv_rule"]["seg-web"]["mask"],
        r"1\.5 times the colour rule on `seg-site`": run.report["over_hsv_rule"]["seg-site"][
            "mask"
        ],
    }
    for split in ("seg-web", "seg-site"):
        iou = run.report["segmentation"][split]["mask"]["pooled_iou"]
        reached[rf"IoU [\d.]+ on `{split}`"] = iou
    checked = 0
    for target, text in said.items():
        for pattern, value in reached.items():
            if re.match(pattern, target):
                digits = len(text.partition(".")[2])
                assert text == f"{value:.{digits}f}", target
                checked += 1
    assert checked


def test_the_check_would_find_a_wrong_number() -> None:
    row = {"split": "val", "n": "763", "f1": "0.849", "auc": "-"}
    assert differences(row, {"n": 763, "f1": 0.8493, "auc": 0.9}) == []
    assert differences(row, {"n": 763, "f1": 0.8497, "auc": 0.9}) == [
        "val, f1: 0.849 is said, 0.850 was measured"
    ]
