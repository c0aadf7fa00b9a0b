"""Statistics of a labels folder."""

from __future__ import annotations

import sqlite3
from statistics import median
from typing import Any

from rustseg_jax.labels.queries.queue import read_queue_length
from rustseg_jax.labels.records import KINDS, REASONS, STATUSES, VERDICTS
from rustseg_jax.labels.store import Store

__all__ = ["count_labels", "count_states"]


def count_labels(store: Store) -> dict[str, Any]:
    """Count the contents of a labels folder.

    Parameters
    ----------
    store : a labels folder

    Returns
    -------
    dict, valid JSON:

    - ``photos``: all, bytes, predicted (with a prediction), corrected (with a counted correction by
      an expert or an import, see `records.is_counted`), waiting (all others), erased, and by
      consent
    - ``corrections``: all, and by status, verdict and kind; with_mask; median_seconds of those with
      a recorded time, or None
    - ``reasons``: number of corrections with each, and wrong_reason
    - ``experts``, most corrections first: who, corrections that count, photos, median_seconds,
      first, last
    - ``models``: predictions and corrections by SHA-256 of the weights
    - ``reviews``: by action
    """
    with store.database.reading() as conn:
        return {
            "photos": _photos(conn),
            "corrections": _corrections(conn),
            "reasons": _reasons(conn),
            "experts": _experts(conn),
            "models": _models(conn),
            "reviews": _by(conn, "reviews", "action", ()),
        }


def count_states(store: Store) -> dict[str, int]:
    """Count what the top of the Labels page shows, through indexes alone.

    Parameters
    ----------
    store : a labels folder

    Returns
    -------
    ``photos``, ``corrected`` and ``waiting`` as in `count_labels`, and the count of each of
    `STATUSES`
    """
    with store.database.reading() as conn:
        photos = _one(conn, "SELECT count(*) FROM photos")
        waiting = read_queue_length(conn)
        return {
            "photos": photos,
            "corrected": photos - waiting,
            "waiting": waiting,
            **_by(conn, "standing", "status", STATUSES),
        }


def _one(conn: sqlite3.Connection, sql: str) -> Any:
    return conn.execute(sql).fetchone()[0]


def _by(
    conn: sqlite3.Connection, table: str, column: str, names: tuple[str, ...]
) -> dict[str, int]:
    found = dict(conn.execute(f"SELECT {column}, count(*) FROM {table} GROUP BY 1").fetchall())
    return {**dict.fromkeys(names, 0), **found}


def _photos(conn: sqlite3.Connection) -> dict[str, Any]:
    waiting = read_queue_length(conn)
    everything = _one(conn, "SELECT count(*) FROM photos")
    return {
        "all": everything,
        "bytes": _one(conn, "SELECT coalesce(sum(bytes), 0) FROM photos"),
        "predicted": _one(conn, "SELECT count(DISTINCT photo) FROM predictions"),
        "corrected": everything - waiting,
        "waiting": waiting,
        "erased": _one(conn, "SELECT count(DISTINCT photo) FROM erasures"),
        "consent": _by(conn, "photos", "consent", ()),
    }


def _corrections(conn: sqlite3.Connection) -> dict[str, Any]:
    times = conn.execute("SELECT seconds FROM corrections WHERE seconds IS NOT NULL")
    seconds = [row[0] for row in times]
    return {
        "all": _one(conn, "SELECT count(*) FROM standing"),
        "status": _by(conn, "standing", "status", STATUSES),
        "verdict": _by(conn, "standing", "verdict", VERDICTS),
        "kind": _by(conn, "standing", "kind", KINDS),
        "with_mask": _one(conn, "SELECT count(*) FROM corrections WHERE area IS NOT NULL"),
        "median_seconds": median(seconds) if seconds else None,
    }


def _reasons(conn: sqlite3.Connection) -> dict[str, int]:
    wrong = _one(conn, "SELECT coalesce(sum(wrong_reason), 0) FROM corrections")
    return {**_by(conn, "tagged", "reason", REASONS), "wrong_reason": wrong}


def _experts(conn: sqlite3.Connection) -> list[dict[str, Any]]:
    seconds: dict[str, list[float]] = {}
    for who, value in conn.execute(
        "SELECT who, seconds FROM corrections WHERE seconds IS NOT NULL AND kind <> 'consensus'"
    ):
        seconds.setdefault(who, []).append(value)
    rows = conn.execute(
        "SELECT who, count(*), count(DISTINCT photo), min(made), max(made) FROM counted "
        "WHERE kind <> 'consensus' GROUP BY who ORDER BY 2 DESC, 1"
    )
    return [
        {
            "who": who,
            "corrections": count,
            "photos": photos,
            "median_seconds": median(seconds[who]) if who in seconds else None,
            "first": first,
            "last": last,
        }
        for who, count, photos, first, last in rows
    ]


def _models(conn: sqlite3.Connection) -> dict[str, dict[str, int]]:
    made = _by(conn, "predictions", "model", ())
    corrected = _by(conn, "standing", "model", ())
    return {
        model: {"predictions": count, "corrections": corrected.get(model, 0)}
        for model, count in made.items()
    }
