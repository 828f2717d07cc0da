-- Moves a consumer's offsets on some tags: all, or none. Returns the tags moved.
-- Lock: the rows of the tags, in their order, until the transaction ends: it serialises movers of one tag, and is the
-- fence: a claim waits for it, and a move that waited behind a claim finds another epoch. FOR NO KEY UPDATE tests its
-- conditions again on the newest version of a row it waited for. Isolation: READ COMMITTED.
WITH held AS MATERIALIZED (
    SELECT o.tag, m.after
    FROM {schema}.aecorpy_offset AS o
    JOIN unnest($2::text[], $3::bigint[], $4::bigint[]) AS m (tag, before, after) ON m.tag = o.tag
    WHERE o.consumer = $1 AND o.epoch = $5 AND o.position = m.before
    ORDER BY o.tag
    FOR NO KEY UPDATE OF o
)
UPDATE {schema}.aecorpy_offset AS o
SET position = h.after
FROM held AS h
WHERE o.consumer = $1 AND o.tag = h.tag AND (SELECT count(*) FROM held) = cardinality($2)
RETURNING o.tag
