-- Locks, throughout: BEGIN IMMEDIATE has taken the file's one write lock before any statement that writes.

-- name: shards
-- Locks: the write lock, so that what it reads stays true until the commit: the fence of a batch.
SELECT shard, epoch, head FROM "{journal}_shard" WHERE shard IN (SELECT value FROM json_each(?));

-- name: last_seq_nr
-- Locks: the write lock, as above: the conflict check of a batch. Reads one entry of the index (key, seq_nr).
SELECT max(seq_nr) FROM "{journal}_event" WHERE key = ?;

-- name: advance
-- Locks: the write lock. The shard's row hands out the offsets and is the fence: no row, no offsets.
UPDATE "{journal}_shard" SET head = head + ? WHERE shard = ? AND epoch = ? RETURNING head;

-- name: insert
-- Locks: the write lock. Both unique keys are the second line behind `last_seq_nr` and `advance`.
INSERT INTO "{journal}_event"
    (shard, "offset", key, seq_nr, epoch, type_name, version, payload, metadata, recorded_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: claim
-- Locks: the write lock, so it waits for an append in progress, and appends that wait behind it are fenced.
UPDATE "{journal}_shard" SET epoch = ? WHERE shard = ? AND epoch < ? RETURNING shard, epoch, head;

-- name: epoch
-- Locks: the write lock where it fences a snapshot; else a read snapshot.
SELECT epoch FROM "{journal}_shard" WHERE shard = ?;

-- name: data_version
-- Locks: none. Another number than this connection got last time: somebody has committed something since.
PRAGMA data_version;

-- name: heads
-- Locks: a read snapshot; waits for nobody.
SELECT shard, epoch, head FROM "{journal}_shard" ORDER BY shard;

-- name: read_entity
-- Locks: a read snapshot; waits for nobody.
SELECT shard, "offset", key, seq_nr, epoch, type_name, version, payload, metadata, recorded_at
FROM "{journal}_event" WHERE key = ? AND seq_nr >= ? ORDER BY seq_nr LIMIT ?;

-- name: read_shards
-- Locks: a read snapshot; waits for nobody. Offsets have no holes, so a range of offsets is the limit per shard.
SELECT event.shard, event."offset", event.key, event.seq_nr, event.epoch, event.type_name, event.version,
    event.payload, event.metadata, event.recorded_at
FROM json_each(?) AS after CROSS JOIN "{journal}_event" AS event
WHERE event.shard = CAST(after.key AS INTEGER) AND event."offset" > after.value AND event."offset" <= after.value + ?
ORDER BY event.shard, event."offset";

-- name: get_snapshot
-- Locks: a read snapshot; waits for nobody.
SELECT key, seq_nr, type_name, version, payload FROM "{journal}_snapshot" WHERE key = ?;

-- name: put_snapshot
-- Locks: the write lock, in one transaction with `epoch`. An older snapshot that comes late changes nothing.
INSERT INTO "{journal}_snapshot" (key, seq_nr, type_name, version, payload) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    seq_nr = excluded.seq_nr, type_name = excluded.type_name, version = excluded.version, payload = excluded.payload
WHERE excluded.seq_nr >= seq_nr;

-- name: delete_snapshot
-- Locks: the write lock.
DELETE FROM "{journal}_snapshot" WHERE key = ?;
