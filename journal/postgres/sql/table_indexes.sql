-- The names of a table's indexes. Lock: as table_columns.sql; or under that of rename_table.sql.
SELECT x.relname::text
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_class AS x ON x.oid = i.indexrelid
WHERE c.relnamespace = $1::text::regnamespace AND c.relname = $2
