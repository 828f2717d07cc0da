-- Keeps a snapshot unless a newer one is there. Returns a row if the epoch is the shard's current one.
-- Lock: the shard's row FOR SHARE, until the commit, or it would not fence: a claim waits for it, and a put that waited
-- behind a claim finds another epoch. Puts do not wait for each other, except on one key. Isolation: READ COMMITTED.
WITH fence AS MATERIALIZED (
    SELECT epoch FROM {schema}.{journal}_shard WHERE shard = $1 AND epoch = $2 FOR SHARE
), kept AS (
    INSERT INTO {schema}.{journal}_snapshot AS s (key, seq_nr, type_name, version, payload)
    SELECT $3, $4, $5, $6, $7 FROM fence
    ON CONFLICT (key) DO UPDATE
    SET seq_nr = excluded.seq_nr, type_name = excluded.type_name, version = excluded.version, payload = excluded.payload
    WHERE s.seq_nr <= excluded.seq_nr
)
SELECT epoch FROM fence
