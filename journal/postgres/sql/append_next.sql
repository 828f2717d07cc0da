-- Appends a batch of one event, as append_one does, where the caller has itself seen the event before it committed, or it
-- is the entity's first. Returns its offset, or no row: then nothing was written, and append_judged says why.
--
-- The last sequence number is not looked up, which takes as long as writing the event: no hole is possible, and UNIQUE
-- (key, seq_nr) refuses a number that is taken. $9 is the start of the server that the caller's knowledge comes from.
-- Lock and isolation: as append_one; why this is sound: see append_batch.sql.
WITH moved AS (
    UPDATE {schema}.{journal}_shard
    SET head = head + 1
    WHERE shard = $1 AND epoch = $2 AND $4 > 0 AND pg_postmaster_start_time() = $9
    RETURNING head
)
INSERT INTO {schema}.{journal}_event (shard, "offset", key, seq_nr, epoch, type_name, version, payload, metadata)
SELECT $1, moved.head, $3, $4, $2, $5, $6, $7, $8 FROM moved
RETURNING "offset"
