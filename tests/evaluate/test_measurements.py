from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rustseg_jax.errors import DataError
from rustseg_jax.evaluate.measurements import Measurements, Run, check_place, keep, read


def run(data: str = "photos", half: str | None = "B", splits: tuple[str, ...] = ("val",)) -> Run:
    return Run(
        data=data,
        half=half,
        limit=None,
        made="2026-11-24",
        command="python -m rustseg_jax evaluate --data FOLDER",
        versions={"jax": "1"},
        config={"decision_threshold": 0.3, "scales": [0.5, 1.0]},
        report={"classification": {s: {"n": 1} for s in splits}, "failed": 0},
        curves={},
    )


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    keep(path, "abc", run())
    after = keep(path, "abc", run("samples", None, ("sample",)))
    assert read(path) == after == Measurements("abc", (run(), run("samples", None, ("sample",))))
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]  # nothing half-written


def test_a_run_takes_the_place_of_the_one_of_the_same_folder_and_half(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    for one in (run(), run(half="A"), replace(run(), made="2026-11-25")):
        keep(path, "abc", one)
    assert [(r.half, r.made) for r in read(path).runs] == [("A", "2026-11-24"), ("B", "2026-11-25")]


def test_other_weights_begin_afresh(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    keep(path, "abc", run())
    keep(path, "def", run(half="A"))
    assert read(path) == Measurements("def", (run(half="A"),))


def test_a_split_is_found_in_its_half() -> None:
    both = Measurements("abc", (run(splits=("val", "seg-x")), run(half="A", splits=("seg-x",))))
    assert both.find("seg-x", "A") is both.runs[1]
    assert both.find("val", "B") is both.runs[0]
    assert both.find("val", "A") is None


def test_plain_lists_are_on_one_line(tmp_path: Path) -> None:
    keep(tmp_path / "m.json", "abc", run())
    assert '"scales": [0.5, 1.0]' in (tmp_path / "m.json").read_text()


def test_a_place_is_refused_before_anything_is_lost(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        check_place(tmp_path / "nowhere" / "m.json")
    other = tmp_path / "other.json"
    for text, said in [
        ('{"my": "notes"}', "not a file of measurements"),
        ("a diary", "is not a file of measurements \\("),
        ('{"format": "rustseg-measurements", "version": 9}', "version 9"),
        ('{"format": "rustseg-measurements", "version": 1}', "is not a file of measurements \\("),
    ]:
        other.write_text(text)
        with pytest.raises(DataError, match=said):
            keep(other, "abc", run())
        assert other.read_text() == text
    with pytest.raises(DataError, match="no measurements at"):
        read(tmp_path / "absent.json")


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        keep(tmp_path / "m.json", "abc", replace(run(), config={"x": float("nan")}))
    assert not (tmp_path / "m.json").exists()
