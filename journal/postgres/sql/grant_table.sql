-- What the application's role needs, per view table. Lock: under migration_lock.sql.
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role};
