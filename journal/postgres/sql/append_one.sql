-- Appends a batch of one event. Returns its offset, or no row: then nothing was written, and append_judged says why.
--
-- Lock: the shard's row, by the UPDATE, until the commit. It is counter, lock and fence in one: an append that waited
-- behind a claim finds the row's new version, fails `epoch = $2` and updates nothing.
-- Isolation: READ COMMITTED, one statement, one implicit transaction. Why the check of the last sequence number is
-- sound although its snapshot is older than the lock: see append_batch.sql.
WITH moved AS (
    UPDATE {schema}.{journal}_shard
    SET head = head + 1
    WHERE shard = $1 AND epoch = $2
      AND (SELECT COALESCE(max(e.seq_nr), 0) FROM {schema}.{journal}_event AS e WHERE e.key = $3) = $4 - 1
    RETURNING head
)
INSERT INTO {schema}.{journal}_event (shard, "offset", key, seq_nr, epoch, type_name, version, payload, metadata)
SELECT $1, moved.head, $3, $4, $2, $5, $6, $7, $8 FROM moved
RETURNING "offset"
