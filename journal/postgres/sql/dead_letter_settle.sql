-- Deletes a letter, in the transaction that handles its event; no row returned: there is none.
-- Lock: the letter's row, until the transaction ends. Of two that settle it, the second waits, and then finds none; or
-- finds it again, if the first was rolled back or set it aside again. Isolation: READ COMMITTED.
DELETE FROM {schema}.aecorpy_dead_letter WHERE consumer = $1 AND tag = $2 AND "offset" = $3 RETURNING "offset"
