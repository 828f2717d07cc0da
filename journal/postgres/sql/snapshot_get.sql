-- The snapshot of an entity. Lock: none.
SELECT key, seq_nr, type_name, version, payload FROM {schema}.{journal}_snapshot WHERE key = $1
