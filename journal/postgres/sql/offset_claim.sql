-- Makes an epoch the current one of a consumer on some tags; returns those on which it was newer.
-- Lock: the rows of the tags, in their order, so that two claims cannot deadlock; until the transaction ends, which the
-- caller rolls back if a tag is missing from the answer. Waits for transactions that have moved one of the offsets.
-- Isolation: READ COMMITTED; ON CONFLICT reads a row it waited for in its newest version.
INSERT INTO {schema}.aecorpy_offset AS o (consumer, tag, epoch, position)
SELECT $1, tag, $3, 0 FROM unnest($2::text[]) AS tag ORDER BY tag
ON CONFLICT (consumer, tag) DO UPDATE SET epoch = excluded.epoch WHERE o.epoch < excluded.epoch
RETURNING tag, position
