-- An entity's events from a sequence number on. Lock: none. Isolation: one snapshot.
SELECT shard, "offset", key, seq_nr, epoch, type_name, version, payload, metadata, recorded_at
FROM {schema}.{journal}_event
WHERE key = $1 AND seq_nr >= $2
ORDER BY seq_nr
LIMIT $3
