-- The row of every shard. Lock: none. Isolation: one snapshot, so no head is ahead of the events that are readable.
SELECT shard, epoch, head FROM {schema}.{journal}_shard ORDER BY shard
