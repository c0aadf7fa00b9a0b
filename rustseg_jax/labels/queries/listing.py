"""Filtered, paged lists of corrections for the Labels page, and the history of a photo.

Paging is by key (keyset): a page starts after the last row of the page before, so page 1000 costs
the same as page 1, and rows added in the meantime shift nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rustseg_jax.errors import ConfigError
from rustseg_jax.labels.records import (
    KINDS,
    REASONS,
    STATUSES,
    VERDICTS,
    Correction,
    Photo,
    Prediction,
    Review,
    Withdrawal,
    is_counted,
)
from rustseg_jax.labels.store import Store
from rustseg_jax.labels.store.rows import (
    correction_of,
    fetch,
    fetch_all,
    photo_of,
    prediction_of,
    review_of,
    withdrawal_of,
)

__all__ = [
    "Cursor",
    "Entry",
    "Filters",
    "History",
    "Page",
    "count_corrections",
    "history",
    "latest",
    "list_corrections",
    "values_of",
]

Cursor = tuple[str, str]
"""(made, id) of a row: the next page starts after it."""

_NEWEST = "9999"  # later than any stored time
_INDEXED = ("who", "verdict", "model", "status", "photo")
_FEW = 5000  # rows that are looked up one by one: takes a few milliseconds


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Filters on corrections; "" or None means no filter.

    Attributes
    ----------
    who : author of the correction
    since, until : times; `since` is included, `until` excluded
    verdict, reason, status, kind : one of `VERDICTS`, `REASONS`, `STATUSES`, `KINDS`
    model : SHA-256 of the weights whose prediction was corrected
    photo : SHA-256
    """

    who: str = ""
    since: str = ""
    until: str = ""
    verdict: str = ""
    reason: str = ""
    model: str = ""
    status: str = ""
    kind: str = ""
    photo: str = ""

    def __post_init__(self) -> None:
        known = {"verdict": VERDICTS, "reason": REASONS, "status": STATUSES, "kind": KINDS}
        for name, allowed in known.items():
            value = getattr(self, name)
            if value and value not in allowed:
                raise ConfigError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of a list of corrections, without the large fields.

    Attributes
    ----------
    id, photo, made, who, kind, verdict, status : see `Correction` and `STATUSES`
    model : SHA-256 of the weights whose prediction was corrected, or ""
    origin, width, height : of the photo
    area, ignored : pixels, or None
    seconds, confidence, note : see `Correction`
    """

    id: str
    photo: str
    made: str
    who: str
    kind: str
    verdict: str
    status: str
    model: str
    origin: str
    width: int
    height: int
    area: int | None
    ignored: int | None
    seconds: float | None
    confidence: float | None
    note: str

    @property
    def cursor(self) -> Cursor:
        """Key from which the page after this row continues."""
        return self.made, self.id


@dataclass(frozen=True)
class Page:
    """Rows, newest first, and the key of the next page; None on the last page."""

    entries: tuple[Entry, ...]
    after: Cursor | None


@dataclass(frozen=True, eq=False)
class History:
    """All records of a photo, oldest first; `status` maps the id of a correction to its status."""

    photo: Photo
    predictions: tuple[Prediction, ...]
    corrections: tuple[Correction, ...]
    reviews: tuple[Review, ...]
    withdrawals: tuple[Withdrawal, ...]
    status: Mapping[str, str]

    @property
    def counted(self) -> tuple[Correction, ...]:
        """The corrections that count; see `records.is_counted`."""
        return tuple(c for c in self.corrections if is_counted(self.status[c.id]))


def list_corrections(
    store: Store, filters: Filters | None = None, *, after: Cursor | None = None, limit: int = 50
) -> Page:
    """List corrections, newest first.

    Parameters
    ----------
    store : a labels folder
    filters : which corrections; None for all
    after : `Page.after` of the previous page; None starts with the newest
    limit : rows in a page, at least 1

    Returns
    -------
    `Page`
    """
    if limit < 1:
        raise ConfigError(f"limit is {limit}; it must be 1 or more")
    with store.database.reading() as conn:
        sql, values = page_query(conn, filters or Filters(), after)
        rows = fetch_all(conn, sql, {**values, "limit": limit + 1})
    entries = tuple(Entry(**row) for row in rows[:limit])
    return Page(entries, entries[-1].cursor if len(rows) > limit else None)


def page_query(
    conn: sqlite3.Connection, filters: Filters, after: Cursor | None
) -> tuple[str, dict[str, Any]]:
    """SQL of a page and its values; the caller adds `limit`."""
    source, where, values, key = _matching(conn, filters)
    made, correction = after or (_NEWEST, "")
    where = [*where, f"({key}.made, {key}.correction) < (:made, :correction)"]
    sql = f"""SELECT s.correction AS id, s.photo, s.made, s.who, s.kind, s.verdict, s.status,
  s.model, p.origin, p.width, p.height, c.area, c.ignored, c.seconds, c.confidence, c.note
FROM (SELECT {key}.made, {key}.correction FROM {source} WHERE {" AND ".join(where)}
      ORDER BY {key}.made DESC, {key}.correction DESC LIMIT :limit) AS k
JOIN standing s ON s.made = k.made AND s.correction = k.correction
JOIN corrections c ON c.id = k.correction
JOIN photos p ON p.sha256 = c.photo
ORDER BY k.made DESC, k.correction DESC"""
    return sql, {**values, "made": made, "correction": correction}


def count_corrections(store: Store, filters: Filters | None = None) -> int:
    """Count all corrections that `list_corrections` would return."""
    with store.database.reading() as conn:
        source, where, values, _ = _matching(conn, filters or Filters())
        sql = f"SELECT count(*) FROM {source} WHERE {' AND '.join([*where, '1'])}"
        return int(conn.execute(sql, values).fetchone()[0])


def _matching(
    conn: sqlite3.Connection, filters: Filters
) -> tuple[str, list[str], dict[str, Any], str]:
    """FROM clause, conditions and values; and the table whose key gives the order."""
    columns = (*_INDEXED, "kind")
    values: dict[str, Any] = {n: getattr(filters, n) for n in columns if getattr(filters, n)}
    index = None if filters.reason else _index_for(conn, values)
    # "+" stops SQLite from choosing another index.
    where = [f"{'' if name == index else '+'}m.{name} = :{name}" for name in values]
    source, key = "standing m", "m"
    if filters.reason:
        values["reason"] = filters.reason
        # The rows of one reason are already in order; the join is needed only for other filters.
        join = " CROSS JOIN standing m ON m.made = t.made AND m.correction = t.correction"
        source, key = f"tagged t{join if where else ''}", "t"
        where.append("t.reason = :reason")
    for name, sign in (("since", ">="), ("until", "<")):
        if getattr(filters, name):
            values[name] = getattr(filters, name)
            where.append(f"{key}.made {sign} :{name}")
    return source, where, values, key


def _index_for(conn: sqlite3.Connection, values: dict[str, Any]) -> str | None:
    """Choose the filter whose index to use; None for the table itself, newest first.

    With one filter, its index is in order and its first rows are the page. With several, use the
    index of one that matches few rows; otherwise use the table, because looking up many rows one by
    one costs more than reading all of them in order.
    """
    indexed = [name for name in values if name in _INDEXED]
    if len(values) == 1:
        return indexed[0] if indexed else None
    for name in indexed:
        sql = f"SELECT count(*) FROM (SELECT 1 FROM standing WHERE {name} = ? LIMIT ?)"
        if conn.execute(sql, (values[name], _FEW)).fetchone()[0] < _FEW:
            return name
    return None


def values_of(store: Store, column: Literal["who", "model"]) -> tuple[str, ...]:
    """Return the people or models that occur, sorted: the options of a filter.

    Parameters
    ----------
    store : a labels folder
    column : "who" or "model"

    Returns
    -------
    Names, or SHA-256s without "" (no model)
    """
    if column not in ("who", "model"):
        raise ConfigError(f"column is {column!r}; it must be 'who' or 'model'")
    # Step from one value to the next through the index: DISTINCT would read all rows.
    sql = f"""WITH RECURSIVE v(x) AS (
  SELECT min({column}) FROM standing
  UNION ALL SELECT (SELECT min({column}) FROM standing WHERE {column} > x) FROM v
            WHERE x IS NOT NULL)
SELECT x FROM v WHERE x <> ''"""
    with store.database.reading() as conn:
        return tuple(row[0] for row in conn.execute(sql))


def history(store: Store, photo: Photo | str) -> History:
    """Return all records of a photo.

    Parameters
    ----------
    store : a labels folder
    photo : the photo, or its SHA-256

    Returns
    -------
    `History`; raises MissingError if the photo is not in the folder
    """
    known = store.photo(photo if isinstance(photo, str) else photo.sha256)
    with store.database.reading() as conn:
        return read_history(conn, known)


def read_history(conn: sqlite3.Connection, photo: Photo) -> History:
    """Like `history`, on an open connection."""
    predictions, corrections, reviews, withdrawals = (
        fetch_all(
            conn, f"SELECT * FROM {t} WHERE photo = ? ORDER BY made, id", (photo.sha256,)
        )
        for t in ("predictions", "corrections", "reviews", "withdrawals")
    )  # fmt: skip
    status = conn.execute(
        "SELECT correction, status FROM standing WHERE photo = ?", (photo.sha256,)
    )
    return History(
        photo,
        tuple(prediction_of(row, photo) for row in predictions),
        tuple(correction_of(row, photo) for row in corrections),
        tuple(map(review_of, reviews)),
        tuple(map(withdrawal_of, withdrawals)),
        dict(status.fetchall()),
    )


def latest(
    store: Store,
    photo: Photo | str,
    *,
    who: str = "",
    kinds: Sequence[str] = ("expert", "import"),
    approved: bool = False,
) -> Correction | None:
    """Return the newest correction of a photo that counts.

    Parameters
    ----------
    store : a labels folder
    photo : the photo, or its SHA-256
    who : only corrections by this person; "" for everyone's
    kinds : which of `KINDS`
    approved : only approved corrections; see `records.is_counted`

    Returns
    -------
    `Correction`, or None if there is none
    """
    with store.database.reading() as conn:
        digest = photo if isinstance(photo, str) else photo.sha256
        found = fetch(conn, "SELECT * FROM photos WHERE sha256 = ?", (digest,))
        if found is None:
            return None
        known = photo_of(found)
        return read_latest(conn, known, who=who, kinds=kinds, approved=approved)


def read_latest(
    conn: sqlite3.Connection, photo: Photo, *, who: str, kinds: Sequence[str], approved: bool
) -> Correction | None:
    """Like `latest`, on an open connection."""
    said, values = counted_query(who=who, kinds=kinds, approved=approved)
    sql = f"""SELECT c.* FROM {said} JOIN corrections c ON c.id = s.correction
WHERE s.photo = ? ORDER BY s.made DESC, s.correction DESC LIMIT 1"""
    row = fetch(conn, sql, [*values, photo.sha256])
    return None if row is None else correction_of(row, photo)


def counted_query(*, who: str, kinds: Sequence[str], approved: bool) -> tuple[str, list[str]]:
    """SQL of the corrections that count, to be used in FROM under the name s, and its values.

    Parameters
    ----------
    who : only corrections by this person; "" for everyone's
    kinds : which of `KINDS`
    approved : only approved corrections; see `records.is_counted`
    """
    where = f"kind IN ({', '.join('?' * len(kinds))})"
    where += " AND status = 'approved'" if approved else ""
    where += " AND who = ?" if who else ""
    return f"(SELECT * FROM counted WHERE {where}) s", [*kinds, *([who] if who else [])]
