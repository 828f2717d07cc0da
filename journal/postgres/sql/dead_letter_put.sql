-- Sets an event aside; again, as it is now and not asked for, if it was already.
-- Lock: the letter's row. Isolation: READ COMMITTED, in the transaction that moves the offset beyond the event, or that
-- tried it again.
INSERT INTO {schema}.aecorpy_dead_letter (consumer, tag, "offset", key, seq_nr, type_name, error, by_whom)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (consumer, tag, "offset") DO UPDATE SET
    key = excluded.key, seq_nr = excluded.seq_nr, type_name = excluded.type_name, error = excluded.error,
    by_whom = excluded.by_whom, asked = false, recorded_at = clock_timestamp()
