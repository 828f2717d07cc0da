-- The tables of one journal, in their newest form. Runs under the write lock, once per journal.
-- A migration that changes them also changes this file; {journal} is a validated name.

CREATE TABLE "{journal}_shard" (
    shard INTEGER NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    head INTEGER NOT NULL
);

-- Without a row id the events of a shard lie side by side, in the order in which projections read them.
CREATE TABLE "{journal}_event" (
    shard INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    key TEXT NOT NULL,
    seq_nr INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    type_name TEXT NOT NULL,
    version INTEGER NOT NULL,
    payload BLOB NOT NULL,
    metadata BLOB NOT NULL,
    recorded_at INTEGER NOT NULL, -- microseconds since 1970, UTC
    PRIMARY KEY (shard, "offset")
) WITHOUT ROWID;

CREATE UNIQUE INDEX "{journal}_event_key" ON "{journal}_event" (key, seq_nr);

CREATE TRIGGER "{journal}_event_no_update" BEFORE UPDATE ON "{journal}_event"
BEGIN
    SELECT RAISE(ABORT, 'events are immutable: {journal}_event takes no UPDATE');
END;

CREATE TRIGGER "{journal}_event_no_delete" BEFORE DELETE ON "{journal}_event"
BEGIN
    SELECT RAISE(ABORT, 'events are immutable: {journal}_event takes no DELETE');
END;

-- INSERT OR REPLACE deletes without asking the trigger above. This one costs a tenth of the rate of large batches.
CREATE TRIGGER "{journal}_event_no_replace" BEFORE INSERT ON "{journal}_event"
WHEN EXISTS (SELECT 1 FROM "{journal}_event" WHERE shard = NEW.shard AND "offset" = NEW."offset")
    OR EXISTS (SELECT 1 FROM "{journal}_event" WHERE key = NEW.key AND seq_nr = NEW.seq_nr)
BEGIN
    SELECT RAISE(ABORT, 'events are immutable: {journal}_event takes no REPLACE');
END;

CREATE TABLE "{journal}_snapshot" (
    key TEXT NOT NULL PRIMARY KEY,
    seq_nr INTEGER NOT NULL,
    type_name TEXT NOT NULL,
    version INTEGER NOT NULL,
    payload BLOB NOT NULL
);
