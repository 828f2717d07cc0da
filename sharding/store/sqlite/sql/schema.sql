-- The version of the tables. `create_version` and `set_version` run under the file's write lock.

-- name: version_exists
SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'aecorpy_cluster_schema'

-- name: version
SELECT coalesce(max(version), 0) FROM aecorpy_cluster_schema

-- name: create_version
CREATE TABLE IF NOT EXISTS aecorpy_cluster_schema (version INTEGER PRIMARY KEY) STRICT

-- name: set_version
INSERT INTO aecorpy_cluster_schema (version) VALUES (?)
