-- The version of the tables.

-- Lock: an advisory lock, by our own number and the schema's name, until the transaction ends. Programs that create or
-- upgrade the tables take turns; what is read after the wait is what the one before has committed.
-- name: migration_lock
SELECT pg_advisory_xact_lock(1634034545, hashtext(current_schema()))

-- Looks into the catalog: to_regclass can answer from a cache of the time before the wait for the lock.
-- name: version_exists
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class
    WHERE relname = 'aecorpy_cluster_schema' AND relkind IN ('r', 'p') AND pg_catalog.pg_table_is_visible(oid)
)

-- name: version
SELECT coalesce(max(version), 0) FROM aecorpy_cluster_schema

-- name: create_version
CREATE TABLE IF NOT EXISTS aecorpy_cluster_schema (version int PRIMARY KEY)

-- name: set_version
INSERT INTO aecorpy_cluster_schema (version) VALUES ($1)
