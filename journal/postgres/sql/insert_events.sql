-- Third of append_judged: the events of the appends that were admitted.
-- Lock: the shards' rows are held by lock_shards. Isolation: READ COMMITTED.
INSERT INTO {schema}.{journal}_event (shard, "offset", epoch, key, seq_nr, type_name, version, payload, metadata)
SELECT * FROM unnest(
    $1::int[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::int[], $8::bytea[], $9::bytea[]
)
