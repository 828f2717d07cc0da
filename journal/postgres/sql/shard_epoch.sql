-- The current epoch of a shard, for the message to who is fenced. Lock: none.
SELECT epoch FROM {schema}.{journal}_shard WHERE shard = $1
