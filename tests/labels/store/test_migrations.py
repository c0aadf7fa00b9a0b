from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from labels_made import OLD, box, nonce, restore

from rustseg_jax.images import sha256
from rustseg_jax.labels import (
    MissingError,
    NewerError,
    Store,
    history,
    list_corrections,
    verify_labels,
)
from rustseg_jax.labels.records import STATUSES, is_counted
from rustseg_jax.labels.store import migrations
from rustseg_jax.labels.store.migrations import SET, STEPS, VERSION, migrate

SCHEMA = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"


def schema(conn: sqlite3.Connection) -> list[tuple[str, ...]]:
    return conn.execute(SCHEMA).fetchall()


def steps(conn: sqlite3.Connection) -> list[str]:
    rows = conn.execute("SELECT name FROM _sqlite_migrations ORDER BY id")
    return [name for (name,) in rows]


def of_version(number: int) -> sqlite3.Connection:
    conn = sqlite3.connect(":memory:", isolation_level=None)
    migrate(conn, Path("x"), to=number)
    return conn


def test_every_past_version_has_a_database() -> None:
    assert [p.stem for p in OLD] == [f"labels_v{k}" for k in range(1, VERSION)]


@pytest.mark.parametrize("dump", OLD, ids=lambda p: p.stem)
def test_released_steps_are_never_edited(dump, tmp_path):
    """The schema that the steps make today is the one that they made then."""
    number = int(re.findall(r"\d+", dump.stem)[0])
    with closing(sqlite3.connect(restore(dump, tmp_path / "old"))) as then:
        assert schema(then) == schema(of_version(number))
        assert steps(then) == list(STEPS)[:number]


@pytest.mark.parametrize("dump", OLD, ids=lambda p: p.stem)
def test_a_past_version_is_brought_up_to_date(dump, tmp_path):
    path = restore(dump, tmp_path / "old")
    before = path.read_bytes()
    with pytest.raises(MissingError, match="older schema"):
        Store(path.parent, create=False)
    assert path.read_bytes() == before
    store = Store(path.parent)
    Store(path.parent, create=False)
    with store.database.reading() as conn, closing(of_version(VERSION)) as fresh:
        assert schema(conn) == schema(fresh)
        assert steps(conn) == list(STEPS)
        # Earlier versions of this program read this number, and refuse what they do not know.
        assert conn.execute("PRAGMA user_version").fetchone()[0] == VERSION
    # What was there is there, and the list and the queue know it.
    entries = {e.who: e for e in list_corrections(store).entries}
    assert {w: (e.status, e.verdict, e.area) for w, e in entries.items()} == {
        "ada": ("flagged", "corrosion", 32),
        "bob": ("open", "can't tell", None),
        "cleo": ("withdrawn", "none", 0),
        **({} if dump.stem == "labels_v1" else {"dora": ("rejected", "none", None)}),
    }
    photo = store.photo(sha256(b"1"))
    told = history(store, photo)
    np.testing.assert_array_equal(told.corrections[0].mask.decode(), box(0, 0, 4, 8, (16, 16)))
    assert told.corrections[1].parent == told.corrections[0].id
    np.testing.assert_allclose(told.predictions[0].heat, [[0, 1 / 3], [2 / 3, 1]], rtol=1e-6)
    assert [len(told.reviews), len(told.withdrawals)] == [3, 1]
    with store.database.reading() as conn:
        queue = conn.execute(
            "SELECT photo, experts, score FROM queue WHERE name = 'doubt' ORDER BY score"
        ).fetchall()
        tags = conn.execute("SELECT reason FROM tagged ORDER BY reason").fetchall()
    assert queue == [(sha256(b"2"), 0, -1.0), (photo.sha256, 2, 0.5)]
    assert tags == [("brick",), ("soil",)]
    problems = verify_labels(store, quick=True).problems
    assert {p.kind for p in problems} == {"photo"}  # the dump has rows alone
    store.save_correction(photo, nonce=nonce(), who="dora", verdict="none")


def test_what_counts_is_the_same_in_the_database_and_out_of_it() -> None:
    with closing(of_version(VERSION)) as conn:
        for status in STATUSES:
            conn.execute(
                "INSERT INTO standing VALUES (?, ?, 'ada', 'expert', 'none', ?, 'photo', '')",
                (status, status, status),
            )
        found = {status for (status,) in conn.execute("SELECT status FROM counted")}
    assert found == {status for status in STATUSES if is_counted(status)}
    assert found == {"open", "approved", "flagged"}


def test_an_order_of_ones_own_counts_experts_anew(tmp_path):
    """In version 2 a rejected correction kept its photo from coming again."""
    store = Store(restore(OLD[1], tmp_path / "old").parent)
    with store.database.reading() as conn:
        sql = "SELECT name, experts FROM queue WHERE photo = ? ORDER BY name"
        found = conn.execute(sql, (sha256(b"2"),)).fetchall()
    assert found == [("doubt", 0), ("risk", 0)]


def test_a_step_that_fails_leaves_the_old_version(tmp_path, monkeypatch):
    path = restore(OLD[0], tmp_path / "old")
    with closing(sqlite3.connect(path)) as conn:
        before = list(conn.iterdump())
    name, last = list(STEPS.items())[-1]
    broken = {**STEPS, name: (*last, "SELECT no_such_column")}
    monkeypatch.setattr(migrations, "STEPS", broken)
    with pytest.raises(sqlite3.OperationalError):
        Store(path.parent)
    with closing(sqlite3.connect(path)) as conn:
        assert list(conn.iterdump()) == before
    monkeypatch.undo()
    assert len(list_corrections(Store(path.parent)).entries) == 3


def test_a_newer_version_is_refused() -> None:
    conn = of_version(VERSION)
    conn.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name) VALUES (?, '0099_later')", (SET,)
    )
    with pytest.raises(NewerError, match=f"schema step '0099_later'; this one supports {VERSION}"):
        migrate(conn, Path("labels.sqlite"))
