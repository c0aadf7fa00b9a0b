"""Which photo is next: one order by name, any number of orders.

An order is a name and a score for each photo; higher is sooner. "doubt" is kept by the
store itself: 1 where the newest prediction's P(corrosion) is one half, 0 where the model is
sure, -1 where no model has looked yet. Whoever knows a better order (the risk that a
grade flips, say) computes scores and hands them in with `set_order`; pages need not know.
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
"""The order that is always there."""


@dataclass(frozen=True)
class Case:
    """A photo that waits: its SHA-256, of how many experts a correction counts, its score."""

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
    """Return the photos that are next.

    Those that fewer experts have corrected come first, then those with the higher score. Only
    corrections that count are asked about, see `records.is_counted`: a photo comes again when the
    only correction of it is rejected or withdrawn, to who made that, too.

    Parameters
    ----------
    store : a labels folder
    order : its name
    who : leave out what this person has corrected
    experts : photos that at most so many experts have corrected; 0 for new ones, 1 for second
        opinions, too
    skip : SHA-256 of photos to leave out: those put off for now
    limit : so many at most, from 1

    Returns
    -------
    `Case`s, the next one first

    Raises
    ------
    ConfigError
        There is no such order.
    """
    if limit < 1:
        raise ConfigError(f"limit is {limit}; allowed is 1 or more")
    known = orders(store)
    if order not in known:
        raise ConfigError(f"order is {order!r}; allowed are {', '.join(known)}")
    left_out = set(skip)
    values = {"name": order, "who": who, "experts": experts, "limit": limit + len(left_out)}
    with store.database.reading() as conn:
        rows = fetch_all(conn, queue_query(who), values)
    found = (Case(**row) for row in rows if row["photo"] not in left_out)
    return tuple(found)[:limit]


def queue_query(who: str) -> str:
    """SQL of the queue; values: name, experts, limit and, where it is not "", who."""
    mine = """
  AND NOT EXISTS (SELECT 1 FROM counted s WHERE s.photo = q.photo AND s.who = :who
                  AND s.kind <> 'consensus')"""
    return f"""SELECT q.photo, q.experts, q.score FROM queue q
WHERE q.name = :name AND q.experts <= :experts{mine if who else ""}
ORDER BY q.experts, q.score DESC, q.photo LIMIT :limit"""


def count_queue(store: Store, *, order: str = DOUBT, experts: int = 0) -> int:
    """Count the photos that at most so many experts have corrected; see `next_cases`."""
    with store.database.reading() as conn:
        return read_queue_length(conn, order=order, experts=experts)


def read_queue_length(conn: sqlite3.Connection, *, order: str = DOUBT, experts: int = 0) -> int:
    """As `count_queue`, on an open connection."""
    sql = "SELECT count(*) FROM queue WHERE name = ? AND experts <= ?"
    return int(conn.execute(sql, (order, experts)).fetchone()[0])


def orders(store: Store) -> tuple[str, ...]:
    """Names of the orders there are, sorted; "doubt" always."""
    sql = """WITH RECURSIVE v(x) AS (
  SELECT min(name) FROM queue
  UNION ALL SELECT (SELECT min(name) FROM queue WHERE name > x) FROM v WHERE x IS NOT NULL)
SELECT x FROM v WHERE x IS NOT NULL"""
    with store.database.reading() as conn:
        return tuple(sorted({DOUBT, *(row[0] for row in conn.execute(sql))}))


def set_order(store: Store, name: str, scores: Mapping[str, float]) -> int:
    """Replace an order by new scores.

    An order is no record of anybody's work: it is computed, and computed again.

    Parameters
    ----------
    store : a labels folder
    name : of the order, not "doubt"
    scores : by SHA-256 of a photo, finite; photos that are not named are not in this
        order, and those that are not here are passed over

    Returns
    -------
    How many photos the order has

    Raises
    ------
    ConfigError
        The name is "doubt" or empty, or a score is not finite.
    """
    if name in ("", DOUBT):
        raise ConfigError(f"name is {name!r}; give an order of your own another name")
    for photo, score in scores.items():
        if not math.isfinite(score):
            raise ConfigError(f"the score of {photo} is {score}; it must be a finite number")
    with store.database.writing() as conn:
        conn.execute("DELETE FROM queue WHERE name = ?", (name,))
        conn.executemany(
            "INSERT INTO queue SELECT ?, photo, experts, ? FROM queue WHERE name = ? AND photo = ?",
            ((name, float(score), DOUBT, photo) for photo, score in scores.items()),
        )
        found: Any = conn.execute("SELECT count(*) FROM queue WHERE name = ?", (name,)).fetchone()
        return int(found[0])


def repeats(store: Store, who: str, *, days: float = 7, limit: int = 20) -> tuple[str, ...]:
    """Return photos to show an expert again, to see whether they agree with themselves.

    Parameters
    ----------
    store : a labels folder
    who : the expert
    days : since they corrected it, at least
    limit : so many at most

    Returns
    -------
    SHA-256 of photos of which one correction of theirs counts, longest ago first
    """
    before = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    # Oldest first through the index; whether it was only once is asked for each until there
    # are enough.
    sql = """SELECT s.photo FROM counted s
WHERE s.who = :who AND s.made < :before AND s.kind = 'expert'
  AND NOT EXISTS (SELECT 1 FROM counted o WHERE o.photo = s.photo AND o.who = :who
                  AND o.correction <> s.correction)
ORDER BY s.made, s.correction LIMIT :limit"""
    with store.database.reading() as conn:
        rows = conn.execute(sql, {"who": who, "before": before, "limit": limit})
        return tuple(row[0] for row in rows)
