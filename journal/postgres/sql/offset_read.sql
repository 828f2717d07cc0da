-- All tags of a consumer. Lock: none.
SELECT tag, position, epoch FROM {schema}.aecorpy_offset WHERE consumer = $1 ORDER BY tag
