-- All tags of a consumer, for a transaction that will place or move them.
-- Lock: the rows, in the order of the tags, until the transaction ends. Claims, moves and placings wait meanwhile.
-- Isolation: READ COMMITTED; a row that was waited for is read in its newest version.
SELECT tag, position, epoch FROM {schema}.aecorpy_offset WHERE consumer = $1 ORDER BY tag FOR NO KEY UPDATE
