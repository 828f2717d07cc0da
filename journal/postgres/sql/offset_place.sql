-- Sets a consumer's offsets on some tags and raises their epochs, so that whoever holds them is fenced.
-- Lock: the rows of the tags, in their order, until the transaction ends. It waits for a move that has the row, and
-- overwrites what that one committed; a move that waited behind it finds another epoch (offset_move.sql).
-- Isolation: READ COMMITTED; ON CONFLICT reads a row it waited for in its newest version.
INSERT INTO {schema}.aecorpy_offset AS o (consumer, tag, epoch, position)
SELECT $1, p.tag, 1, p.position FROM unnest($2::text[], $3::bigint[]) AS p (tag, position) ORDER BY p.tag COLLATE "C"
ON CONFLICT (consumer, tag) DO UPDATE SET epoch = o.epoch + 1, position = excluded.position
