-- What a consumer set aside, on one tag unless that is null. Lock: none.
SELECT consumer, tag, "offset", key, seq_nr, type_name, error, recorded_at, by_whom, asked
FROM {schema}.aecorpy_dead_letter
WHERE consumer = $1 AND ($3::text IS NULL OR tag = $3)
ORDER BY tag, "offset"
LIMIT $2
