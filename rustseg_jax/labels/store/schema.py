"""The tables, as SQL: what migration 1 and migration 2 run. Never edit what was released.

Records (migration 1) are append-only: triggers refuse every UPDATE, and every DELETE
of a photo's rows unless its tombstone is in `erasures`. Composite foreign keys see to it
that a correction, its parent and its prediction are of one photo.

What is large (heat maps, masks, strokes) stands last in a row, so that reading the rest
does not read it.

The read model (migration 2) is derived: triggers keep it, it may be thrown away and made
again, and `labels verify` compares it with what the records say. It answers the queue, the
list and the history from an index instead of reading 300,000 masks.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rustseg_jax.labels.errors import NewerError

__all__ = [
    "APPLICATION_ID",
    "READ_MODEL",
    "RECORDS",
    "RECORD_TABLES",
    "VERSION",
    "backfill",
    "check_version",
]

APPLICATION_ID = int.from_bytes(b"RSEG", "big")
"""Says in the file's header whose database it is."""

VERSION = 2
"""Number of migrations; a test compares it with them."""

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
    # INSERT OR REPLACE would delete without asking the DELETE trigger.
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

_STATUS = """CASE
  WHEN EXISTS (SELECT 1 FROM withdrawals w WHERE w.correction = {0}) THEN 'withdrawn'
  ELSE coalesce((SELECT CASE r.action WHEN 'approve' THEN 'approved'
                                      WHEN 'reject' THEN 'rejected' ELSE 'flagged' END
                 FROM reviews r WHERE r.correction = {0} AND r.action <> 'comment'
                 ORDER BY r.made DESC, r.id DESC LIMIT 1), 'open') END"""
_EXPERTS = """(SELECT count(DISTINCT s.who) FROM standing s
  WHERE s.photo = {0} AND s.kind <> 'consensus' AND s.status <> 'withdrawn')"""
# 1 where P is one half, 0 where it is 0 or 1; below that: no model has looked yet.
_UNSEEN = "-1.0"
_LATEST_DOUBT = f"""coalesce((SELECT 1.0 - 2.0 * abs(p.probability - 0.5)
  FROM predictions p WHERE p.photo = {{0}} ORDER BY p.made DESC, p.id DESC LIMIT 1), {_UNSEEN})"""

_READ_TABLES = (
    """CREATE TABLE standing (
  made TEXT NOT NULL,
  correction TEXT NOT NULL,
  who TEXT NOT NULL,
  kind TEXT NOT NULL,
  verdict TEXT NOT NULL,
  status TEXT NOT NULL,
  photo TEXT NOT NULL,
  model TEXT NOT NULL,
  PRIMARY KEY (made, correction)
) STRICT, WITHOUT ROWID""",
    # Not UNIQUE, though it is: SQLite would take it instead of the primary key, and look up twice.
    "CREATE INDEX standing_correction ON standing (correction)",
    "CREATE INDEX standing_who ON standing (who, made, correction)",
    "CREATE INDEX standing_verdict ON standing (verdict, made, correction)",
    "CREATE INDEX standing_model ON standing (model, made, correction)",
    "CREATE INDEX standing_status ON standing (status, made, correction)",
    "CREATE INDEX standing_photo ON standing (photo, who, made)",
    """CREATE TABLE tagged (
  reason TEXT NOT NULL,
  made TEXT NOT NULL,
  correction TEXT NOT NULL,
  PRIMARY KEY (reason, made, correction)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE queue (
  name TEXT NOT NULL,
  photo TEXT NOT NULL,
  experts INTEGER NOT NULL CHECK (experts >= 0),
  score REAL NOT NULL,
  PRIMARY KEY (name, photo)
) STRICT, WITHOUT ROWID""",
    "CREATE INDEX queue_order ON queue (name, experts, score DESC, photo)",
    "CREATE INDEX queue_photo ON queue (photo)",
)

_UPKEEP = (
    f"""CREATE TRIGGER photo_added AFTER INSERT ON photos
BEGIN
  INSERT INTO queue VALUES ('doubt', NEW.sha256, 0, {_UNSEEN});
END""",
    """CREATE TRIGGER photo_erased AFTER DELETE ON photos
BEGIN
  DELETE FROM queue WHERE photo = OLD.sha256;
END""",
    f"""CREATE TRIGGER prediction_added AFTER INSERT ON predictions
BEGIN
  UPDATE queue SET score = {_LATEST_DOUBT.format("NEW.photo")}
    WHERE name = 'doubt' AND photo = NEW.photo;
END""",
    f"""CREATE TRIGGER correction_added AFTER INSERT ON corrections
BEGIN
  INSERT INTO standing VALUES (
    NEW.made, NEW.id, NEW.who, NEW.kind, NEW.verdict, 'open', NEW.photo,
    coalesce((SELECT model FROM predictions WHERE id = NEW.prediction), ''));
  INSERT INTO tagged SELECT DISTINCT value, NEW.made, NEW.id FROM json_each(NEW.reasons);
  UPDATE queue SET experts = {_EXPERTS.format("NEW.photo")} WHERE photo = NEW.photo;
END""",
    """CREATE TRIGGER correction_erased AFTER DELETE ON corrections
BEGIN
  DELETE FROM standing WHERE made = OLD.made AND correction = OLD.id;
  DELETE FROM tagged WHERE made = OLD.made AND correction = OLD.id
    AND reason IN (SELECT value FROM json_each(OLD.reasons));
END""",
    f"""CREATE TRIGGER review_added AFTER INSERT ON reviews WHEN NEW.action <> 'comment'
BEGIN
  UPDATE standing SET status = {_STATUS.format("NEW.correction")}
    WHERE correction = NEW.correction;
END""",
    f"""CREATE TRIGGER withdrawal_added AFTER INSERT ON withdrawals
BEGIN
  UPDATE standing SET status = 'withdrawn' WHERE correction = NEW.correction;
  UPDATE queue SET experts = {_EXPERTS.format("NEW.photo")} WHERE photo = NEW.photo;
END""",
)

READ_MODEL = (*_READ_TABLES, *_UPKEEP)
"""Migration 2."""


def backfill(table: str) -> str:
    """SELECT what a derived table should hold, from the records (and `standing`, for queue)."""
    return {
        "standing": f"""SELECT c.made, c.id, c.who, c.kind, c.verdict,
  {_STATUS.format("c.id")}, c.photo, coalesce(p.model, '')
  FROM corrections c LEFT JOIN predictions p ON p.id = c.prediction""",
        "tagged": """SELECT DISTINCT r.value, c.made, c.id
  FROM corrections c, json_each(c.reasons) r""",
        "queue": f"""SELECT 'doubt', f.sha256, {_EXPERTS.format("f.sha256")},
  {_LATEST_DOUBT.format("f.sha256")}
  FROM photos f""",
    }[table]


def check_version(conn: sqlite3.Connection, place: Path) -> int:
    """Return the database's version, 0 for an empty one; NewerError for a newer one."""
    version = int(conn.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise NewerError(
            f"{place} was written by a newer version of this program (schema {version}, this one "
            f"knows {VERSION}); it was left as it is: install the newer version to use it"
        )
    return version
