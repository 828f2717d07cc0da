-- The notes of some kinds whose names begin so. Lock: none. The index leads to the first name that can.
SELECT kind, name, payload, epoch, revision, written_at
FROM {schema}.aecorpy_note
WHERE kind = ANY ($1::text[]) AND name >= $2 AND starts_with(name, $2)
ORDER BY kind, name
