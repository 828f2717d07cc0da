-- What columns a table has: name, type, whether it must have a value, whether it is the key. No row: no such table.
-- Lock: none of its own; create_table runs it under migration_lock.sql, rename_table behind its own.
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       COALESCE(i.indnatts = 1 AND a.attnum = i.indkey[0], false)
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = $1::text::regnamespace AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY a.attnum
