-- Registers a migration, in one transaction with what it changed. Lock: under migration_lock.sql.
INSERT INTO {schema}.aecorpy_schema (version, name) VALUES ($1, $2)
