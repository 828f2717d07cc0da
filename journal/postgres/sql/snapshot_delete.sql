-- Forgets the snapshot of an entity. Lock: its row. Isolation: READ COMMITTED, one statement.
DELETE FROM {schema}.{journal}_snapshot WHERE key = $1
