-- What a consumer set aside. Lock: none.
SELECT consumer, tag, "offset", key, seq_nr, type_name, error, recorded_at, by_whom, asked
FROM {schema}.aecorpy_dead_letter
WHERE consumer = $1
ORDER BY tag, "offset"
LIMIT $2
