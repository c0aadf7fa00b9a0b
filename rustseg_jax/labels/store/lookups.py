"""Look-ups and checks of the store's calls, on the caller's connection.

All of them run inside the caller's transaction, so that their results still hold when the row is
written.
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
    """The row of the photo with these bytes, as stored or as submitted; None if it is not here."""
    sql = "SELECT * FROM photos WHERE {} = ? LIMIT 1"
    return fetch(conn, sql.format("sha256"), (digest,)) or fetch(
        conn, sql.format("original"), (digest,)
    )


def get_photo(conn: sqlite3.Connection, digest: str) -> Photo:
    """The photo with these bytes; MissingError or ErasedError if it is not here."""
    row = photo_row(conn, digest)
    if row is None:
        refuse_erased(conn, digest)
        raise MissingError(f"photo {digest!r} not found in this labels folder")
    return photo_of(row)


def get_row(conn: sqlite3.Connection, table: str, id: str) -> Row:
    """The row with this id; MissingError if there is none. `table` is never a user's input."""
    row = fetch(conn, f"SELECT * FROM {table} WHERE id = ?", (id,))
    if row is None:
        raise MissingError(f"row {id!r} not found in {table} of this labels folder")
    return row


def erasure_row(conn: sqlite3.Connection, digest: str) -> Row | None:
    """The tombstone of a photo, None if it was not erased."""
    sql = "SELECT * FROM erasures WHERE photo = :d OR original = :d ORDER BY made LIMIT 1"
    return fetch(conn, sql, {"d": digest})


def refuse_erased(conn: sqlite3.Connection, digest: str) -> None:
    """Raise ErasedError if a photo was erased on request."""
    row = erasure_row(conn, digest)
    if row is not None:
        raise ErasedError(
            f"this photo was erased on {row['made'][:10]} ({row['reason']}) and cannot be added "
            "again"
        )


def saved_before(conn: sqlite3.Connection, table: str, row: Row, said: Sequence[str]) -> Row | None:
    """The row saved under this nonce, None if there is none; refused if the content differs."""
    before = fetch(conn, f"SELECT * FROM {table} WHERE nonce = ?", (row["nonce"],))
    if before and any(before[name] != row[name] for name in said):
        raise ConflictError(
            f"nonce {row['nonce']!r} was already used for different content at {before['made']}, "
            "which was not changed: save again with a new nonce"
        )
    return before


def check_parents(conn: sqlite3.Connection, row: Row, sources: Sequence[str]) -> None:
    """Check that all references are to the same photo; the prediction is that of the parent."""
    wanted = [("predictions", row["prediction"]), ("corrections", row["parent"])]
    for table, id in [*wanted, *(("corrections", source) for source in sources)]:
        if id is not None and get_row(conn, table, id)["photo"] != row["photo"]:
            raise MissingError(f"row {id!r} in {table} belongs to another photo")
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
