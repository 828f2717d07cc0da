-- Locks, throughout: BEGIN IMMEDIATE has taken the file's one write lock before any statement that writes.

-- name: now
-- Locks: none. The clock of the machine the file lies on, in microseconds since 1970, to the millisecond.
SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000;

-- name: shard_count
-- Locks: a read snapshot; under the write lock it decides who creates a journal.
SELECT shard_count FROM aecorpy_journal WHERE name = ?;

-- name: register
-- Locks: the write lock.
INSERT INTO aecorpy_journal (name, shard_count) VALUES (?, ?);

-- name: add_shard
-- Locks: the write lock, with the journal's creation.
INSERT INTO "{journal}_shard" (shard, epoch, head) VALUES (?, 0, 0);
