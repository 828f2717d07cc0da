-- The journals there are, with their number of shards. Lock: none of its own.
SELECT name, shard_count FROM {schema}.aecorpy_journal ORDER BY name
