from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from labels_made import SHAPE, box, new_store, nonce, photo_bytes, result, save

from rustseg_jax.cli import main
from rustseg_jax.labels import (
    EXPORT_FORMATS,
    Store,
    count_labels,
    count_states,
    list_corrections,
    verify_labels,
)
from rustseg_jax.labels.exchange import export
from rustseg_jax.manifest import load_manifest, read_mask

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path, monkeypatch):
    store = new_store(tmp_path)
    monkeypatch.setenv("RUSTSEG_LABELS", str(store.folder))
    for k in range(2):
        photo = store.add_photo(photo_bytes(k), origin=f"{k}.png")
        shown = store.add_prediction(photo, result())
        made = save(store, photo, mask=box(0, 0, k + 1, 2), prediction=shown.id, seconds=10 + k,
                    reasons=["soil"], wrong_reason=True)  # fmt: skip
    store.review(made.id, "approve", nonce=nonce(), who="eve")
    return store


def labels(*words: object) -> int:
    return main(["labels", *map(str, words)])


def test_every_export_format_has_a_writer() -> None:
    assert tuple(export._WRITERS) == EXPORT_FORMATS


def test_import_export_and_what_evaluate_reads(tmp_path, capsys):
    samples = ROOT / "data/samples"
    place = tmp_path / "new/labels"
    words = ["import", "--data", samples, "--expert", "Ada", "--labels", place]
    assert labels(*words) == 0
    captured = capsys.readouterr()
    assert "new             10" in captured.out
    assert "photo" in captured.err  # the progress bar
    assert labels(*words, "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["added"], done["known"], done["failed"]) == (0, 10, {})
    assert labels("export", "--labels", place, "--out", tmp_path / "out") == 0
    theirs = {r.scene: r for r in load_manifest(samples)}
    for record in load_manifest(tmp_path / "out"):
        twin = theirs[record.scene]
        assert (record.label, record.source, record.split) == (twin.label, twin.source, twin.split)
        assert record.image.read_bytes() == twin.image.read_bytes()
        if twin.mask is not None:
            from rustseg_jax import images

            shape = images.read(twin.image).shape[:2]
            for ours, wanted in zip(read_mask(record, shape), read_mask(twin, shape), strict=True):
                assert (ours == wanted).all()


def test_a_part_of_an_import_that_fails(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/manifest.csv").write_text(
        "image,label,source,scene,split,mask\na.png,1,,,,\nb.png,1,,,,\n"
    )
    (tmp_path / "in/a.png").write_bytes(photo_bytes())
    (tmp_path / "in/b.png").write_bytes(b"no picture")
    words = ["import", "--data", tmp_path / "in", "--expert", "Ada", "--labels", tmp_path / "l"]
    assert labels(*words) == 1
    captured = capsys.readouterr()
    assert "rustseg: skipped b.png: " in captured.err
    assert "is not an image" in captured.err


def test_import_with_predictions(tmp_path, weights, capsys):
    from hand_made import picture
    from PIL import Image

    (tmp_path / "in").mkdir()
    Image.fromarray(picture(rusty=True)).save(tmp_path / "in/a.png")
    (tmp_path / "in/manifest.csv").write_text(
        "image,label,source,scene,split,mask\na.png,1,s,a,x,\n"
    )
    words = ["import", "--data", tmp_path / "in", "--expert", "Ada", "--labels", tmp_path / "l"]
    assert labels(*words, "--predict", "--model", weights, "--threshold", "0.7",
                  "--threshold-rule", "fixed", "--json") == 0  # fmt: skip
    assert json.loads(capsys.readouterr().out)["predicted"] == 1
    [entry] = list_corrections(Store(tmp_path / "l")).entries
    assert len(entry.model) == 64
    correction = Store(tmp_path / "l").correction(entry.id)
    assert Store(tmp_path / "l").prediction(correction.prediction).threshold == 0.7


def test_stats(store, capsys):
    assert labels("stats", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == count_labels(store)
    states = count_states(store)
    assert states == {
        "photos": found["photos"]["all"],
        "corrected": found["photos"]["corrected"],
        "waiting": found["photos"]["waiting"],
        **found["corrections"]["status"],
    }
    assert (found["photos"]["all"], found["photos"]["corrected"]) == (2, 2)
    assert found["photos"]["bytes"] == sum(len(photo_bytes(k)) for k in range(2))
    assert found["corrections"]["status"] == {
        "open": 1, "approved": 1, "rejected": 0, "flagged": 0, "withdrawn": 0,
    }  # fmt: skip
    assert (found["corrections"]["median_seconds"], found["corrections"]["with_mask"]) == (10.5, 2)
    assert (found["reasons"]["soil"], found["reasons"]["brick"]) == (2, 0)
    assert found["reasons"]["wrong_reason"] == 2
    [expert] = found["experts"]
    assert (expert["who"], expert["corrections"], expert["photos"]) == ("ada", 2, 2)
    assert found["models"] == {"a" * 64: {"predictions": 2, "corrections": 2}}
    assert found["reviews"] == {"approve": 1}
    assert labels("stats") == 0
    assert "ada" in capsys.readouterr().out


def test_stats_of_nothing(tmp_path, capsys):
    new_store(tmp_path)
    assert labels("stats", "--labels", tmp_path / "labels") == 0
    assert "corrections" in capsys.readouterr().out
    assert labels("stats", "--labels", tmp_path / "labels", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["photos"]["all"], found["corrections"]["median_seconds"]) == (0, None)
    assert (found["experts"], found["models"]) == ([], {})


def test_export_choices(store, tmp_path, capsys):
    assert labels("export", "--out", tmp_path / "a", "--approved") == 0
    [record] = load_manifest(tmp_path / "a")
    assert read_mask(record, SHAPE)[0].sum() == 4
    words = ["--out", tmp_path / "b", "--format", "coco", "--expert", "bob", "--json"]
    capsys.readouterr()
    assert labels("export", *words) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["photos"], done["without"], done["format"]) == (0, 2, "coco")
    assert labels("export", "--out", tmp_path / "c", "--consensus") == 0
    assert load_manifest(tmp_path / "c") == ()
    photo = store.add_photo(photo_bytes(5))
    save(store, photo, verdict="can't tell")
    assert labels("export", "--out", tmp_path / "d") == 0
    assert "photos skipped: 1 (a data folder" in capsys.readouterr().err
    assert labels("export", "--out", tmp_path / "d") == 2
    assert "is not empty" in capsys.readouterr().err


def test_verify(store, capsys):
    assert labels("verify", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["good"], found["problems"], found["orphans"]) == (True, [], [])
    photo = store.add_photo(photo_bytes(0))
    path = store.photo_path(photo)
    path.with_name("x.tmp").write_bytes(b"half")
    path.write_bytes(bytes(photo.bytes))
    assert labels("verify") == 1
    captured = capsys.readouterr()
    assert "rustseg: photo: photo " in captured.err
    assert f"not in the database: photos/{photo.sha256[:2]}/x.tmp" in captured.out
    assert labels("verify", "--quick") == 0
    store.database.path.write_bytes(store.database.path.read_bytes()[:5000])
    capsys.readouterr()
    assert labels("verify", "--json") == 1
    assert json.loads(capsys.readouterr().out)["problems"]


def test_agreement_consensus_and_blame(store, capsys):
    photo = store.add_photo(photo_bytes(0))
    for part in ("agreement", "blame"):
        assert labels(part) == 0
    assert "Fleiss' kappa: pixels -" in capsys.readouterr().out
    save(store, photo, "bob", mask=box(0, 0, 4, 4))
    save(store, photo, "ada", mask=box(0, 0, 3, 2))  # she was shown it again
    assert labels("agreement") == 0
    text = capsys.readouterr().out
    assert "Photos corrected by two or more experts: 1" in text
    assert "ada and bob" in text
    assert labels("agreement", "--json") == 0
    assert json.loads(capsys.readouterr().out)["selves"]["ada"]["repeats"] == 1
    assert labels("consensus", "--who", "Eve", "--json") == 0
    made = json.loads(capsys.readouterr().out)["made"]
    assert list(made) == [photo.sha256]
    assert store.correction(made[photo.sha256]).kind == "consensus"
    words = ["--who", "Eve", "--method", "staple", "--photo", "0" * 64, photo.sha256]
    assert labels("consensus", *words) == 1
    assert "skipped photo 0000" in capsys.readouterr().err
    assert labels("blame", "--json") == 0
    assert json.loads(capsys.readouterr().out)["all"]["n"] == 2
    assert labels("blame") == 0
    assert "largest loss" in capsys.readouterr().out


def test_backup_and_merge(store, tmp_path, capsys):
    assert labels("backup", "--out", tmp_path / "b", "--copy", "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["photos"], done["linked"]) == (2, 0)
    assert verify_labels(Store(tmp_path / "b", create=False)).good
    other = new_store(tmp_path / "site")
    save(other, other.add_photo(photo_bytes(7)))
    broken = other.add_photo(photo_bytes(8))
    words = ["merge", "--labels", tmp_path / "all", "--data", store.folder, other.folder]
    other.photo_path(broken).write_bytes(b"damaged")
    assert labels(*words, "--json") == 1
    captured = capsys.readouterr()
    merged = json.loads(captured.out)["merged"]
    assert merged[str(store.folder)]["added"]["corrections"] == 2
    assert merged[str(other.folder)]["added"]["photos"] == 1
    assert "was changed after it was stored" in captured.err
    other.add_photo(photo_bytes(8))
    assert labels(*words) == 0
    assert "photos" in capsys.readouterr().out
    assert len(list_corrections(Store(tmp_path / "all")).entries) == 3


def test_erase(store, tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(photo_bytes(0))
    by = ["--who", "Ada", "--reason", "asked"]
    assert labels("erase", tmp_path / "a.png", *by) == 0
    assert "backups" in capsys.readouterr().err
    digest = store.find_photo(store.add_photo(photo_bytes(1)).sha256).sha256
    assert labels("erase", digest, *by, "--json") == 0
    assert json.loads(capsys.readouterr().out)["removed"]["corrections"] == 1
    assert labels("stats", "--json") == 0
    assert json.loads(capsys.readouterr().out)["photos"]["erased"] == 2
    assert labels("erase", "0" * 64, *by) == 2


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fix"],
        ["import", "--data", "x"],
        ["export", "--out", "x", "--format", "yolo"],
        ["stats"],
        ["verify"],
        ["export", "--out", "x"],
        ["backup", "--out", "x"],
        ["import", "--data", "missing", "--expert", "Ada"],
    ],
)
def test_misuse(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUSTSEG_LABELS", str(tmp_path / "typo"))
    assert labels(*words) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not list(tmp_path.iterdir())  # nothing was made


def test_nothing_slow_is_loaded(store):
    """JAX or pandas would cost each of these commands a second."""
    code = (
        "import sys\nfrom rustseg_jax.cli import main\n"
        "assert main(['labels', 'verify', '--json']) == 0\n"
        "assert main(['labels', 'stats', '--json']) == 0\n"
        "print([m for m in ('jax', 'pandas', 'skimage', 'streamlit') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
