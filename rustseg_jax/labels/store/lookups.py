"""What the calls of the store look up and refuse, each on the caller's connection.

All of it runs inside the transaction of a call, so that what was found still holds when the
row is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rustseg_jax.labels.errors import ConflictError, ErasedError, MissingError
from rustseg_jax.labels.records import Photo, canonical
from rustseg_jax.labels.store.rows import Row, fetch, insert, photo_of

if TYPE_CHECKING:
    import sqlite3

__all__ = [
    "check_parents",
    "erase_rows",
    "erasure_row",
    "get_photo",
    "get_row",
    "photo_row",
    "refuse_erased",
    "saved_before",
]


def photo_row(conn: sqlite3.Connection, digest: str) -> Row | None:
    """The row of the photo with these bytes, stored or as given; None where it is not here."""
    sql = "SELECT * FROM photos WHERE {} = ? LIMIT 1"
    return fetch(conn, sql.format("sha256"), (digest,)) or fetch(
        conn, sql.format("original"), (digest,)
    )


def get_photo(conn: sqlite3.Connection, digest: str) -> Photo:
    """The photo with these bytes; MissingError, or ErasedError, where it is not here."""
    row = photo_row(conn, digest)
    if row is None:
        refuse_erased(conn, digest)
        raise MissingError(f"there is no photo {digest!r} in this labels folder")
    return photo_of(row)


def get_row(conn: sqlite3.Connection, table: str, id: str) -> Row:
    """The row with this id; MissingError where there is none. `table` is ours, never a user's."""
    row = fetch(conn, f"SELECT * FROM {table} WHERE id = ?", (id,))
    if row is None:
        raise MissingError(f"there is no row {id!r} in {table} of this labels folder")
    return row


def erasure_row(conn: sqlite3.Connection, digest: str) -> Row | None:
    """The tombstone of a photo, None where it was not erased."""
    sql = "SELECT * FROM erasures WHERE photo = :d OR original = :d ORDER BY made LIMIT 1"
    return fetch(conn, sql, {"d": digest})


def refuse_erased(conn: sqlite3.Connection, digest: str) -> None:
    """ErasedError where a photo was erased on request."""
    row = erasure_row(conn, digest)
    if row is not None:
        raise ErasedError(
            f"this photo was erased on {row['made'][:10]} ({row['reason']}); it is not taken in "
            "again"
        )


def saved_before(conn: sqlite3.Connection, table: str, row: Row, said: Sequence[str]) -> Row | None:
    """What was saved under this nonce, None where nothing was; refused where it says otherwise."""
    before = fetch(conn, f"SELECT * FROM {table} WHERE nonce = ?", (row["nonce"],))
    if before and any(before[name] != row[name] for name in said):
        raise ConflictError(
            f"something else was saved under {row['nonce']!r} at {before['made']}; it was left as "
            "it is: save this one anew, under another nonce"
        )
    return before


def check_parents(conn: sqlite3.Connection, row: Row, sources: Sequence[str]) -> None:
    """Everything it refers to is of the same photo; the prediction is that of the parent."""
    wanted = [("predictions", row["prediction"]), ("corrections", row["parent"])]
    for table, id in [*wanted, *(("corrections", source) for source in sources)]:
        if id is not None and get_row(conn, table, id)["photo"] != row["photo"]:
            raise MissingError(f"row {id!r} in {table} is of another photo")
    if row["prediction"] is None and row["parent"] is not None:
        row["prediction"] = get_row(conn, "corrections", row["parent"])["prediction"]


def erase_rows(conn: sqlite3.Connection, row: Row) -> None:
    """Write a tombstone and delete the photo's rows, within the caller's transaction."""
    tables = ("withdrawals", "reviews", "corrections", "predictions")
    photo = row["photo"]
    if "removed" not in row:
        count = "SELECT count(*) FROM {} WHERE photo = ?"
        removed = {t: conn.execute(count.format(t), (photo,)).fetchone()[0] for t in tables}
        row["removed"] = canonical(removed)
    insert(conn, "erasures", row)
    for table in tables:
        conn.execute(f"DELETE FROM {table} WHERE photo = ?", (photo,))
    conn.execute("DELETE FROM photos WHERE sha256 = ?", (photo,))
