-- First of append_judged: the rows of the batch's shards, and the server's start.
-- Lock: those rows, in their order, until the transaction ends. Nobody else can append to these shards or claim them
-- meanwhile; a client that falls silent loses its session after idle_in_transaction_session_timeout.
-- Isolation: READ COMMITTED; a row that was waited for is read in its newest version.
SELECT s.shard, s.epoch, s.head, pg_postmaster_start_time() AS server_started
FROM {schema}.{journal}_shard AS s
WHERE s.shard = ANY ($1::int[])
ORDER BY s.shard
FOR NO KEY UPDATE OF s
