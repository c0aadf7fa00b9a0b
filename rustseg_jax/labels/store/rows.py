"""Convert between database rows and the dataclasses of `records`."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rustseg_jax.labels.errors import DamagedError
from rustseg_jax.labels.records import (
    Correction,
    Erasure,
    Photo,
    Prediction,
    Review,
    Withdrawal,
)
from rustseg_jax.labels.rle import Rle

__all__ = [
    "correction_of",
    "erasure_of",
    "fetch",
    "fetch_all",
    "insert",
    "pack_heat",
    "photo_of",
    "prediction_of",
    "review_of",
    "unpack_heat",
    "withdrawal_of",
]

Row = dict[str, Any]


def fetch_all(conn: sqlite3.Connection, sql: str, values: Any = ()) -> list[Row]:
    """Rows of a query, as dictionaries."""
    cursor = conn.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def fetch(conn: sqlite3.Connection, sql: str, values: Any = ()) -> Row | None:
    """The first row of a query, or None."""
    rows = fetch_all(conn, sql, values)
    return rows[0] if rows else None


def insert(conn: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    """Add one row; table and column names are never a user's input."""
    names = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    conn.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", dict(row))


def pack_heat(heat: NDArray[np.float32]) -> bytes:
    """Heat map as bytes: float32, little-endian, row by row, deflated. Lossless."""
    return zlib.compress(np.ascontiguousarray(heat, "<f4").tobytes(), 6)


def unpack_heat(data: bytes, rows: int, columns: int) -> NDArray[np.float32]:
    """Decode the heat map of `pack_heat`; DamagedError if it does not have this size."""
    try:
        values = np.frombuffer(zlib.decompress(data), "<f4")
    except (zlib.error, ValueError) as error:
        raise DamagedError(f"a heat map is damaged (it cannot be decoded: {error})") from error
    if values.size != rows * columns:
        raise DamagedError(f"a heat map has {values.size} values instead of {rows} x {columns}")
    return values.reshape(rows, columns).astype(np.float32)


def photo_of(row: Row) -> Photo:
    """Row of the table photos."""
    return Photo(**row)


def prediction_of(row: Row, photo: Photo) -> Prediction:
    """Row of the table predictions, for this photo."""
    given = dict(row)
    heat = unpack_heat(given.pop("heat"), given.pop("heat_rows"), given.pop("heat_columns"))
    return Prediction(
        **{
            **given,
            "config": json.loads(given["config"]),
            "corroded": bool(given["corroded"]),
            "heat": heat,
            "rough": Rle(given["rough"], *photo.shape),
            "mask": Rle(given["mask"], *photo.shape),
        }
    )


def correction_of(row: Row, photo: Photo) -> Correction:
    """Row of the table corrections, for this photo."""
    given = {name: value for name, value in row.items() if name != "payload"}
    masks = {name: given[name] and Rle(given[name], *photo.shape) for name in ("mask", "ignore")}
    return Correction(
        **{
            **given,
            **masks,
            "sources": tuple(json.loads(given["sources"])),
            "strokes": json.loads(given["strokes"]),
            "reasons": tuple(json.loads(given["reasons"])),
            "wrong_reason": bool(given["wrong_reason"]),
            "verified": bool(given["verified"]),
        }
    )


def review_of(row: Row) -> Review:
    """Row of the table reviews."""
    return Review(**{**row, "verified": bool(row["verified"])})


def withdrawal_of(row: Row) -> Withdrawal:
    """Row of the table withdrawals."""
    return Withdrawal(**{**row, "verified": bool(row["verified"])})


def erasure_of(row: Row) -> Erasure:
    """Row of the table erasures."""
    return Erasure(
        **{**row, "verified": bool(row["verified"]), "removed": json.loads(row["removed"])}
    )
