-- Last of append_judged: the new heads.
-- Lock: the shards' rows are held by lock_shards. Isolation: READ COMMITTED.
UPDATE {schema}.{journal}_shard AS s
SET head = w.head
FROM unnest($1::int[], $2::bigint[]) AS w (shard, head)
WHERE s.shard = w.shard
