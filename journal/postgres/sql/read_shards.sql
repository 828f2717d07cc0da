-- Events of several shards, of each those behind its offset.
-- Lock: none. Isolation: one snapshot. It has no hole: offset n + 1 is handed out only after the transaction of n gave up
-- the shard's row, and that is after it became visible; so whatever snapshot shows n + 1 shows n.
SELECT e.shard, e."offset", e.key, e.seq_nr, e.epoch, e.type_name, e.version, e.payload, e.metadata, e.recorded_at
FROM unnest($1::int[], $2::bigint[]) AS a (shard, after)
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.{journal}_event AS e
    WHERE e.shard = a.shard AND e."offset" > a.after
    ORDER BY e."offset"
    LIMIT $3
) AS e
