-- Deletes a consumer's offsets.
-- Lock: the rows, in the order of the tags, until the transaction ends. A move that waited behind it finds no row, and is
-- fenced. Isolation: READ COMMITTED.
WITH held AS MATERIALIZED (
    SELECT tag FROM {schema}.aecorpy_offset WHERE consumer = $1 ORDER BY tag FOR UPDATE
)
DELETE FROM {schema}.aecorpy_offset WHERE consumer = $1 AND tag IN (SELECT tag FROM held)
