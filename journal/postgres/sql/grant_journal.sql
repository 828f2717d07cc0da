-- What the application's role needs, per journal. Lock: under migration_lock.sql.
GRANT SELECT, INSERT ON {schema}.{journal}_event TO {role};
GRANT SELECT, UPDATE ON {schema}.{journal}_shard TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.{journal}_snapshot TO {role};
