-- Forgets notes of one kind. Lock: their rows, in the order in which note_put.sql locks them, until the transaction ends.
-- Isolation: READ COMMITTED; FOR UPDATE reads a row it waited for in its newest version.
WITH held AS MATERIALIZED (
    SELECT name FROM {schema}.aecorpy_note WHERE kind = $1 AND name = ANY ($2::text[]) ORDER BY name FOR UPDATE
)
DELETE FROM {schema}.aecorpy_note AS n USING held AS h WHERE n.kind = $1 AND n.name = h.name
