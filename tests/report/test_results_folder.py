"""Results of many photos in a folder, and the ZIP of them, beside what the command line writes."""

from __future__ import annotations

import csv
import io
import json
import logging
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_made import picture
from PIL import Image

import rustseg_jax as rs
from rustseg_jax.cli import main
from rustseg_jax.drawing.encode import png
from rustseg_jax.images import sha256
from rustseg_jax.report import results_folder as module
from rustseg_jax.report.outcomes import result_names
from rustseg_jax.report.results_folder import PhotoFile, ResultsFolder, segment_photos, write_zip


@pytest.fixture(scope="module")
def model(weights: Path) -> rs.Classifier:
    return rs.load_model(weights)


@pytest.fixture
def results(tmp_path: Path, model: rs.Classifier) -> ResultsFolder:
    return ResultsFolder(tmp_path / "results", model.describe(), rs.Config())


@pytest.fixture
def photos(tmp_path: Path) -> list[PhotoFile]:
    """broken.jpg, which is none, east/gate.png, and gate.bmp and gate.png of one name."""
    folder = tmp_path / "site"
    (folder / "east").mkdir(parents=True)
    Image.fromarray(picture(rusty=True)).save(folder / "gate.bmp")
    (folder / "gate.png").write_bytes(png(picture(rusty=True)))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "east" / "gate.png").write_bytes(png(picture(rusty=False)))
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    names = result_names([str(p.relative_to(tmp_path)) for p in paths])
    return [
        PhotoFile(str(p.relative_to(tmp_path)), name, sha256(p.read_bytes()), p)
        for p, name in zip(paths, names, strict=True)
    ]


def test_one_bad_photo_is_its_own_affair(
    photos: list[PhotoFile], results: ResultsFolder, model: rs.Classifier
) -> None:
    found = dict(segment_photos(photos, model, results))
    assert [o.status for o in found.values()] == ["failed", "done", "done", "done"]
    assert "broken.jpg is not an image" in found[photos[0]].error
    rusty = found[photos[2]]
    assert rusty.facts is not None
    assert (rusty.facts["area"], rusty.facts["corroded"]) == (0.25, True)
    assert rusty.facts["uncertainty"]["doubt"] == rusty.doubt
    small = Image.open(io.BytesIO(results.thumbnail(photos[2])))
    assert (small.format, small.size) == ("WEBP", (128, 96))  # nothing is enlarged
    kept = {p.name for p in results.folder.iterdir()}
    assert {n.partition(".")[2] for n in kept} == {
        "mask.png", "overlay.jpg", "thumbnail.webp", "found.json",
    }  # fmt: skip
    assert not any(n.startswith(".") for n in kept)  # nothing half written


def test_what_is_kept_is_not_done_again_and_says_the_same(
    photos: list[PhotoFile],
    results: ResultsFolder,
    model: rs.Classifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = [o.row() for _, o in segment_photos(photos, model, results)]
    monkeypatch.setattr(module, "segment", lambda *_: pytest.fail("computed again"))
    turns: list[str] = []

    @contextmanager
    def turn() -> Iterator[None]:
        turns.append("turn")
        yield

    again = [o.row() for _, o in segment_photos(photos, model, results, turn=turn)]
    assert again == first
    assert turns == []
    results.forget(photos[0])
    assert results.outcome(photos[0]) is None
    assert next(segment_photos(photos, model, results, turn=turn))[1].failed
    assert turns == ["turn"]


def test_stopping_keeps_what_is_done(
    photos: list[PhotoFile], results: ResultsFolder, model: rs.Classifier
) -> None:
    work = segment_photos(photos, model, results)
    next(work)
    work.close()
    assert [results.outcome(p) is not None for p in photos] == [True, False, False, False]


def test_results_of_other_weights_or_settings_do_not_count(
    photos: list[PhotoFile], results: ResultsFolder, model: rs.Classifier
) -> None:
    list(segment_photos(photos[:1], model, results))
    other = replace(results, model={**results.model, "digest": "0" * 64})
    assert other.outcome(photos[0]) is None
    strict = replace(results, config=rs.Config(decision_threshold=0.9))
    assert strict.outcome(photos[0]) is None
    assert replace(results).outcome(photos[0]) is not None


def test_a_photo_that_is_gone_fails_in_words(
    photos: list[PhotoFile], results: ResultsFolder, model: rs.Classifier
) -> None:
    photos[1].path.unlink()
    [(_, outcome)] = segment_photos(photos[1:2], model, results)
    assert outcome.error.endswith("is no longer on the server; upload it again")


def test_a_bug_costs_one_photo_and_shows_a_number(
    photos: list[PhotoFile],
    results: ResultsFolder,
    model: rs.Classifier,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(module, "segment", broken)
    with caplog.at_level(logging.ERROR):
        [(_, outcome)] = segment_photos(photos[1:2], model, results)
    assert "secret" not in outcome.error
    assert "secret detail" in caplog.text
    number = outcome.error.split("number ")[1][:8]
    assert number in caplog.text


def test_the_zip_holds_what_the_command_line_writes(
    photos: list[PhotoFile],
    results: ResultsFolder,
    model: rs.Classifier,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rustseg_jax.runtime.enable_compilation_cache", lambda: None)
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    assert main(["segment", "site", "--out", str(out), "--model", str(weights)]) == 1
    list(segment_photos(photos, model, results))
    file = io.BytesIO()
    assert write_zip(file, photos, results) is True
    archive = zipfile.ZipFile(file)
    assert archive.testzip() is None
    written = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert set(archive.namelist()) == set(written)
    for name in written:
        if name.endswith(".png"):
            assert archive.read(name) == written[name], name

    def rows(data: bytes) -> list[dict[str, str]]:
        return sorted(csv.DictReader(io.StringIO(data.decode())), key=lambda row: row["photo"])

    assert rows(archive.read("summary.csv")) == rows(written["summary.csv"])
    for name in ("gate.json", "gate-2.json", "east/gate.json"):
        ours, theirs = json.loads(archive.read(name)), json.loads(written[name])
        same = set(theirs) - {"photo", "timings", "uncertainty", "verdict", "grades"}
        assert {k: ours[k] for k in same} == {k: theirs[k] for k in same}
        assert ours["photo"]["sha256"] == theirs["photo"]["sha256"]
        assert ours["uncertainty"]["level"] == 0.9  # the page measures it, too


def test_large_overlays_go_in_at_the_size_of_a_screen(
    photos: list[PhotoFile],
    results: ResultsFolder,
    model: rs.Classifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    list(segment_photos(photos[:3], model, results))
    monkeypatch.setattr(module, "FULL_PIXELS", 2 * 96 * 128 - 1)
    photos[2].path.unlink()  # is not needed
    file = io.BytesIO()
    assert write_zip(file, photos, results) is False
    archive = zipfile.ZipFile(file)
    assert set(archive.namelist()) == {
        "summary.csv", "gate.mask.png", "gate.overlay.jpg", "gate.json",
        "east/gate.mask.png", "east/gate.overlay.jpg", "east/gate.json",
    }  # fmt: skip
    drawn = np.asarray(Image.open(io.BytesIO(archive.read("gate.overlay.jpg"))))
    assert drawn.shape == (96, 128, 3)


def test_all_bad_is_a_zip_with_their_reasons(
    photos: list[PhotoFile], results: ResultsFolder, model: rs.Classifier
) -> None:
    list(segment_photos(photos[:1], model, results))
    file = io.BytesIO()
    write_zip(file, photos, results)
    archive = zipfile.ZipFile(file)
    assert archive.namelist() == ["summary.csv"]
    assert b"is not an image" in archive.read("summary.csv")


def test_only_one_photo_at_a_time_is_in_memory(
    photos: list[PhotoFile],
    results: ResultsFolder,
    model: rs.Classifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A photo is read when its turn comes, and its overlay is drawn in a turn of its own."""
    events: list[str] = []
    real = PhotoFile.read

    def read(photo: PhotoFile) -> bytes:
        events.append(photo.files)
        return real(photo)

    def turn() -> Callable[[], None]:
        @contextmanager
        def one() -> Iterator[None]:
            events.append("(")
            yield
            events.append(")")

        return one()

    monkeypatch.setattr(PhotoFile, "read", read)
    list(segment_photos(photos, model, results, turn=turn))
    assert "".join(f"{e} " for e in events) == ("( broken ) ( east/gate ) ( gate ) ( gate-2 ) ")
    events.clear()
    write_zip(io.BytesIO(), photos, results, turn=turn)
    assert "".join(f"{e} " for e in events) == "( east/gate ) ( gate ) ( gate-2 ) "
