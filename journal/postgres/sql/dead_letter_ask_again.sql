-- Asks for a letter; no row returned: there is none. Lock: the letter's row, for this statement. READ COMMITTED.
UPDATE {schema}.aecorpy_dead_letter SET asked = true
WHERE consumer = $1 AND tag = $2 AND "offset" = $3
RETURNING "offset"
