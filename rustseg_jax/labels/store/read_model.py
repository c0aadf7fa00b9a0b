"""Tables derived from the records, as SQL: migrations 2 and 3. Never edit what was released.

Triggers maintain these tables; they can be dropped and rebuilt, and `labels verify` compares them
with the records. They answer the queue, the list and the history from an index instead of reading
300,000 masks.
"""

from __future__ import annotations

__all__ = ["COUNTED", "READ_MODEL", "backfill"]

_STATUS = """CASE
  WHEN EXISTS (SELECT 1 FROM withdrawals w WHERE w.correction = {0}) THEN 'withdrawn'
  ELSE coalesce((SELECT CASE r.action WHEN 'approve' THEN 'approved'
                                      WHEN 'reject' THEN 'rejected' ELSE 'flagged' END
                 FROM reviews r WHERE r.correction = {0} AND r.action <> 'comment'
                 ORDER BY r.made DESC, r.id DESC LIMIT 1), 'open') END"""
# Version 2: a rejected correction counted here, but nowhere else.
_EXPERTS_2 = """(SELECT count(DISTINCT s.who) FROM standing s
  WHERE s.photo = {0} AND s.kind <> 'consensus' AND s.status <> 'withdrawn')"""
_EXPERTS = """(SELECT count(DISTINCT s.who) FROM counted s
  WHERE s.photo = {0} AND s.kind <> 'consensus')"""
# 1 if P is one half, 0 if it is 0 or 1; below 0: no prediction yet.
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
    # Not UNIQUE, although it is: SQLite would prefer it to the primary key and look up twice.
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
  UPDATE queue SET experts = {_EXPERTS_2.format("NEW.photo")} WHERE photo = NEW.photo;
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
  UPDATE queue SET experts = {_EXPERTS_2.format("NEW.photo")} WHERE photo = NEW.photo;
END""",
)

_BACKFILL = {
    "standing": f"""SELECT c.made, c.id, c.who, c.kind, c.verdict,
  {_STATUS.format("c.id")}, c.photo, coalesce(p.model, '')
  FROM corrections c LEFT JOIN predictions p ON p.id = c.prediction""",
    "tagged": """SELECT DISTINCT r.value, c.made, c.id
  FROM corrections c, json_each(c.reasons) r""",
    "queue": f"""SELECT 'doubt', f.sha256, {{experts}},
  {_LATEST_DOUBT.format("f.sha256")}
  FROM photos f""",
}

READ_MODEL = (
    *_READ_TABLES,
    *_UPKEEP,
    f"INSERT INTO standing {_BACKFILL['standing']}",
    f"INSERT INTO tagged {_BACKFILL['tagged']}",
    f"INSERT INTO queue {_BACKFILL['queue'].format(experts=_EXPERTS_2.format('f.sha256'))}",
)
"""Migration 2; existing records are filled in."""

COUNTED = (
    # The same rule as `records.is_counted`; a test compares the two.
    """CREATE VIEW counted AS
  SELECT * FROM standing WHERE status NOT IN ('rejected', 'withdrawn')""",
    "DROP TRIGGER correction_added",
    "DROP TRIGGER review_added",
    "DROP TRIGGER withdrawal_added",
    f"""CREATE TRIGGER correction_added AFTER INSERT ON corrections
BEGIN
  INSERT INTO standing VALUES (
    NEW.made, NEW.id, NEW.who, NEW.kind, NEW.verdict, 'open', NEW.photo,
    coalesce((SELECT model FROM predictions WHERE id = NEW.prediction), ''));
  INSERT INTO tagged SELECT DISTINCT value, NEW.made, NEW.id FROM json_each(NEW.reasons);
  UPDATE queue SET experts = {_EXPERTS.format("NEW.photo")} WHERE photo = NEW.photo;
END""",
    f"""CREATE TRIGGER review_added AFTER INSERT ON reviews WHEN NEW.action <> 'comment'
BEGIN
  UPDATE standing SET status = {_STATUS.format("NEW.correction")}
    WHERE correction = NEW.correction;
  UPDATE queue SET experts = {_EXPERTS.format("NEW.photo")} WHERE photo = NEW.photo;
END""",
    f"""CREATE TRIGGER withdrawal_added AFTER INSERT ON withdrawals
BEGIN
  UPDATE standing SET status = 'withdrawn' WHERE correction = NEW.correction;
  UPDATE queue SET experts = {_EXPERTS.format("NEW.photo")} WHERE photo = NEW.photo;
END""",
    f"UPDATE queue SET experts = {_EXPERTS.format('queue.photo')}",
    # Not read by this program: earlier ones, which know two steps, read it and refuse the database.
    "PRAGMA user_version = 3",
)
"""Migration 3: the view `counted` defines which corrections count, for the queue, too."""


def backfill(table: str) -> str:
    """SELECT the expected rows of a derived table from the records (and `standing`, for queue)."""
    return _BACKFILL[table].format(experts=_EXPERTS.format("f.sha256"))
