-- The version of the schema. Lock: none of its own.
SELECT version FROM {schema}.aecorpy_schema
