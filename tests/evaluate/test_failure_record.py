"""The record of the four failures: there and back, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rustseg_jax import DataError
from rustseg_jax.evaluate.failure_record import (
    NAME,
    FailureRecord,
    keep_failures,
    read_failures,
)

RECORD = FailureRecord(
    weights="ab" * 32,
    half="A",
    made="2026-11-28",
    command="python -m rustseg_jax failures --data FOLDER",
    failures={"shadow": {"scenes": {"n": 2, "iou": 0.5}, "photos": {"n": 3, "iou": None}}},
)


def test_there_and_back(tmp_path: Path) -> None:
    keep_failures(tmp_path / NAME, RECORD)
    assert read_failures(tmp_path / NAME) == RECORD
    keep_failures(tmp_path / NAME, FailureRecord("cd" * 32, "B", "2026-11-29", "x", {}))
    assert read_failures(tmp_path / NAME).half == "B"
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_measure_that_was_not_taken_is_none() -> None:
    assert RECORD.photos("shadow", "n") == 3
    assert RECORD.photos("shadow", "iou") is None
    assert RECORD.photos("shadow", "recall") is None
    assert RECORD.photos("all_rust", "n") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is not a record of failures"),
        ('{"format": "rustseg-measurements"}', "is not a record of failures"),
        (
            '{"format": "rustseg-failures", "version": 2}',
            "has version 2; this program reads",
        ),
        (
            '{"format": "rustseg-failures", "version": 1, "half": "A"}',
            "is not a record of failures \\(",
        ),
        ("{", "is not a record of failures \\("),
    ],
)
def test_what_is_no_record_is_refused_and_kept(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / NAME
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_failures(path)
    with pytest.raises(DataError):
        keep_failures(path, RECORD)
    assert path.read_text() == text


def test_an_absent_record_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no recorded failures at"):
        read_failures(tmp_path / NAME)
