-- Locks, throughout: BEGIN IMMEDIATE has taken the file's one write lock before any statement that writes.

-- name: columns
-- Locks: the write lock, so no other program changes the table between its creation and this look at it.
SELECT name, type, "notnull", pk FROM pragma_table_info(?);

-- name: existing
-- Locks: a read snapshot; under the write lock it decides whether a table can be renamed.
SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name IN (SELECT value FROM json_each(?));

-- name: taken
-- Locks: the write lock. Tables and indexes share one space of names.
SELECT count(*) FROM sqlite_schema WHERE name = ?;

-- name: indexed
-- Locks: the write lock. Which columns have an index of their own.
SELECT max(c.name) FROM pragma_index_list(?) AS i JOIN pragma_index_info(i.name) AS c
WHERE i.origin = 'c' AND i.partial = 0 GROUP BY i.name HAVING count(*) = 1;

-- name: indexes
-- Locks: the write lock. The names that are taken among all indexes of the file.
SELECT name FROM sqlite_schema WHERE type = 'index';

-- name: rename
-- Locks: the write lock. Readers go on with the snapshot they have. Indexes keep their names.
ALTER TABLE "{old}" RENAME TO "{new}";

-- name: drop
-- Locks: the write lock.
DROP TABLE IF EXISTS "{table}";
