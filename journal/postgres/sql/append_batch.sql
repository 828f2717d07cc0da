-- Appends a batch as a whole: every event, or none. Returns each shard's offset before its first new event, or no row:
-- then nothing was written, and append_judged decides append by append.
--
-- $1 shards, each once; $2 the epoch held for each; $3 how many events each gets; $4 start of the server that the
-- caller's knowledge comes from; $5, $6 entities whose last sequence number the caller does not know, and the one it
-- expects; $7 to $14 the events, `nth` counting from 1 within the shard. Arrays of numbers come as text, '{1,2,3}': the
-- driver looks at each number three times, which takes longer than writing and reading its digits.
--
-- Lock: the rows of the shards, in their order, so that batches of different processes cannot deadlock; until the
-- commit. They are counter, lock and fence: FOR NO KEY UPDATE waits for an append or a claim in flight and then reads
-- the row's newest version, so an append that waited behind a claim finds another epoch and writes nothing.
-- Isolation: READ COMMITTED, one statement, one implicit transaction. The snapshot is taken when the statement starts,
-- before the lock, and the check of sequence numbers reads that snapshot. That is sound for the holder of the epoch:
--   * what it appended itself before was committed before this statement began (one batch per shard in flight);
--   * what earlier holders appended was committed before its claim was, because both need the shard's row; later
--     appends of theirs are fenced. So the snapshot holds every event of the shard.
-- Should a second writer use the same epoch, or a statement whose answer was lost still be running, then events may
-- have come in between. Sequence numbers only grow, so there can be no hole, only a number taken: UNIQUE (key, seq_nr)
-- refuses that, the whole statement is undone, and append_judged, which looks after locking, finds the offender.
-- For the same reason the caller may leave out of $5 an entity whose last event it has itself seen committed, and
-- entities of which it appends event 1: no hole is possible. "Seen committed" holds for this server only: a standby that
-- was promoted may lack it, hence $4.
WITH held AS MATERIALIZED (
    SELECT s.shard, s.epoch
    FROM {schema}.{journal}_shard AS s
    WHERE s.shard = ANY ($1::text::int[])
    ORDER BY s.shard
    FOR NO KEY UPDATE
), fine AS MATERIALIZED (
    SELECT (SELECT count(*) FROM held JOIN unnest($1::text::int[], $2::text::bigint[]) AS w (shard, epoch) USING (shard, epoch))
               = cardinality($1::text::int[])
       AND pg_postmaster_start_time() = $4::timestamptz
       AND NOT EXISTS (
           SELECT FROM unnest($5::text[], $6::text::bigint[]) AS c (key, before)
           WHERE (SELECT COALESCE(max(e.seq_nr), 0) FROM {schema}.{journal}_event AS e WHERE e.key = c.key) <> c.before
       ) AS yes
), moved AS (
    UPDATE {schema}.{journal}_shard AS s
    SET head = s.head + w.n
    FROM unnest($1::text::int[], $2::text::bigint[], $3::text::bigint[]) AS w (shard, epoch, n)
    WHERE (SELECT yes FROM fine) AND s.shard = w.shard AND s.epoch = w.epoch
    RETURNING s.shard, s.epoch, s.head - w.n AS head
), written AS (
    INSERT INTO {schema}.{journal}_event (shard, "offset", key, seq_nr, epoch, type_name, version, payload, metadata)
    SELECT e.shard, m.head + e.nth, e.key, e.seq_nr, m.epoch, e.type_name, e.version, e.payload, e.metadata
    FROM unnest($7::text::int[], $8::text::bigint[], $9::text[], $10::text::bigint[], $11::text[], $12::text::int[], $13::bytea[], $14::bytea[])
        AS e (shard, nth, key, seq_nr, type_name, version, payload, metadata)
    JOIN moved AS m USING (shard)
)
SELECT shard, head FROM moved
