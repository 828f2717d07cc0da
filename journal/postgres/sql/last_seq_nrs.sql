-- Second of append_judged: the last sequence number of each entity of the batch that has events.
-- Lock: none of its own. Isolation: READ COMMITTED; its snapshot is taken after lock_shards has its locks, so it sees
-- every event of those shards, whoever wrote it.
SELECT k.key, e.seq_nr
FROM unnest($1::text[]) AS k (key)
CROSS JOIN LATERAL (
    SELECT e.seq_nr FROM {schema}.{journal}_event AS e WHERE e.key = k.key ORDER BY e.seq_nr DESC LIMIT 1
) AS e
