-- name: exists
-- Locks: a read snapshot.
SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'aecorpy_schema';

-- name: version
-- Locks: a read snapshot to look whether anything is to be done; the write lock to decide and do it.
SELECT coalesce(max(version), 0) FROM aecorpy_schema;

-- name: create
-- Locks: the write lock.
CREATE TABLE IF NOT EXISTS aecorpy_schema (
    version INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at INTEGER NOT NULL
);

-- name: applied
-- Locks: the write lock, in one transaction with what the migration changed.
INSERT INTO aecorpy_schema (version, name, applied_at) VALUES (?, ?, ?);

-- name: journals
-- Locks: the write lock, so that no journal is created beside a migration.
SELECT name FROM aecorpy_journal ORDER BY name;
