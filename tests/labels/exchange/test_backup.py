from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from labels_made import new_store, nonce, photo_bytes, result, save, some_mask

from rustseg_jax import ConfigError
from rustseg_jax.labels import Store, back_up, history, verify_labels
from rustseg_jax.labels.errors import DamagedError
from rustseg_jax.labels.exchange import backup


def rows(store: Store) -> dict[str, list[tuple]]:
    tables = ("photos", "predictions", "corrections", "reviews", "standing", "queue", "erasures")
    with store.database.reading() as conn:
        return {t: conn.execute(f"SELECT * FROM {t} ORDER BY 1, 2").fetchall() for t in tables}


@pytest.fixture
def store(tmp_path):
    store = new_store(tmp_path)
    for k in range(3):
        photo = store.add_photo(photo_bytes(k))
        store.add_prediction(photo, result())
        made = save(store, photo, mask=some_mask(k))
        store.review(made.id, "flag", nonce=nonce(), who="eve")
    return store


@pytest.mark.parametrize("copy", [False, True])
def test_a_backup_is_a_labels_folder(store, tmp_path, copy):
    told = []
    made = back_up(store, tmp_path / "b", copy=copy, progress=lambda *at: told.append(at))
    assert (made.photos, made.linked) == (3, 0 if copy else 3)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert {p.name for p in (tmp_path / "b").iterdir()} == {"labels.sqlite", "photos"}
    other = Store(tmp_path / "b", create=False)
    assert rows(other) == rows(store)
    assert verify_labels(other).good
    for path in (store.folder / "photos").rglob("*/*"):
        twin = tmp_path / "b" / path.relative_to(store.folder)
        assert twin.read_bytes() == path.read_bytes()
        assert twin.samefile(path) is not copy
    again = Store(tmp_path / "b")  # and can be worked with
    photo = again.add_photo(photo_bytes(0))
    save(again, photo)
    assert len(history(again, photo).corrections) == 2
    assert len(history(store, photo).corrections) == 1


def test_while_somebody_is_writing(store, tmp_path):
    before = rows(store)
    with closing(sqlite3.connect(store.database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM queue")
        back_up(store, tmp_path / "b")
        other.execute("ROLLBACK")
    assert rows(Store(tmp_path / "b", create=False)) == before


def test_a_photo_erased_meanwhile_is_in_neither(store, tmp_path, monkeypatch):
    real, erased = backup.snapshot, []

    def then_erase(database, path):
        real(database, path)
        if not erased:
            with store.database.reading() as conn:
                erased.append(conn.execute("SELECT max(sha256) FROM photos").fetchone()[0])
            store.erase(erased[0], who="ada", reason="asked")

    monkeypatch.setattr(backup, "snapshot", then_erase)
    assert back_up(store, tmp_path / "b").photos == 2
    other = Store(tmp_path / "b", create=False)
    assert verify_labels(other).good
    assert not other.photo_path(erased[0]).exists()
    assert rows(other) == rows(store)


def test_what_is_damaged_is_not_backed_up_in_silence(store, tmp_path):
    digest = rows(store)["photos"][1][0]
    store.photo_path(digest).write_bytes(b"damaged")
    with pytest.raises(DamagedError, match="was changed after it was stored"):
        back_up(store, tmp_path / "a", copy=True)
    store.photo_path(digest).unlink()
    with pytest.raises(DamagedError, match=f"{digest} is missing"):
        back_up(store, tmp_path / "b")


def test_only_into_an_empty_folder(store, tmp_path):
    for wrong in (store.folder, tmp_path):
        with pytest.raises(ConfigError, match="is not empty"):
            back_up(store, wrong)
    (tmp_path / "empty").mkdir()
    back_up(store, tmp_path / "empty")
