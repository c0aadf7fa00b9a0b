"""The queue of photos to correct: any number of named orders.

An order is a name and a score for each photo; higher scores come first. The store itself maintains
"doubt": 1 if P(corrosion) of the newest prediction is one half, 0 if the model is certain, -1 if
there is no prediction yet. Code with a better criterion (the risk that a grade changes, for
example) computes scores and stores them with `set_order`; the pages need no changes.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rustseg_jax.errors import ConfigError
from rustseg_jax.labels.store import Store
from rustseg_jax.labels.store.rows import fetch_all

__all__ = ["DOUBT", "Case", "count_queue", "next_cases", "orders", "repeats", "set_order"]

DOUBT = "doubt"
"""The order that always exists."""


@dataclass(frozen=True)
class Case:
    """A queued photo: its SHA-256, the number of experts whose correction counts, its score."""

    photo: str
    experts: int
    score: float


def next_cases(
    store: Store,
    *,
    order: str = DOUBT,
    who: str = "",
    experts: int = 0,
    skip: Iterable[str] = (),
    limit: int = 20,
) -> tuple[Case, ...]:
    """Return the next photos to correct.

    Photos corrected by fewer experts come first, then those with the higher score. Only corrections
    that count are considered, see `records.is_counted`: if the only correction of a photo is
    rejected or withdrawn, the photo is queued again, also for its author.

    Parameters
    ----------
    store : a labels folder
    order : name of the order
    who : leave out photos that this person has corrected
    experts : leave out photos corrected by more experts than this; 0 for new photos, 1 to include
        second opinions
    skip : SHA-256 of photos to leave out: those postponed by the user
    limit : maximum number, at least 1

    Returns
    -------
    `Case`s, in the order of the queue

    Raises
    ------
    ConfigError
        The order does not exist.
    """
    if limit < 1:
        raise ConfigError(f"limit is {limit}; it must be 1 or more")
    known = orders(store)
    if order not in known:
        raise ConfigError(f"order is {order!r}; it must be one of {', '.join(known)}")
    left_out = set(skip)
    values = {"name": order, "who": who, "experts": experts, "limit": limit + len(left_out)}
    with store.database.reading() as conn:
        rows = fetch_all(conn, queue_query(who), values)
    found = (Case(**row) for row in rows if row["photo"] not in left_out)
    return tuple(found)[:limit]


def queue_query(who: str) -> str:
    """SQL of the queue; values: name, experts, limit and, unless "", who."""
    mine = """
  AND NOT EXISTS (SELECT 1 FROM counted s WHERE s.photo = q.photo AND s.who = :who
                  AND s.kind <> 'consensus')"""
    return f"""SELECT q.photo, q.experts, q.score FROM queue q
WHERE q.name = :name AND q.experts <= :experts{mine if who else ""}
ORDER BY q.experts, q.score DESC, q.photo LIMIT :limit"""


def count_queue(store: Store, *, order: str = DOUBT, experts: int = 0) -> int:
    """Count the photos corrected by at most this many experts; see `next_cases`."""
    with store.database.reading() as conn:
        return read_queue_length(conn, order=order, experts=experts)


def read_queue_length(conn: sqlite3.Connection, *, order: str = DOUBT, experts: int = 0) -> int:
    """Like `count_queue`, on an open connection."""
    sql = "SELECT count(*) FROM queue WHERE name = ? AND experts <= ?"
    return int(conn.execute(sql, (order, experts)).fetchone()[0])


def orders(store: Store) -> tuple[str, ...]:
    """Names of all orders, sorted; always includes "doubt"."""
    sql = """WITH RECURSIVE v(x) AS (
  SELECT min(name) FROM queue
  UNION ALL SELECT (SELECT min(name) FROM queue WHERE name > x) FROM v WHERE x IS NOT NULL)
SELECT x FROM v WHERE x IS NOT NULL"""
    with store.database.reading() as conn:
        return tuple(sorted({DOUBT, *(row[0] for row in conn.execute(sql))}))


def set_order(store: Store, name: str, scores: Mapping[str, float]) -> int:
    """Replace the scores of an order.

    An order is derived data: it can be computed again at any time.

    Parameters
    ----------
    store : a labels folder
    name : name of the order, not "doubt"
    scores : finite score by SHA-256 of the photo; photos without a score are not in the order, and
        photos that are not in the folder are ignored

    Returns
    -------
    Number of photos in the order

    Raises
    ------
    ConfigError
        The name is "doubt" or empty, or a score is not finite.
    """
    if name in ("", DOUBT):
        raise ConfigError(f"name is {name!r}; it is empty or reserved, choose another name")
    for photo, score in scores.items():
        if not math.isfinite(score):
            raise ConfigError(f"the score of photo {photo} is {score}; it must be a finite number")
    with store.database.writing() as conn:
        conn.execute("DELETE FROM queue WHERE name = ?", (name,))
        conn.executemany(
            "INSERT INTO queue SELECT ?, photo, experts, ? FROM queue WHERE name = ? AND photo = ?",
            ((name, float(score), DOUBT, photo) for photo, score in scores.items()),
        )
        found: Any = conn.execute("SELECT count(*) FROM queue WHERE name = ?", (name,)).fetchone()
        return int(found[0])


def repeats(store: Store, who: str, *, days: float = 7, limit: int = 20) -> tuple[str, ...]:
    """Return photos to show an expert again, to measure agreement with themselves.

    Parameters
    ----------
    store : a labels folder
    who : the expert
    days : minimum number of days since their correction
    limit : maximum number of photos

    Returns
    -------
    SHA-256 of photos with exactly one counted correction by them, oldest correction first
    """
    before = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    # Oldest first through the index; whether there is only one correction is checked row by row
    # until enough are found.
    sql = """SELECT s.photo FROM counted s
WHERE s.who = :who AND s.made < :before AND s.kind = 'expert'
  AND NOT EXISTS (SELECT 1 FROM counted o WHERE o.photo = s.photo AND o.who = :who
                  AND o.correction <> s.correction)
ORDER BY s.made, s.correction LIMIT :limit"""
    with store.database.reading() as conn:
        rows = conn.execute(sql, {"who": who, "before": before, "limit": limit})
        return tuple(row[0] for row in rows)
