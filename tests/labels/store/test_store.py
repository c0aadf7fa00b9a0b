from __future__ import annotations

import errno
import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hand_made import picture, red_model
from labels_made import (
    LATER_STEP,
    SHAPE,
    box,
    new_store,
    nonce,
    photo_bytes,
    result,
    save,
    snapshot,
    some_mask,
)
from PIL import Image, ImageCms

from rustseg_jax import ConfigError, ImageError, LabelsError, images
from rustseg_jax.drawing.encode import png
from rustseg_jax.labels.errors import (
    ConflictError,
    ErasedError,
    ForeignError,
    FullError,
    LockedError,
    MissingError,
    NewerError,
)
from rustseg_jax.labels.queries.listing import history
from rustseg_jax.labels.records import REASONS
from rustseg_jax.labels.store import Store, database, files, labels_folder
from rustseg_jax.labels.store.drafts import CorrectionDraft, PredictionDraft
from rustseg_jax.labels.store.exif import strip
from rustseg_jax.pipeline import segment

RECORDS = ("photos", "predictions", "corrections", "reviews", "withdrawals", "erasures")


@pytest.fixture
def store(tmp_path):
    return new_store(tmp_path)


def rows(store: Store, table: str) -> int:
    with store.database.reading() as conn:
        return conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


# Photos


def test_a_photo_lies_under_its_hash(store):
    data = photo_bytes()
    photo = store.add_photo(data, origin="gate.png", licence="CC0", consent="given")
    digest = images.sha256(data)
    assert (photo.sha256, photo.original, photo.bytes) == (digest, digest, len(data))
    assert (photo.height, photo.width, photo.kind) == (*SHAPE, "png")
    assert store.photo_path(photo) == store.folder / "photos" / digest[:2] / digest
    assert store.photo_path(photo).read_bytes() == data
    assert store.find_photo(digest) == store.photo(digest) == photo
    assert store.find_photo("0" * 64) is None


def test_the_same_photo_again_is_the_same_row_and_mends_its_file(store, tmp_path):
    data = photo_bytes()
    first = store.add_photo(data, origin="a.png")
    store.photo_path(first).write_bytes(b"damaged")
    (tmp_path / "b.png").write_bytes(data)
    assert store.add_photo(tmp_path / "b.png") == first
    assert store.photo_path(first).read_bytes() == data
    store.photo_path(first).unlink()
    assert store.add_photo(data) == first
    assert store.photo_path(first).read_bytes() == data
    assert rows(store, "photos") == 1


def test_a_turned_photo_has_its_upright_size(store):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    photo = store.add_photo(photo_bytes(format="JPEG", exif=exif))
    assert (photo.height, photo.width) == (SHAPE[1], SHAPE[0])


def test_what_is_no_photo_is_refused_and_leaves_nothing(store, tmp_path):
    for wrong in (b"no picture", tmp_path / "missing.png"):
        with pytest.raises(ImageError):
            store.add_photo(wrong)
    for wrong in ({"consent": "maybe"}, {"exif": "some"}):
        with pytest.raises(ConfigError, match="must be "):
            store.add_photo(photo_bytes(), **wrong)
    assert not list(files.stored(store.folder))


def secretive_jpeg(orientation: int = 6) -> bytes:
    """A JPEG with place, maker, comment, XMP, a colour profile and a second picture."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRETMAKER"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[29] = "SECRETDATE"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = photo_bytes(
        format="JPEG", quality=80, exif=exif, comment=b"SECRETCOMMENT", xmp=b"<x>SECRETXMP</x>",
        progressive=True, icc_profile=profile,
    )  # fmt: skip
    return data + photo_bytes(1, format="JPEG", comment=b"SECRETPREVIEW")


def test_stripping_keeps_the_pixels_and_nothing_else(store):
    data = secretive_jpeg()
    lean = strip(data)
    assert b"SECRET" in data
    assert b"SECRET" not in lean
    np.testing.assert_array_equal(images.read(lean), images.read(data))
    with Image.open(io.BytesIO(lean)) as image:
        assert image.format == "JPEG"
        assert dict(image.getexif()) == {0x0112: 6}
        assert "icc_profile" in image.info
    assert strip(lean) == lean
    assert len(lean) < 0.7 * len(data)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_other_kinds_become_a_png_of_their_pixels(format):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 3, "SECRETMAKER"
    data = photo_bytes(format=format, exif=exif)
    lean = strip(data)
    assert b"SECRET" not in lean
    assert lean.startswith(b"\x89PNG")
    np.testing.assert_array_equal(images.read(lean), images.read(data))
    assert strip(lean) == lean


def test_a_stripped_photo_is_found_by_either_hash(store):
    data = secretive_jpeg()
    photo = store.add_photo(data, exif="stripped")
    assert photo.exif == "stripped"
    assert photo.original == images.sha256(data) != photo.sha256
    assert b"SECRET" not in store.photo_path(photo).read_bytes()
    assert store.add_photo(data) == store.add_photo(strip(data)) == photo
    assert store.find_photo(photo.original) == photo
    store.erase(photo, who="ada", reason="asked")
    for again in (data, strip(data)):
        with pytest.raises(ErasedError):
            store.add_photo(again)


# Predictions


def test_a_prediction_comes_back_exact(store):
    photo = store.add_photo(photo_bytes())
    heat = np.random.default_rng(3).random((28, 28), np.float32)
    said = result(heat=heat, rough=some_mask(1), mask=some_mask(2), threshold=0.37)
    made = store.add_prediction(photo, said, uncertainty=0.25)
    for found in (made, store.prediction(made.id)):
        np.testing.assert_array_equal(found.heat, heat)
        assert found.heat.dtype == np.float32
        np.testing.assert_array_equal(found.rough.decode(), some_mask(1))
        np.testing.assert_array_equal(found.mask.decode(), some_mask(2))
        assert (found.probability, found.threshold, found.corroded) == (0.9, 0.37, True)
        assert (found.uncertainty, found.model) == (0.25, "a" * 64)
        assert found.config["decision_threshold"] == said.config.decision_threshold
    assert store.add_prediction(photo, said).id == made.id  # same photo, weights, configuration
    assert store.add_prediction(photo, result(digest="b" * 64)).id != made.id
    nameless = {store.add_prediction(photo, result(digest="")).id for _ in range(2)}
    assert len(nameless) == 2


def test_a_result_is_kept_as_what_is_drafted_of_it(store):
    pixels = picture(rusty=True)
    seg = segment(pixels, red_model())
    photo = store.add_photo(png(pixels))
    made, drafted = (store.add_prediction(photo, given) for given in (seg, PredictionDraft.of(seg)))
    np.testing.assert_array_equal(made.rough.decode(), seg.rough)
    np.testing.assert_array_equal(made.mask.decode(), seg.mask)
    np.testing.assert_array_equal(made.heat, seg.heat)
    assert seg.mask.any()
    assert made.config == json.loads(json.dumps(asdict(seg.config)))
    for name in ("model", "probability", "corroded", "threshold", "reason", "config"):
        assert getattr(made, name) == getattr(drafted, name)
    assert (made.model, made.probability) == (seg.model["digest"], seg.probability)
    assert (made.corroded, made.threshold) == (seg.corroded, seg.threshold)


def test_a_prediction_of_another_size_is_refused(store):
    photo = store.add_photo(photo_bytes())
    with pytest.raises(ConfigError, match="40 x 40"):
        store.add_prediction(photo, result(shape=(40, 40)))


# Corrections


def test_a_correction_comes_back_exact(store):
    photo = store.add_photo(photo_bytes())
    prediction = store.add_prediction(photo, result())
    mask, ignore = some_mask(4), some_mask(5)
    ignore &= ~mask
    said = {
        "mask": mask, "ignore": ignore, "prediction": prediction.id, "reasons": ["soil", "brick"],
        "strokes": [{"tool": "brush", "points": [[1, 2.5]]}], "wrong_reason": True,
        "note": " stain below the bolt ", "confidence": 0.5, "seconds": 12.25, "verified": True,
    }  # fmt: skip
    made = save(store, photo, **said)
    for found in (made, store.correction(made.id)):
        np.testing.assert_array_equal(found.mask.decode(), mask)
        np.testing.assert_array_equal(found.ignore.decode(), ignore)
        assert (found.area, found.ignored) == (mask.sum(), ignore.sum())
        assert found.reasons == ("brick", "soil")  # as REASONS has them
        assert found.strokes == said["strokes"]
        assert (found.note, found.confidence, found.seconds) == ("stain below the bolt", 0.5, 12.25)
        assert (found.who, found.verified, found.wrong_reason) == ("ada", True, True)
    child = save(store, photo, parent=made.id, verdict="can't tell")
    assert (child.parent, child.prediction) == (made.id, prediction.id)
    assert child.mask is child.ignore is child.area is None
    assert [c.id for c in history(store, photo).corrections] == [made.id, child.id]


def test_a_draft_is_saved_as_its_attributes_by_name_are(store):
    photo = store.add_photo(photo_bytes())
    said = {"nonce": nonce(), "who": "ada", "verdict": "corrosion", "mask": some_mask(1)}
    first = store.save_correction(photo, **said)
    assert store.save_draft(photo, CorrectionDraft(**said)).id == first.id
    assert rows(store, "corrections") == 1
    with pytest.raises(TypeError, match="masc"):
        store.save_correction(photo, **said, masc=some_mask(1))
    with pytest.raises(TypeError, match="verdict"):
        store.save_correction(photo, nonce=nonce(), who="ada")


def test_saving_again_gives_the_same_row_and_never_another(store):
    photo = store.add_photo(photo_bytes())
    once = nonce()
    first = save(store, photo, nonce=once, mask=some_mask(1), seconds=5)
    again = save(store, photo, nonce=once, mask=some_mask(1), seconds=65)
    assert (again.id, again.made, again.seconds) == (first.id, first.made, 5)
    for other in ({"mask": some_mask(2)}, {"mask": some_mask(1), "who": "bob"}):
        with pytest.raises(ConflictError, match="a new nonce"):
            save(store, photo, nonce=once, seconds=5, **other)
    assert rows(store, "corrections") == 1
    for act in (store.review, store.withdraw):
        extra = ("approve",) if act == store.review else ()
        key = nonce()
        assert act(first.id, *extra, nonce=key, who="eve") == act(
            first.id, *extra, nonce=key, who="eve"
        )
        with pytest.raises(ConflictError):
            act(first.id, *extra, nonce=key, who="mallory")
    assert rows(store, "reviews") == rows(store, "withdrawals") == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"verdict": "maybe"}, "verdict is 'maybe'"),
        ({"reasons": ["rust"]}, "reason is 'rust'"),
        ({"mask": np.zeros((5, 5), bool)}, "mask has 5 x 5 pixels, its photo has 30 x 20"),
        ({"mask": np.zeros(SHAPE)}, "mask is float64"),
        ({"mask": box(0, 0, 2, 2), "ignore": box(1, 1, 3, 3)}, "both mark 1 pixels"),
        ({"verdict": "none", "mask": box(0, 0, 2, 2)}, "marks 4 pixels"),
        ({"confidence": 2.0}, "confidence is 2.0"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"nonce": "short"}, "nonce has 5 characters"),
        ({"who": "  "}, "who has 0 characters"),
        ({"note": "a\0b"}, "NUL"),
        ({"strokes": [np.zeros(2)]}, "strokes cannot be written as JSON"),
        ({"strokes": [float("inf")]}, "strokes cannot be written as JSON"),
        ({"kind": "guess"}, "kind is 'guess'"),
    ],
)
def test_what_contradicts_itself_is_refused(store, wrong, message):
    photo = store.add_photo(photo_bytes())
    with pytest.raises(ConfigError, match=message):
        save(store, photo, **wrong)
    assert rows(store, "corrections") == 0


def test_everything_belongs_to_one_photo(store):
    one, two = store.add_photo(photo_bytes(1)), store.add_photo(photo_bytes(2))
    prediction = store.add_prediction(one, result())
    parent = save(store, one)
    for wrong in ({"prediction": prediction.id}, {"parent": parent.id}):
        with pytest.raises(MissingError, match="another photo"):
            save(store, two, **wrong)
    consensus = {"kind": "consensus", "method": "majority"}
    with pytest.raises(MissingError, match="another photo"):
        save(store, two, sources=[parent.id], **consensus)
    for wrong in ({"prediction": nonce()}, {"parent": nonce()}):
        with pytest.raises(MissingError, match=r"row .* not found"):
            save(store, one, **wrong)
    # The database itself refuses what gets past the checks, too.
    with pytest.raises(sqlite3.IntegrityError), store.database.writing() as conn:
        conn.execute(
            "INSERT INTO reviews SELECT ?, id, ?, ?, 'flag', '', 'x', 0, '', made FROM corrections",
            (nonce(), two.sha256, nonce()),
        )


# Append-only


@pytest.fixture
def full(store):
    """A row in every table."""
    gone = store.add_photo(photo_bytes(7))
    store.erase(gone, who="ada", reason="asked")
    photo = store.add_photo(photo_bytes(8))
    store.add_prediction(photo, result())
    made = save(store, photo, mask=some_mask())
    store.review(made.id, "approve", nonce=nonce(), who="bob")
    store.withdraw(made.id, nonce=nonce(), who="ada")
    return store


@pytest.mark.parametrize("table", RECORDS)
def test_no_record_is_changed_deleted_or_replaced(full, table):
    key = "sha256" if table == "photos" else "id"
    for sql in (
        f"UPDATE {table} SET {key} = {key}",
        f"DELETE FROM {table}",
        f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        f"INSERT OR IGNORE INTO {table} SELECT * FROM {table}",
    ):
        # As another program would: no pragma of ours is set.
        conn = sqlite3.connect(full.database.path, isolation_level=None)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            conn.execute(sql)
        conn.close()
        assert rows(full, table) == 1


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("photos", "sha256 = 'x'"),
        ("photos", "width = 0"),
        ("photos", "added = '2026-01-01 00:00:00'"),
        ("predictions", "probability = 1.5"),
        ("predictions", "config = 'no json'"),
        ("corrections", "verdict = 'perhaps'"),
        ("corrections", "area = NULL"),
        ("corrections", "who = ' '"),
        ("corrections", "reasons = '{}'"),
        ("corrections", "verdict = 'none'"),  # it has a mask
        ("reviews", "action = 'comment'"),  # it has no words
        ("withdrawals", "made = 'yesterday'"),
        ("predictions", "corroded = 'yes'"),  # STRICT
    ],
)
def test_the_database_checks_values_itself(full, table, change):
    name, value = change.split(" = ")
    with full.database.reading() as conn:
        names = [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]
    fresh = {"id": f"'{nonce()}'", "nonce": f"'{nonce()}'", "sha256": f"'{'c' * 64}'"}
    columns = ", ".join(value if n == name else fresh.get(n, n) for n in names)
    with pytest.raises(sqlite3.IntegrityError), full.database.writing() as conn:
        conn.execute(f"INSERT INTO {table} SELECT {columns} FROM {table}")


def test_erasing_leaves_a_tombstone_and_nothing_else(full):
    photo = full.add_photo(photo_bytes(8))
    other = full.add_photo(photo_bytes(9))
    kept = save(full, other, reasons=["brick"])
    save(full, photo, reasons=["brick"], note="SECRETNOTE")
    path = full.photo_path(photo)
    gone = full.erase(photo, who="ada", reason="the owner asked", verified=True)
    assert gone.removed == {"corrections": 2, "predictions": 1, "reviews": 1, "withdrawals": 1}
    assert (gone.photo, gone.reason, gone.who) == (photo.sha256, "the owner asked", "ada")
    assert not path.exists()
    for table in ("predictions", "reviews", "withdrawals"):
        assert rows(full, table) == 0
    for table in ("photos", "corrections", "standing", "tagged", "queue"):
        assert rows(full, table) == 1, table
    assert full.correction(kept.id).id == kept.id
    # Not even in the file's free pages or the log.
    for file in full.folder.glob("labels.sqlite*"):
        assert b"SECRETNOTE" not in file.read_bytes()
    assert full.erase(photo.sha256, who="eve", reason="again") == gone
    for act in (lambda: full.add_photo(photo_bytes(8)), lambda: save(full, photo)):
        with pytest.raises(ErasedError, match="the owner asked"):
            act()
    assert not path.exists()
    with pytest.raises(MissingError):
        full.erase("0" * 64, who="ada", reason="x")


def test_a_photo_erased_while_it_is_taken_in_leaves_no_file(store, monkeypatch):
    data = photo_bytes()
    photo = store.add_photo(data)
    real = files.put

    def meanwhile(*args):
        real(*args)
        Store(store.folder).erase(photo, who="ada", reason="asked")
        real(*args)

    row = {**vars(photo)}
    monkeypatch.setattr(files, "put", meanwhile)
    with pytest.raises(ErasedError):
        store._take_in(row, data)
    assert not list(files.stored(store.folder))


# Durability


def test_a_photo_is_on_the_disk_before_its_row(store, monkeypatch):
    told = []
    real = {name: getattr(os, name) for name in ("fsync", "open")}
    names = {}

    def opened(path, *args, **options):
        handle = real["open"](path, *args, **options)
        names[handle] = Path(path).name
        return handle

    def synced(handle):
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        told.append(names[handle] if folder else "file")
        real["fsync"](handle)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", synced)
    begin = type(store.database).writing

    def writing(self, **options):
        told.append("row")
        return begin(self, **options)

    monkeypatch.setattr(type(store.database), "writing", writing)
    photo = store.add_photo(photo_bytes())
    folder = photo.sha256[:2]
    # photos/ in the labels folder, ab/ in photos/, the file itself, its name in ab/
    assert told == ["labels", "photos", "file", folder, "row"]


def test_every_commit_is_synced(store):
    with store.database.writing() as conn:
        assert conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert conn.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
        assert conn.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_a_failed_save_leaves_nothing(store):
    photo = store.add_photo(photo_bytes())

    def half() -> None:
        with store.database.writing() as conn:
            conn.execute("DELETE FROM queue")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert rows(store, "queue") == 1
    save(store, photo)


def test_many_threads_open_and_save_at_once(tmp_path):
    place, failed = tmp_path / "labels", []
    start = threading.Barrier(6)

    def work(seed: int) -> None:
        try:
            start.wait()
            store = Store(place)  # all of them make the database
            photo = store.add_photo(photo_bytes(seed % 2))
            for _ in range(5):
                save(store, photo, who=f"expert {seed}")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    store = Store(place)
    assert (rows(store, "photos"), rows(store, "corrections")) == (2, 30)


# What can go wrong


def test_foreign_files_are_never_touched(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/labels.sqlite").write_bytes(b"notes of somebody else, not a database" * 9)
    (tmp_path / "b").mkdir()
    conn = sqlite3.connect(tmp_path / "b/labels.sqlite")
    conn.execute("CREATE TABLE mine (x)")
    conn.commit()
    conn.close()
    before = snapshot(tmp_path)
    for name, message in (("a", "is not an SQLite database"), ("b", "another program")):
        for create in (True, False):
            with pytest.raises(ForeignError, match=message):
                Store(tmp_path / name, create=create)
    assert snapshot(tmp_path) == before


def test_a_newer_schema_is_never_touched(store):
    photo = store.add_photo(photo_bytes())
    with store.database.writing() as conn:
        conn.execute(LATER_STEP)
    before = snapshot(store.folder)
    for create in (True, False):
        with pytest.raises(NewerError, match="newer version"):
            Store(store.folder, create=create)
    with pytest.raises(NewerError):  # one that was open when somebody upgraded
        save(store, photo)
    with pytest.raises(NewerError):
        store.find_photo(photo.sha256)
    assert snapshot(store.folder) == before


def test_a_full_disk_is_said_and_loses_nothing(store, monkeypatch):
    photo = store.add_photo(photo_bytes())
    saved = save(store, photo)
    real = database.Database._open

    def small(self, address):
        conn = real(self, address)
        pages = conn.execute("PRAGMA page_count").fetchone()[0]
        conn.execute(f"PRAGMA max_page_count = {pages}")
        return conn

    monkeypatch.setattr(database.Database, "_open", small)
    with pytest.raises(FullError, match="full, nothing was saved; free some space"):
        save(store, photo, note="x" * 9000, strokes=["y" * 90_000])
    monkeypatch.setattr(database.Database, "_open", real)

    def no_room(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        with pytest.raises(FullError):
            store.add_photo(photo_bytes(1))
    assert [p.name for p in files.stored(store.folder)] == [photo.sha256]
    assert rows(store, "photos") == rows(store, "corrections") == 1
    assert store.correction(saved.id).id == saved.id
    save(store, store.add_photo(photo_bytes(1)))


def test_a_locked_database_is_said(tmp_path):
    store = Store(tmp_path / "labels", busy_seconds=0.05)
    photo = store.add_photo(photo_bytes())
    with sqlite3.connect(store.database.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError, match="locked by another program"):
            save(store, photo)
        assert store.find_photo(photo.sha256) == photo  # reading goes on
        other.execute("COMMIT")
    other.close()
    save(store, photo)


READ_ONLY = """
import os, sys
sys.path[:0] = [{root!r}, {tests!r}]
from labels_made import photo_bytes, save
from rustseg_jax.labels import Store, list_corrections, ReadOnlyError
# All that is imported late, while this may still be read: the project may lie where others may
# not look, as in a new temporary folder.
once = Store({trial!r})
save(once, once.add_photo(photo_bytes(2)))
list_corrections(once)
os.setuid(65534)
store = Store({folder!r})
photo = store.find_photo({digest!r})
assert len(list_corrections(store).entries) == 1
for act in (lambda: save(store, photo), lambda: store.add_photo(photo_bytes(1))):
    try:
        act()
    except ReadOnlyError as error:
        print(error)
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="takes another user's place")
def test_a_folder_that_may_not_be_written_can_still_be_read(tmp_path):
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == 0 and folder.stat().st_mode & 0o055 != 0o055:
            folder.chmod(0o755)
    store = new_store(tmp_path)
    photo = store.add_photo(photo_bytes())
    save(store, photo)
    tests = str(Path(__file__).parents[2])
    root = str(Path(__file__).parents[3])
    trial = str(tmp_path / "trial")
    code = READ_ONLY.format(
        root=root, tests=tests, folder=str(store.folder), digest=photo.sha256, trial=trial
    )  # fmt: skip
    before = snapshot(store.folder)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("is read-only, nothing was saved") == 2
    assert snapshot(store.folder) == before


def test_damage_is_said(store):
    store.add_photo(photo_bytes())
    path = store.database.path
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(LabelsError, match="labels verify"):
        store.add_photo(photo_bytes(1))


def test_a_folder_that_is_not_there_is_only_made_when_asked(tmp_path):
    with pytest.raises(MissingError, match="is not a labels folder"):
        Store(tmp_path / "typo", create=False)
    assert not (tmp_path / "typo").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(MissingError):
        Store(tmp_path / "file")


def test_the_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("RUSTSEG_LABELS", str(tmp_path))
    assert labels_folder() == tmp_path
    monkeypatch.delenv("RUSTSEG_LABELS")
    assert labels_folder().parts[-2:] == ("data", "labels")


def test_reasons_are_those_of_the_instructions():
    assert "run-off stain" in REASONS
    assert len(REASONS) == 10
