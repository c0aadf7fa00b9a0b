"""What the labels page shows: corrections by filters, a page at a time; the history of a photo.

Pages go on from the last row shown (keyset), so page 1000 costs what page 1 costs and
rows that are added meanwhile shift nothing.
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
"""(made, id) of a row: a page goes on behind it."""

_NEWEST = "9999"  # later than any time
_INDEXED = ("who", "verdict", "model", "status", "photo")
_FEW = 5000  # rows that are looked up one by one: some milliseconds


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which corrections; what is "" or None does not matter.

    Attributes
    ----------
    who : of the correction
    since, until : times; from the first on, before the second
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
                raise ConfigError(f"{name} is {value!r}; allowed are {', '.join(allowed)}")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One correction in a list: everything about it that is small.

    Attributes
    ----------
    id, photo, made, who, kind, verdict, status : see `Correction` and `STATUSES`
    model : SHA-256 of the weights that were corrected, or ""
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
        """Where a page that follows this row goes on."""
        return self.made, self.id


@dataclass(frozen=True)
class Page:
    """Some rows, newest first, and where to go on; None at the end."""

    entries: tuple[Entry, ...]
    after: Cursor | None


@dataclass(frozen=True, eq=False)
class History:
    """All that was said of a photo, oldest first; `status` by the id of a correction."""

    photo: Photo
    predictions: tuple[Prediction, ...]
    corrections: tuple[Correction, ...]
    reviews: tuple[Review, ...]
    withdrawals: tuple[Withdrawal, ...]
    status: Mapping[str, str]

    @property
    def counted(self) -> tuple[Correction, ...]:
        """The corrections that count, see `records.is_counted`."""
        return tuple(c for c in self.corrections if is_counted(self.status[c.id]))


def list_corrections(
    store: Store, filters: Filters | None = None, *, after: Cursor | None = None, limit: int = 50
) -> Page:
    """List corrections, newest first.

    Parameters
    ----------
    store : a labels folder
    filters : which; None takes all
    after : `Page.after` of the page before; None begins with the newest
    limit : rows of a page, from 1

    Returns
    -------
    `Page`
    """
    if limit < 1:
        raise ConfigError(f"limit is {limit}; allowed is 1 or more")
    with store.database.reading() as conn:
        sql, values = page_query(conn, filters or Filters(), after)
        rows = fetch_all(conn, sql, {**values, "limit": limit + 1})
    entries = tuple(Entry(**row) for row in rows[:limit])
    return Page(entries, entries[-1].cursor if len(rows) > limit else None)


def page_query(
    conn: sqlite3.Connection, filters: Filters, after: Cursor | None
) -> tuple[str, dict[str, Any]]:
    """SQL of a page and its values; `limit` is still to be given."""
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
    """Count what `list_corrections` would list in all."""
    with store.database.reading() as conn:
        source, where, values, _ = _matching(conn, filters or Filters())
        sql = f"SELECT count(*) FROM {source} WHERE {' AND '.join([*where, '1'])}"
        return int(conn.execute(sql, values).fetchone()[0])


def _matching(
    conn: sqlite3.Connection, filters: Filters
) -> tuple[str, list[str], dict[str, Any], str]:
    """FROM, conditions and values; and the table by whose key the rows are in order."""
    columns = (*_INDEXED, "kind")
    values: dict[str, Any] = {n: getattr(filters, n) for n in columns if getattr(filters, n)}
    index = None if filters.reason else _index_for(conn, values)
    # "+" keeps SQLite from an index of its own choice.
    where = [f"{'' if name == index else '+'}m.{name} = :{name}" for name in values]
    source, key = "standing m", "m"
    if filters.reason:
        values["reason"] = filters.reason
        # The list of a reason is in order by itself; only other filters need the rest.
        join = " CROSS JOIN standing m ON m.made = t.made AND m.correction = t.correction"
        source, key = f"tagged t{join if where else ''}", "t"
        where.append("t.reason = :reason")
    for name, sign in (("since", ">="), ("until", "<")):
        if getattr(filters, name):
            values[name] = getattr(filters, name)
            where.append(f"{key}.made {sign} :{name}")
    return source, where, values, key


def _index_for(conn: sqlite3.Connection, values: dict[str, Any]) -> str | None:
    """Which filter's index to go through; None for the table itself, newest first.

    One filter: its index is in order, and the first rows are the page. Several: the index of one
    that few rows match; else the table, because looking up each of many rows that an index
    names costs more than reading them all in order.
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
    """Return the people or the models that occur, sorted: what a filter can offer.

    Parameters
    ----------
    store : a labels folder
    column : "who" or "model"

    Returns
    -------
    Names, or SHA-256s without "" (no model)
    """
    if column not in ("who", "model"):
        raise ConfigError(f"column is {column!r}; allowed are 'who' and 'model'")
    # From one value to the next through the index: DISTINCT would read all rows.
    sql = f"""WITH RECURSIVE v(x) AS (
  SELECT min({column}) FROM standing
  UNION ALL SELECT (SELECT min({column}) FROM standing WHERE {column} > x) FROM v
            WHERE x IS NOT NULL)
SELECT x FROM v WHERE x <> ''"""
    with store.database.reading() as conn:
        return tuple(row[0] for row in conn.execute(sql))


def history(store: Store, photo: Photo | str) -> History:
    """Return all that was said of a photo.

    Parameters
    ----------
    store : a labels folder
    photo : the photo, or its SHA-256

    Returns
    -------
    `History`; MissingError where the photo is not here
    """
    known = store.photo(photo if isinstance(photo, str) else photo.sha256)
    with store.database.reading() as conn:
        return read_history(conn, known)


def read_history(conn: sqlite3.Connection, photo: Photo) -> History:
    """As `history`, on an open connection."""
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
    who : of this person only; "" takes anybody's
    kinds : which of `KINDS`
    approved : only approved ones; see `records.is_counted`

    Returns
    -------
    `Correction`, or None where there is none
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
    """As `latest`, on an open connection."""
    said, values = counted_query(who=who, kinds=kinds, approved=approved)
    sql = f"""SELECT c.* FROM {said} JOIN corrections c ON c.id = s.correction
WHERE s.photo = ? ORDER BY s.made DESC, s.correction DESC LIMIT 1"""
    row = fetch(conn, sql, [*values, photo.sha256])
    return None if row is None else correction_of(row, photo)


def counted_query(*, who: str, kinds: Sequence[str], approved: bool) -> tuple[str, list[str]]:
    """SQL of the corrections that count, for FROM and under the name s, and its values.

    Parameters
    ----------
    who : of this person only; "" takes anybody's
    kinds : which of `KINDS`
    approved : only approved ones; see `records.is_counted`
    """
    where = f"kind IN ({', '.join('?' * len(kinds))})"
    where += " AND status = 'approved'" if approved else ""
    where += " AND who = ?" if who else ""
    return f"(SELECT * FROM counted WHERE {where}) s", [*kinds, *([who] if who else [])]
