-- A labels database as version 2 wrote it; tests bring it up to date. Never edited.
PRAGMA application_id = 1381188935;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'rustseg_labels','0001_records','2026-11-24 00:00:00.000000+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'rustseg_labels','0002_read_model','2026-11-24 00:00:00.000000+00:00');
CREATE TABLE corrections (
  id TEXT PRIMARY KEY CHECK (length(id) = 36 AND id NOT GLOB '*[^0-9a-f-]*'),
  photo TEXT NOT NULL REFERENCES photos (sha256),
  prediction TEXT,
  parent TEXT CHECK (parent <> id),
  kind TEXT NOT NULL CHECK (kind IN ('expert', 'import', 'consensus')),
  method TEXT NOT NULL CHECK ((kind = 'consensus') = (method <> '')),
  sources TEXT NOT NULL CHECK (json_type(sources) = 'array'),
  nonce TEXT NOT NULL UNIQUE CHECK (length(nonce) BETWEEN 8 AND 200),
  payload TEXT NOT NULL CHECK (length(payload) = 64 AND payload NOT GLOB '*[^0-9a-f]*'),
  verdict TEXT NOT NULL CHECK (verdict IN ('corrosion', 'none', 'can''t tell')),
  area INTEGER CHECK (area >= 0),
  ignored INTEGER CHECK (ignored > 0),
  reasons TEXT NOT NULL CHECK (json_type(reasons) = 'array'),
  wrong_reason INTEGER NOT NULL CHECK (wrong_reason IN (0, 1)),
  note TEXT NOT NULL,
  confidence REAL CHECK (confidence BETWEEN 0 AND 1),
  seconds REAL CHECK (seconds >= 0),
  who TEXT NOT NULL CHECK (length(trim(who)) > 0),
  verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
  app TEXT NOT NULL,
  made TEXT NOT NULL CHECK (made GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
  mask TEXT CHECK (length(mask) > 0),
  ignore TEXT CHECK (length(ignore) > 0),
  strokes TEXT NOT NULL CHECK (json_valid(strokes)),
  CHECK ((mask IS NULL) = (area IS NULL)),
  CHECK ((ignore IS NULL) = (ignored IS NULL)),
  CHECK (verdict <> 'none' OR coalesce(area, 0) = 0),
  UNIQUE (id, photo),
  FOREIGN KEY (prediction, photo) REFERENCES predictions (id, photo),
  FOREIGN KEY (parent, photo) REFERENCES corrections (id, photo)
) STRICT;
INSERT INTO "corrections" VALUES('e1ce0e42-5bd8-59b6-a1cb-0f96a0f4adfc','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','11111111-1111-4111-8111-111111111111',NULL,'expert','','[]','nonce-of-ada','c5b407477cf42b2e7f24db39b4c624963d5cae5f77bac813bf74751da9e64501','corrosion',32,NULL,'["brick","soil"]',0,'',NULL,NULL,'ada',0,'0.1.0','2026-11-24T04:00:00.000000Z','04<0000000000000P4',NULL,'[]');
INSERT INTO "corrections" VALUES('066733ca-14e6-5bf0-9b72-390e20116c35','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','11111111-1111-4111-8111-111111111111','e1ce0e42-5bd8-59b6-a1cb-0f96a0f4adfc','expert','','[]','nonce-of-bob','2c2d2c0eec93427cc50f6f0a6612c0b2d5c1fa23cc1a17774a1ed64ebe33fb33','can''t tell',NULL,NULL,'[]',0,'',NULL,NULL,'bob',0,'0.1.0','2026-11-24T05:00:00.000000Z',NULL,NULL,'[]');
INSERT INTO "corrections" VALUES('b68a0115-1b78-57b0-b7b6-5d868d641224','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','11111111-1111-4111-8111-111111111111',NULL,'expert','','[]','nonce-of-cleo','f62349917725f5f605be4c83a185fae4b13e77553790f92b944f5d387956ccae','none',0,NULL,'[]',0,'',NULL,NULL,'cleo',0,'0.1.0','2026-11-24T06:00:00.000000Z','P8',NULL,'[]');
INSERT INTO "corrections" VALUES('47171ec2-507f-53fa-be27-c0467986de29','d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35',NULL,NULL,'expert','','[]','save-dora-1','4fff59b15740338ad5e9a5aa984d8124a6ba697b86a0fc6710d24b256900adb5','none',NULL,NULL,'[]',0,'',NULL,NULL,'dora',0,'0.1.0','2026-11-24T01:00:00.000000Z',NULL,NULL,'[]');
CREATE TABLE erasures (
  id TEXT PRIMARY KEY CHECK (length(id) = 36 AND id NOT GLOB '*[^0-9a-f-]*'),
  photo TEXT NOT NULL CHECK (length(photo) = 64 AND photo NOT GLOB '*[^0-9a-f]*'),
  original TEXT NOT NULL CHECK (length(original) = 64 AND original NOT GLOB '*[^0-9a-f]*'),
  reason TEXT NOT NULL CHECK (length(trim(reason)) > 0),
  removed TEXT NOT NULL CHECK (json_valid(removed)),
  who TEXT NOT NULL CHECK (length(trim(who)) > 0),
  verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
  app TEXT NOT NULL,
  made TEXT NOT NULL CHECK (made GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
) STRICT;
INSERT INTO "erasures" VALUES('568bb912-1913-5a03-9c75-512bd1742efb','19581e27de7ced00ff1ce50b2047e7a567c76b1cbaebabe5ef03f7c3017bb5b7','19581e27de7ced00ff1ce50b2047e7a567c76b1cbaebabe5ef03f7c3017bb5b7','asked','{}','ada',0,'0.1.0','2026-11-24T09:00:00.000000Z');
CREATE TABLE photos (
  sha256 TEXT PRIMARY KEY CHECK (length(sha256) = 64 AND sha256 NOT GLOB '*[^0-9a-f]*'),
  original TEXT NOT NULL CHECK (length(original) = 64 AND original NOT GLOB '*[^0-9a-f]*'),
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
  added TEXT NOT NULL CHECK (added GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z')
) STRICT;
INSERT INTO "photos" VALUES('6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b',101,16,16,'png','kept','given','CC0','1.png','s','scene-1','site','2026-11-24T01:00:00.000000Z');
INSERT INTO "photos" VALUES('d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35','d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35',102,16,16,'png','kept','given','CC0','2.png','s','scene-2','site','2026-11-24T02:00:00.000000Z');
CREATE TABLE predictions (
  id TEXT PRIMARY KEY CHECK (length(id) = 36 AND id NOT GLOB '*[^0-9a-f-]*'),
  photo TEXT NOT NULL REFERENCES photos (sha256),
  model TEXT NOT NULL,
  config TEXT NOT NULL CHECK (json_valid(config)),
  probability REAL NOT NULL CHECK (probability BETWEEN 0 AND 1),
  corroded INTEGER NOT NULL CHECK (corroded IN (0, 1)),
  threshold REAL NOT NULL CHECK (threshold BETWEEN 0 AND 1),
  reason TEXT NOT NULL,
  uncertainty REAL CHECK (uncertainty BETWEEN 0 AND 1),
  app TEXT NOT NULL,
  made TEXT NOT NULL CHECK (made GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
  heat_rows INTEGER NOT NULL CHECK (heat_rows > 0),
  heat_columns INTEGER NOT NULL CHECK (heat_columns > 0),
  heat BLOB NOT NULL,
  rough TEXT NOT NULL CHECK (length(rough) > 0),
  mask TEXT NOT NULL CHECK (length(mask) > 0),
  UNIQUE (id, photo)
) STRICT;
INSERT INTO "predictions" VALUES('11111111-1111-4111-8111-111111111111','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{}',0.75,1,0.5,'',NULL,'0.1.0','2026-11-24T03:00:00.000000Z',2,2,X'789C6360606058BD6A95DDEA555AF60C0C0DF60025A804BB','0880000000000000P4','04<00000P6');
CREATE TABLE queue (
  name TEXT NOT NULL,
  photo TEXT NOT NULL,
  experts INTEGER NOT NULL CHECK (experts >= 0),
  score REAL NOT NULL,
  PRIMARY KEY (name, photo)
) STRICT, WITHOUT ROWID;
INSERT INTO "queue" VALUES('doubt','d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35',1,-1.0);
INSERT INTO "queue" VALUES('doubt','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b',2,0.5);
INSERT INTO "queue" VALUES('risk','d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35',1,0.25);
CREATE TABLE reviews (
  id TEXT PRIMARY KEY CHECK (length(id) = 36 AND id NOT GLOB '*[^0-9a-f-]*'),
  correction TEXT NOT NULL,
  photo TEXT NOT NULL REFERENCES photos (sha256),
  nonce TEXT NOT NULL UNIQUE CHECK (length(nonce) BETWEEN 8 AND 200),
  action TEXT NOT NULL CHECK (action IN ('approve', 'reject', 'flag', 'comment')),
  comment TEXT NOT NULL CHECK (action <> 'comment' OR length(trim(comment)) > 0),
  who TEXT NOT NULL CHECK (length(trim(who)) > 0),
  verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
  app TEXT NOT NULL,
  made TEXT NOT NULL CHECK (made GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
  FOREIGN KEY (correction, photo) REFERENCES corrections (id, photo)
) STRICT;
INSERT INTO "reviews" VALUES('525aa6c2-ae3c-5a3d-9bb3-241a10f9d9bb','e1ce0e42-5bd8-59b6-a1cb-0f96a0f4adfc','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','review-1','approve','','ada',0,'0.1.0','2026-11-24T06:00:00.000000Z');
INSERT INTO "reviews" VALUES('b3810fdc-17cc-516f-bf71-1ed44720810b','e1ce0e42-5bd8-59b6-a1cb-0f96a0f4adfc','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','review-2','flag','look again','ada',0,'0.1.0','2026-11-24T07:00:00.000000Z');
INSERT INTO "reviews" VALUES('501d0948-eee6-57da-9099-68b1cd889972','e1ce0e42-5bd8-59b6-a1cb-0f96a0f4adfc','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','review-3','comment','done','ada',0,'0.1.0','2026-11-24T08:00:00.000000Z');
INSERT INTO "reviews" VALUES('d6cce596-9f8f-571e-a722-270f7e3e87c3','47171ec2-507f-53fa-be27-c0467986de29','d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35','review-4','reject','there is rust','ada',0,'0.1.0','2026-11-24T01:00:01.000000Z');
CREATE TABLE standing (
  made TEXT NOT NULL,
  correction TEXT NOT NULL,
  who TEXT NOT NULL,
  kind TEXT NOT NULL,
  verdict TEXT NOT NULL,
  status TEXT NOT NULL,
  photo TEXT NOT NULL,
  model TEXT NOT NULL,
  PRIMARY KEY (made, correction)
) STRICT, WITHOUT ROWID;
INSERT INTO "standing" VALUES('2026-11-24T01:00:00.000000Z','47171ec2-507f-53fa-be27-c0467986de29','dora','expert','none','rejected','d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35','');
INSERT INTO "standing" VALUES('2026-11-24T04:00:00.000000Z','e1ce0e42-5bd8-59b6-a1cb-0f96a0f4adfc','ada','expert','corrosion','flagged','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "standing" VALUES('2026-11-24T05:00:00.000000Z','066733ca-14e6-5bf0-9b72-390e20116c35','bob','expert','can''t tell','open','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "standing" VALUES('2026-11-24T06:00:00.000000Z','b68a0115-1b78-57b0-b7b6-5d868d641224','cleo','expert','none','withdrawn','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
CREATE TABLE tagged (
  reason TEXT NOT NULL,
  made TEXT NOT NULL,
  correction TEXT NOT NULL,
  PRIMARY KEY (reason, made, correction)
) STRICT, WITHOUT ROWID;
INSERT INTO "tagged" VALUES('brick','2026-11-24T04:00:00.000000Z','e1ce0e42-5bd8-59b6-a1cb-0f96a0f4adfc');
INSERT INTO "tagged" VALUES('soil','2026-11-24T04:00:00.000000Z','e1ce0e42-5bd8-59b6-a1cb-0f96a0f4adfc');
CREATE TABLE withdrawals (
  id TEXT PRIMARY KEY CHECK (length(id) = 36 AND id NOT GLOB '*[^0-9a-f-]*'),
  correction TEXT NOT NULL,
  photo TEXT NOT NULL REFERENCES photos (sha256),
  nonce TEXT NOT NULL UNIQUE CHECK (length(nonce) BETWEEN 8 AND 200),
  reason TEXT NOT NULL,
  who TEXT NOT NULL CHECK (length(trim(who)) > 0),
  verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
  app TEXT NOT NULL,
  made TEXT NOT NULL CHECK (made GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z'),
  FOREIGN KEY (correction, photo) REFERENCES corrections (id, photo)
) STRICT;
INSERT INTO "withdrawals" VALUES('69748165-bef0-5851-95ae-f65c6f728253','b68a0115-1b78-57b0-b7b6-5d868d641224','6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','withdraw-1','','ada',0,'0.1.0','2026-11-24T09:00:00.000000Z');
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX photos_original ON photos (original);
CREATE INDEX predictions_photo ON predictions (photo, made);
CREATE INDEX corrections_photo ON corrections (photo, made);
CREATE INDEX corrections_prediction ON corrections (prediction);
CREATE INDEX corrections_parent ON corrections (parent) WHERE parent IS NOT NULL;
CREATE INDEX reviews_correction ON reviews (correction, made);
CREATE INDEX reviews_photo ON reviews (photo, made);
CREATE INDEX withdrawals_correction ON withdrawals (correction);
CREATE INDEX withdrawals_photo ON withdrawals (photo, made);
CREATE INDEX erasures_photo ON erasures (photo);
CREATE INDEX erasures_original ON erasures (original);
CREATE TRIGGER photos_never_change BEFORE UPDATE ON photos
BEGIN SELECT RAISE(ABORT, 'append-only: photos are never changed'); END;
CREATE TRIGGER photos_never_delete BEFORE DELETE ON photos
  WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE photo = OLD.sha256)
BEGIN SELECT RAISE(ABORT, 'append-only: photos are never deleted, photos are erased'); END;
CREATE TRIGGER photos_never_replace BEFORE INSERT ON photos
  WHEN EXISTS (SELECT 1 FROM photos WHERE sha256 = NEW.sha256)
BEGIN SELECT RAISE(ABORT, 'append-only: photos are never replaced'); END;
CREATE TRIGGER predictions_never_change BEFORE UPDATE ON predictions
BEGIN SELECT RAISE(ABORT, 'append-only: predictions are never changed'); END;
CREATE TRIGGER predictions_never_delete BEFORE DELETE ON predictions
  WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE photo = OLD.photo)
BEGIN SELECT RAISE(ABORT, 'append-only: predictions are never deleted, photos are erased'); END;
CREATE TRIGGER predictions_never_replace BEFORE INSERT ON predictions
  WHEN EXISTS (SELECT 1 FROM predictions WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: predictions are never replaced'); END;
CREATE TRIGGER corrections_never_change BEFORE UPDATE ON corrections
BEGIN SELECT RAISE(ABORT, 'append-only: corrections are never changed'); END;
CREATE TRIGGER corrections_never_delete BEFORE DELETE ON corrections
  WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE photo = OLD.photo)
BEGIN SELECT RAISE(ABORT, 'append-only: corrections are never deleted, photos are erased'); END;
CREATE TRIGGER corrections_never_replace BEFORE INSERT ON corrections
  WHEN EXISTS (SELECT 1 FROM corrections WHERE id = NEW.id OR nonce = NEW.nonce)
BEGIN SELECT RAISE(ABORT, 'append-only: corrections are never replaced'); END;
CREATE TRIGGER reviews_never_change BEFORE UPDATE ON reviews
BEGIN SELECT RAISE(ABORT, 'append-only: reviews are never changed'); END;
CREATE TRIGGER reviews_never_delete BEFORE DELETE ON reviews
  WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE photo = OLD.photo)
BEGIN SELECT RAISE(ABORT, 'append-only: reviews are never deleted, photos are erased'); END;
CREATE TRIGGER reviews_never_replace BEFORE INSERT ON reviews
  WHEN EXISTS (SELECT 1 FROM reviews WHERE id = NEW.id OR nonce = NEW.nonce)
BEGIN SELECT RAISE(ABORT, 'append-only: reviews are never replaced'); END;
CREATE TRIGGER withdrawals_never_change BEFORE UPDATE ON withdrawals
BEGIN SELECT RAISE(ABORT, 'append-only: withdrawals are never changed'); END;
CREATE TRIGGER withdrawals_never_delete BEFORE DELETE ON withdrawals
  WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE photo = OLD.photo)
BEGIN SELECT RAISE(ABORT, 'append-only: withdrawals are never deleted, photos are erased'); END;
CREATE TRIGGER withdrawals_never_replace BEFORE INSERT ON withdrawals
  WHEN EXISTS (SELECT 1 FROM withdrawals WHERE id = NEW.id OR nonce = NEW.nonce)
BEGIN SELECT RAISE(ABORT, 'append-only: withdrawals are never replaced'); END;
CREATE TRIGGER erasures_never_change BEFORE UPDATE ON erasures
BEGIN SELECT RAISE(ABORT, 'append-only: erasures are never changed'); END;
CREATE TRIGGER erasures_never_delete BEFORE DELETE ON erasures
BEGIN SELECT RAISE(ABORT, 'append-only: erasures are never deleted, photos are erased'); END;
CREATE TRIGGER erasures_never_replace BEFORE INSERT ON erasures
  WHEN EXISTS (SELECT 1 FROM erasures WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'append-only: erasures are never replaced'); END;
CREATE TRIGGER photos_stay_erased BEFORE INSERT ON photos
  WHEN EXISTS (SELECT 1 FROM erasures WHERE photo IN (NEW.sha256, NEW.original)
               UNION ALL
               SELECT 1 FROM erasures WHERE original IN (NEW.sha256, NEW.original))
BEGIN SELECT RAISE(ABORT, 'erased: this photo was erased on request'); END;
CREATE INDEX standing_correction ON standing (correction);
CREATE INDEX standing_who ON standing (who, made, correction);
CREATE INDEX standing_verdict ON standing (verdict, made, correction);
CREATE INDEX standing_model ON standing (model, made, correction);
CREATE INDEX standing_status ON standing (status, made, correction);
CREATE INDEX standing_photo ON standing (photo, who, made);
CREATE INDEX queue_order ON queue (name, experts, score DESC, photo);
CREATE INDEX queue_photo ON queue (photo);
CREATE TRIGGER photo_added AFTER INSERT ON photos
BEGIN
  INSERT INTO queue VALUES ('doubt', NEW.sha256, 0, -1.0);
END;
CREATE TRIGGER photo_erased AFTER DELETE ON photos
BEGIN
  DELETE FROM queue WHERE photo = OLD.sha256;
END;
CREATE TRIGGER prediction_added AFTER INSERT ON predictions
BEGIN
  UPDATE queue SET score = coalesce((SELECT 1.0 - 2.0 * abs(p.probability - 0.5)
  FROM predictions p WHERE p.photo = NEW.photo ORDER BY p.made DESC, p.id DESC LIMIT 1), -1.0)
    WHERE name = 'doubt' AND photo = NEW.photo;
END;
CREATE TRIGGER correction_added AFTER INSERT ON corrections
BEGIN
  INSERT INTO standing VALUES (
    NEW.made, NEW.id, NEW.who, NEW.kind, NEW.verdict, 'open', NEW.photo,
    coalesce((SELECT model FROM predictions WHERE id = NEW.prediction), ''));
  INSERT INTO tagged SELECT DISTINCT value, NEW.made, NEW.id FROM json_each(NEW.reasons);
  UPDATE queue SET experts = (SELECT count(DISTINCT s.who) FROM standing s
  WHERE s.photo = NEW.photo AND s.kind <> 'consensus' AND s.status <> 'withdrawn') WHERE photo = NEW.photo;
END;
CREATE TRIGGER correction_erased AFTER DELETE ON corrections
BEGIN
  DELETE FROM standing WHERE made = OLD.made AND correction = OLD.id;
  DELETE FROM tagged WHERE made = OLD.made AND correction = OLD.id
    AND reason IN (SELECT value FROM json_each(OLD.reasons));
END;
CREATE TRIGGER review_added AFTER INSERT ON reviews WHEN NEW.action <> 'comment'
BEGIN
  UPDATE standing SET status = CASE
  WHEN EXISTS (SELECT 1 FROM withdrawals w WHERE w.correction = NEW.correction) THEN 'withdrawn'
  ELSE coalesce((SELECT CASE r.action WHEN 'approve' THEN 'approved'
                                      WHEN 'reject' THEN 'rejected' ELSE 'flagged' END
                 FROM reviews r WHERE r.correction = NEW.correction AND r.action <> 'comment'
                 ORDER BY r.made DESC, r.id DESC LIMIT 1), 'open') END
    WHERE correction = NEW.correction;
END;
CREATE TRIGGER withdrawal_added AFTER INSERT ON withdrawals
BEGIN
  UPDATE standing SET status = 'withdrawn' WHERE correction = NEW.correction;
  UPDATE queue SET experts = (SELECT count(DISTINCT s.who) FROM standing s
  WHERE s.photo = NEW.photo AND s.kind <> 'consensus' AND s.status <> 'withdrawn') WHERE photo = NEW.photo;
END;
COMMIT;
