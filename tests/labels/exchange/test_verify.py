from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest
from labels_made import box, new_store, nonce, photo_bytes, result, save, some_mask

from rustseg_jax.labels import Store, verify_labels


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Three photos with predictions, corrections, a consensus, reviews; one erased."""
    store = new_store(tmp_path_factory.mktemp("model"))
    photos = [store.add_photo(photo_bytes(k)) for k in range(3)]
    for k, photo in enumerate(photos):
        prediction = store.add_prediction(photo, result(rough=some_mask(k), mask=some_mask(k)))
        mine = save(store, photo, mask=box(0, 0, 5, 5), ignore=box(5, 5, 9, 9),
                    prediction=prediction.id, reasons=["brick"])  # fmt: skip
        save(store, photo, who="bob", parent=mine.id, verdict="none", mask=box(0, 0, 0, 0))
        save(store, photo, kind="consensus", method="majority", sources=[mine.id])
        store.review(mine.id, "approve", nonce=nonce(), who="eve")
    store.withdraw(mine.id, nonce=nonce(), who="ada")
    store.erase(store.add_photo(photo_bytes(9)), who="ada", reason="asked")
    return store.folder


@pytest.fixture
def store(model, tmp_path):
    return Store(shutil.copytree(model, tmp_path / "labels"))


def by_hand(store: Store, *statements: str) -> None:
    """What no program of ours would do."""
    with closing(sqlite3.connect(store.database.path)) as conn:
        conn.execute("PRAGMA foreign_keys = OFF")
        kept = conn.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in kept:
            conn.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            conn.execute(statement)
        for _, sql in kept:
            conn.execute(sql)
        conn.commit()


def test_all_is_good(store):
    told = []
    found = verify_labels(store, progress=lambda *at: told.append(at))
    assert found.good, found.problems
    assert not found.orphans
    assert found.counts == {"photos": 3, "predictions": 3, "corrections": 9, "reviews": 3,
                            "withdrawals": 1, "erasures": 1}  # fmt: skip
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_photos(store):
    rows = [p for p in (store.find_photo(e) for e in _photos(store)) if p]
    gone, short, other = (store.photo_path(p) for p in rows)
    gone.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    other.write_bytes(bytes([other.read_bytes()[0] ^ 1]) + other.read_bytes()[1:])
    found = verify_labels(store)
    messages = {p.what.removeprefix("photo "): p.message for p in found.problems}
    assert {p.kind for p in found.problems} == {"photo"}
    assert "is missing" in messages[gone.name]
    assert "instead of " + str(rows[1].bytes) in messages[short.name]
    assert "was changed" in messages[other.name]
    assert len(verify_labels(store, quick=True).problems) == 2
    for k in range(3):  # adding the photo again repairs each
        store.add_photo(photo_bytes(k))
    assert verify_labels(store).good


def _photos(store: Store) -> list[str]:
    with store.database.reading() as conn:
        return [row[0] for row in conn.execute("SELECT sha256 FROM photos ORDER BY sha256")]


def test_orphans_are_listed_and_no_problem(store):
    folder = store.photo_path("ab" + "0" * 62).parent
    folder.mkdir(exist_ok=True)
    (folder / ("ab" + "0" * 62)).write_bytes(b"x")
    digest = _photos(store)[0]
    (store.photo_path(digest).parent / f"{digest}.123.tmp").write_bytes(b"half")
    shutil.copy(store.photo_path(digest), store.folder / "photos" / digest)  # in a wrong place
    found = verify_labels(store)
    assert found.good
    assert set(found.orphans) == {
        "photos/ab/ab" + "0" * 62, f"photos/{digest[:2]}/{digest}.123.tmp", f"photos/{digest}",
    }  # fmt: skip


def test_a_file_of_an_erased_photo_is_a_problem(store):
    with store.database.reading() as conn:
        digest = conn.execute("SELECT photo FROM erasures").fetchone()[0]
    place = store.photo_path(digest)
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(photo_bytes(9))
    [problem] = verify_labels(store).problems
    assert (problem.kind, problem.what) == ("erasure", digest)
    store.erase(digest, who="ada", reason="again")  # finishes what was interrupted
    assert verify_labels(store).good


@pytest.mark.parametrize(
    ("statement", "kind", "message"),
    [
        ("UPDATE corrections SET mask = '5' WHERE who = 'bob'", "mask", "cover 5 pixels"),
        ("UPDATE corrections SET ignore = '!' WHERE ignored > 0", "mask", "not COCO"),
        ("UPDATE corrections SET area = 3 WHERE who = 'ada' AND area = 25", "mask", "its row says"),
        ("UPDATE corrections SET ignore = mask, ignored = area WHERE ignored > 0", "mask",
         "overlap"),
        ("UPDATE predictions SET rough = '5'", "mask", "cover 5"),
        ("UPDATE predictions SET heat = x'00'", "heat map", "cannot be decoded"),
        ("UPDATE predictions SET heat_rows = 3", "heat map", "instead of 3 x 28"),
        ("UPDATE corrections SET sources = '[\"x\"]' WHERE kind = 'consensus'", "reference",
         "refers to the missing source x"),
        ("UPDATE corrections SET prediction = 'x' WHERE who = 'ada'", "database",
         "refers to missing predictions"),
        ("DELETE FROM standing", "read model", "lacks rows"),
        ("UPDATE queue SET experts = 7", "read model", "has extra rows"),
        ("DELETE FROM tagged", "read model", "lacks rows"),
        ("DROP INDEX standing_who", "schema", "by hand"),
        ("CREATE TABLE mine (x)", "schema", "was added"),
        ("INSERT INTO erasures SELECT substr(sha256, 1, 36), sha256, sha256, 'x', '{}', 'x', 0, "
         "'', added FROM photos LIMIT 1", "erasure", "was erased, but is still"),
    ],
)  # fmt: skip
def test_what_somebody_changed_by_hand_is_found(store, statement, kind, message):
    # CHECKs are switched off, too.
    by_hand(store, "PRAGMA ignore_check_constraints = ON", statement)
    found = verify_labels(store)
    assert any(p.kind == kind and message in p.message for p in found.problems), found.problems


def test_a_dropped_guard_is_found(store):
    with closing(sqlite3.connect(store.database.path)) as conn:
        conn.execute("DROP TRIGGER corrections_never_change")
        conn.commit()
    [problem] = verify_labels(store).problems
    assert (problem.kind, problem.what) == ("schema", "corrections_never_change")


def test_a_damaged_page_is_found(store):
    with store.database.writing() as conn:
        page = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'standing_who'")
        number = page.fetchone()[0]
    data = bytearray(store.database.path.read_bytes())
    data[4096 * (number - 1) + 3 : 4096 * (number - 1) + 5] = b"\xff\xff"  # cells of the page
    store.database.path.write_bytes(data)
    found = verify_labels(store)
    assert {p.kind for p in found.problems} == {"database"}
    assert "restore a backup" in found.problems[0].message
