-- What the application's role needs, once per schema: no DDL, nothing it could destroy events with.
-- Lock: under migration_lock.sql.
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.aecorpy_note TO {role};
GRANT SELECT ON {schema}.aecorpy_schema, {schema}.aecorpy_journal TO {role};
GRANT SELECT, INSERT, UPDATE ON {schema}.aecorpy_offset TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.aecorpy_dead_letter TO {role};
