-- The version of the schema after a migration. Lock: under migration_lock.sql.
UPDATE {schema}.aecorpy_schema SET version = $1
