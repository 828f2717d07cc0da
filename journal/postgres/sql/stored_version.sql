-- The version of the schema. Lock: none of its own; decided upon under migration_lock.sql.
SELECT COALESCE(max(version), 0) FROM {schema}.aecorpy_schema
