from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from labels_made import (
    LATER_STEP,
    OLD,
    new_store,
    nonce,
    photo_bytes,
    restore,
    result,
    save,
    snapshot,
    some_mask,
)

from rustseg_jax import ConfigError
from rustseg_jax.labels import (
    ErasedError,
    MissingError,
    NewerError,
    Store,
    history,
    latest,
    list_corrections,
    merge_labels,
    next_cases,
    verify_labels,
)
from rustseg_jax.labels.exchange import merge

NOTHING = dict.fromkeys(
    ("photos", "predictions", "corrections", "reviews", "withdrawals", "erasures"), 0
)


def site(folder: Path, who: str, seeds: range) -> Store:
    """Photos with predictions, two corrections each, a consensus, reviews and a withdrawal."""
    store = new_store(folder)
    for k in seeds:
        photo = store.add_photo(photo_bytes(k), origin=f"{who}-{k}.png")
        prediction = store.add_prediction(photo, result(probability=0.1 * k, rough=some_mask(k)))
        first = save(store, photo, who=who, mask=some_mask(k), prediction=prediction.id,
                     reasons=["soil"])  # fmt: skip
        second = save(store, photo, who=who, parent=first.id, verdict="none")
        save(store, photo, who=who, kind="consensus", method="m", sources=[first.id, second.id])
        store.review(first.id, "approve", nonce=nonce(), who="eve")
        store.withdraw(second.id, nonce=nonce(), who=who)
    return store


@pytest.fixture
def sites(tmp_path):
    """Two sites that share photo 2."""
    for name in "ab":
        (tmp_path / name).mkdir()
    return site(tmp_path / "a", "ada", range(3)), site(tmp_path / "b", "bob", range(2, 5))


def said(store: Store) -> dict[str, set]:
    with store.database.reading() as conn:
        tables = ("predictions", "corrections", "reviews", "withdrawals", "standing", "tagged")
        return {t: set(conn.execute(f"SELECT * FROM {t}").fetchall()) for t in tables}


def test_two_sites_make_one(sites):
    a, b = sites
    before, mine, theirs = snapshot(b.folder), said(a), said(b)
    found = merge_labels(a, b.folder)
    assert found.added == {**NOTHING, "photos": 2, "predictions": 3, "corrections": 9,
                           "reviews": 3, "withdrawals": 3}  # fmt: skip
    assert (found.conflicts, found.failed) == ((), {})
    assert said(a) == {t: mine[t] | theirs[t] for t in mine}
    assert snapshot(b.folder) == before
    assert verify_labels(a).good
    shared = a.add_photo(photo_bytes(2))
    assert shared.origin == "ada-2.png"
    assert len(history(a, shared).corrections) == 6
    assert next_cases(a, experts=9)[-1].experts == 2
    # Again, and the other way round: nothing new, and both say the same.
    assert merge_labels(a, b.folder).added == NOTHING
    merge_labels(b, a.folder)
    assert said(b) == said(a)


def test_an_interrupted_merge_goes_on(sites, monkeypatch):
    a, b = sites
    real, taken = merge._take_over, []

    def stops(*args):
        if len(taken) == 2:
            raise KeyboardInterrupt
        taken.append(real(*args))
        return taken[-1]

    monkeypatch.setattr(merge, "_take_over", stops)
    with pytest.raises(KeyboardInterrupt):
        merge_labels(a, b.folder)
    assert verify_labels(a).good
    monkeypatch.undo()
    merge_labels(a, b.folder)
    assert len(list_corrections(a, limit=100).entries) == 18


def test_a_child_that_seems_older_than_its_parent(sites):
    """Clocks differ: the parent's time may be later."""
    a, b = sites
    with b.database.writing() as conn:
        conn.execute("PRAGMA defer_foreign_keys = ON")
        row = conn.execute("SELECT * FROM corrections WHERE parent IS NULL LIMIT 1")
        names = [d[0] for d in row.description]
        child = dict(zip(names, row.fetchone(), strict=True))
        child |= {"id": nonce(), "nonce": nonce(), "parent": child["id"],
                  "made": "2001-01-01T00:00:00.000000Z"}  # fmt: skip
        places = ", ".join(f":{n}" for n in names)
        conn.execute(f"INSERT INTO corrections ({', '.join(names)}) VALUES ({places})", child)
    assert merge_labels(a, b.folder).added["corrections"] == 10
    assert a.correction(child["id"]).parent == child["parent"]


def test_an_erasure_counts_everywhere(sites):
    a, b = sites
    digest = latest(b, b.add_photo(photo_bytes(2))).photo
    b.erase(digest, who="bob", reason="the owner asked")
    found = merge_labels(a, b.folder)
    assert found.added["erasures"] == 1
    assert a.find_photo(digest) is None
    assert not a.photo_path(digest).exists()
    with pytest.raises(ErasedError):
        a.add_photo(photo_bytes(2))
    assert verify_labels(a).good
    assert merge_labels(a, b.folder).added == NOTHING
    # Also where the erasing site merges one that still has it.
    c = site(b.folder.parent / "c", "cleo", range(2, 3))
    merge_labels(b, c.folder)
    assert b.find_photo(digest) is None
    assert verify_labels(b).good


def test_the_same_import_made_twice_is_there_once_and_a_contradiction_is_said(sites):
    a, b = sites
    photo = a.add_photo(photo_bytes(2))
    one = save(a, photo, nonce="import-of-2", mask=some_mask(1))
    two = save(b, photo, nonce="import-of-2", mask=some_mask(1))
    assert one.id == two.id
    child = save(b, photo, parent=two.id)
    save(a, photo, nonce="other-words", note="ours")
    save(b, photo, nonce="other-words", note="theirs")
    found = merge_labels(a, b.folder)
    assert a.correction(child.id).parent == one.id
    [conflict] = found.conflicts
    assert "note" in conflict
    with a.database.reading() as conn:
        notes = conn.execute("SELECT note FROM corrections WHERE nonce = 'other-words'").fetchall()
    assert notes == [("ours",)]
    assert merge_labels(a, b.folder).conflicts == found.conflicts


def test_an_older_folder_is_taken_in_and_left_as_it_is(tmp_path):
    path = restore(OLD[0], tmp_path / "old")
    before = path.read_bytes()
    store = new_store(tmp_path)
    found = merge_labels(store, path.parent)
    # The photos of that database were never written: nothing of them is taken over.
    assert len(found.failed) == 2
    assert found.added == {**NOTHING, "erasures": 1}
    assert path.read_bytes() == before
    assert verify_labels(store).good


def test_a_damaged_photo_is_named_and_the_rest_goes_on(sites):
    a, b = sites
    digest = b.add_photo(photo_bytes(3)).sha256
    b.photo_path(digest).write_bytes(b"damaged")
    found = merge_labels(a, b.folder)
    assert list(found.failed) == [digest]
    assert found.added["photos"] == 1
    assert a.find_photo(digest) is None
    assert verify_labels(a).good


def test_what_cannot_be_merged_is_refused(sites, tmp_path):
    a, b = sites
    with pytest.raises(ConfigError, match="merge into"):
        merge_labels(a, a.folder / ".." / a.folder.name)
    with pytest.raises(MissingError):
        merge_labels(a, tmp_path)
    with closing(sqlite3.connect(b.database.path)) as conn:
        conn.execute(LATER_STEP)
        conn.commit()
    before = snapshot(b.folder)
    with pytest.raises(NewerError):
        merge_labels(a, b.folder)
    assert snapshot(b.folder) == before
