-- Makes a consumer's letters another's, as they are, in the transaction in which the two change places.
-- Lock: the letters' rows. The caller holds the offsets of both, so none is set aside in between. Isolation: READ
-- COMMITTED.
WITH given AS (
    DELETE FROM {schema}.aecorpy_dead_letter WHERE consumer = $1
    RETURNING tag, "offset", key, seq_nr, type_name, error, recorded_at, by_whom, asked
)
INSERT INTO {schema}.aecorpy_dead_letter
    (consumer, tag, "offset", key, seq_nr, type_name, error, recorded_at, by_whom, asked)
SELECT $2, tag, "offset", key, seq_nr, type_name, error, recorded_at, by_whom, asked FROM given
ON CONFLICT (consumer, tag, "offset") DO UPDATE SET
    key = excluded.key, seq_nr = excluded.seq_nr, type_name = excluded.type_name, error = excluded.error,
    recorded_at = excluded.recorded_at, by_whom = excluded.by_whom, asked = excluded.asked
RETURNING "offset"
