-- Deletes a tag's letters behind an offset, in the transaction that sets the consumer back to it.
-- Lock: the letters' rows. Whoever sets one aside moves the offset with it, so none comes in between. Isolation: READ
-- COMMITTED.
DELETE FROM {schema}.aecorpy_dead_letter WHERE consumer = $1 AND tag = $2 AND "offset" > $3 RETURNING "offset"
