-- What a consumer set aside on some tags and was asked for again; by an index of those alone. Lock: none.
SELECT consumer, tag, "offset", key, seq_nr, type_name, error, recorded_at, by_whom, asked
FROM {schema}.aecorpy_dead_letter
WHERE consumer = $1 AND tag = ANY ($2::text[]) AND asked
ORDER BY tag, "offset"
LIMIT $3
