"""The tables of the records, as SQL: migration 1. Never edit what was released.

Records are append-only: triggers refuse every UPDATE, and every DELETE of a photo's rows unless its
tombstone is in `erasures`. Composite foreign keys ensure that a correction, its parent and its
prediction belong to one photo.

Large columns (heat maps, masks, strokes) come last in a row, so that reading the others does not
read them. Derived tables are in `read_model`.
"""

from __future__ import annotations

__all__ = ["APPLICATION_ID", "RECORDS", "RECORD_TABLES"]

APPLICATION_ID = int.from_bytes(b"RSEG", "big")
"""Identifies this program as the owner, in the file's header."""

_HASH = "length({0}) = 64 AND {0} NOT GLOB '*[^0-9a-f]*'"
_UUID = "length({0}) = 36 AND {0} NOT GLOB '*[^0-9a-f-]*'"
_D = "[0-9]"
_TIME = f"{{0}} GLOB '{_D * 4}-{_D * 2}-{_D * 2}T{_D * 2}:{_D * 2}:{_D * 2}.{_D * 6}Z'"

_ID = f"id TEXT PRIMARY KEY CHECK ({_UUID.format('id')})"
_PHOTO = "photo TEXT NOT NULL REFERENCES photos (sha256)"
_NONCE = "nonce TEXT NOT NULL UNIQUE CHECK (length(nonce) BETWEEN 8 AND 200)"
_BY = f"""who TEXT NOT NULL CHECK (length(trim(who)) > 0),
  verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
  app TEXT NOT NULL,
  made TEXT NOT NULL CHECK ({_TIME.format("made")})"""
_OF_CORRECTION = "FOREIGN KEY (correction, photo) REFERENCES corrections (id, photo)"

_TABLES = (
    f"""CREATE TABLE photos (
  sha256 TEXT PRIMARY KEY CHECK ({_HASH.format("sha256")}),
  original TEXT NOT NULL CHECK ({_HASH.format("original")}),
  bytes INTEGER NOT NULL CHECK (bytes > 0),
  width INTEGER NOT NULL CHECK (width > 0),
  height INTEGER NOT NULL CHECK (height > 0),
  kind TEXT NOT NULL CHECK (kind IN ('jpeg', 'png', 'webp', 'tiff', 'bmp', 'gif')),
  exif TEXT NOT NULL CHECK (exif IN ('kept', 'stripped')),
  consent TEXT NOT NULL CHECK (consent IN ('unknown', 'given', 'not needed')),
  licence TEXT NOT NULL,
  origin TEXT NOT NULL,
  source TEXT NOT NULL,
  scene TEXT NOT NULL,
  split TEXT NOT NULL,
  added TEXT NOT NULL CHECK ({_TIME.format("added")})
) STRICT""",
    f"""CREATE TABLE predictions (
  {_ID},
  {_PHOTO},
  model TEXT NOT NULL,
  config TEXT NOT NULL CHECK (json_valid(config)),
  probability REAL NOT NULL CHECK (probability BETWEEN 0 AND 1),
  corroded INTEGER NOT NULL CHECK (corroded IN (0, 1)),
  threshold REAL NOT NULL CHECK (threshold BETWEEN 0 AND 1),
  reason TEXT NOT NULL,
  uncertainty REAL CHECK (uncertainty BETWEEN 0 AND 1),
  app TEXT NOT NULL,
  made TEXT NOT NULL CHECK ({_TIME.format("made")}),
  heat_rows INTEGER NOT NULL CHECK (heat_rows > 0),
  heat_columns INTEGER NOT NULL CHECK (heat_columns > 0),
  heat BLOB NOT NULL,
  rough TEXT NOT NULL CHECK (length(rough) > 0),
  mask TEXT NOT NULL CHECK (length(mask) > 0),
  UNIQUE (id, photo)
) STRICT""",
    f"""CREATE TABLE corrections (
  {_ID},
  {_PHOTO},
  prediction TEXT,
  parent TEXT CHECK (parent <> id),
  kind TEXT NOT NULL CHECK (kind IN ('expert', 'import', 'consensus')),
  method TEXT NOT NULL CHECK ((kind = 'consensus') = (method <> '')),
  sources TEXT NOT NULL CHECK (json_type(sources) = 'array'),
  {_NONCE},
  payload TEXT NOT NULL CHECK ({_HASH.format("payload")}),
  verdict TEXT NOT NULL CHECK (verdict IN ('corrosion', 'none', 'can''t tell')),
  area INTEGER CHECK (area >= 0),
  ignored INTEGER CHECK (ignored > 0),
  reasons TEXT NOT NULL CHECK (json_type(reasons) = 'array'),
  wrong_reason INTEGER NOT NULL CHECK (wrong_reason IN (0, 1)),
  note TEXT NOT NULL,
  confidence REAL CHECK (confidence BETWEEN 0 AND 1),
  seconds REAL CHECK (seconds >= 0),
  {_BY},
  mask TEXT CHECK (length(mask) > 0),
  ignore TEXT CHECK (length(ignore) > 0),
  strokes TEXT NOT NULL CHECK (json_valid(strokes)),
  CHECK ((mask IS NULL) = (area IS NULL)),
  CHECK ((ignore IS NULL) = (ignored IS NULL)),
  CHECK (verdict <> 'none' OR coalesce(area, 0) = 0),
  UNIQUE (id, photo),
  FOREIGN KEY (prediction, photo) REFERENCES predictions (id, photo),
  FOREIGN KEY (parent, photo) REFERENCES corrections (id, photo)
) STRICT""",
    f"""CREATE TABLE reviews (
  {_ID},
  correction TEXT NOT NULL,
  {_PHOTO},
  {_NONCE},
  action TEXT NOT NULL CHECK (action IN ('approve', 'reject', 'flag', 'comment')),
  comment TEXT NOT NULL CHECK (action <> 'comment' OR length(trim(comment)) > 0),
  {_BY},
  {_OF_CORRECTION}
) STRICT""",
    f"""CREATE TABLE withdrawals (
  {_ID},
  correction TEXT NOT NULL,
  {_PHOTO},
  {_NONCE},
  reason TEXT NOT NULL,
  {_BY},
  {_OF_CORRECTION}
) STRICT""",
    f"""CREATE TABLE erasures (
  {_ID},
  photo TEXT NOT NULL CHECK ({_HASH.format("photo")}),
  original TEXT NOT NULL CHECK ({_HASH.format("original")}),
  reason TEXT NOT NULL CHECK (length(trim(reason)) > 0),
  removed TEXT NOT NULL CHECK (json_valid(removed)),
  {_BY}
) STRICT""",
)

RECORD_TABLES = ("photos", "predictions", "corrections", "reviews", "withdrawals", "erasures")
"""Parents before children."""

_INDEXES = (
    "CREATE INDEX photos_original ON photos (original)",
    "CREATE INDEX predictions_photo ON predictions (photo, made)",
    "CREATE INDEX corrections_photo ON corrections (photo, made)",
    "CREATE INDEX corrections_prediction ON corrections (prediction)",
    "CREATE INDEX corrections_parent ON corrections (parent) WHERE parent IS NOT NULL",
    "CREATE INDEX reviews_correction ON reviews (correction, made)",
    "CREATE INDEX reviews_photo ON reviews (photo, made)",
    "CREATE INDEX withdrawals_correction ON withdrawals (correction)",
    "CREATE INDEX withdrawals_photo ON withdrawals (photo, made)",
    "CREATE INDEX erasures_photo ON erasures (photo)",
    "CREATE INDEX erasures_original ON erasures (original)",
)


def _guards(table: str) -> tuple[str, ...]:
    """Triggers that make a table append-only."""
    key = "sha256" if table == "photos" else "id"
    photo = "sha256" if table == "photos" else "photo"
    # INSERT OR REPLACE would delete without running the DELETE trigger.
    known = f"SELECT 1 FROM {table} WHERE {key} = NEW.{key}"
    if table in ("corrections", "reviews", "withdrawals"):
        known += " OR nonce = NEW.nonce"
    never = "" if table == "erasures" else (
        f"\n  WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE photo = OLD.{photo})"
    )  # fmt: skip
    return (
        f"""CREATE TRIGGER {table}_never_change BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'append-only: {table} are never changed'); END""",
        f"""CREATE TRIGGER {table}_never_delete BEFORE DELETE ON {table}{never}
BEGIN SELECT RAISE(ABORT, 'append-only: {table} are never deleted, photos are erased'); END""",
        f"""CREATE TRIGGER {table}_never_replace BEFORE INSERT ON {table}
  WHEN EXISTS ({known})
BEGIN SELECT RAISE(ABORT, 'append-only: {table} are never replaced'); END""",
    )


_RULES = (
    """CREATE TRIGGER photos_stay_erased BEFORE INSERT ON photos
  WHEN EXISTS (SELECT 1 FROM erasures WHERE photo IN (NEW.sha256, NEW.original)
               UNION ALL
               SELECT 1 FROM erasures WHERE original IN (NEW.sha256, NEW.original))
BEGIN SELECT RAISE(ABORT, 'erased: this photo was erased on request'); END""",
)

RECORDS = (
    *_TABLES,
    *_INDEXES,
    *(guard for table in RECORD_TABLES for guard in _guards(table)),
    *_RULES,
)
"""Migration 1."""
