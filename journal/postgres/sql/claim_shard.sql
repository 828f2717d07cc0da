-- Makes an epoch the current one of a shard, if it is newer.
-- Lock: the shard's row, until the commit: waits for the append in flight, whose events are then in the head returned;
-- every append behind it finds the new epoch. Isolation: READ COMMITTED, one statement.
UPDATE {schema}.{journal}_shard
SET epoch = $2
WHERE shard = $1 AND epoch < $2
RETURNING shard, epoch, head
