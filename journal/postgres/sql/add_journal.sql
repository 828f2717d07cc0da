-- Registers a journal. Lock: under migration_lock.sql.
INSERT INTO {schema}.aecorpy_journal (name, shard_count) VALUES ($1, $2)
