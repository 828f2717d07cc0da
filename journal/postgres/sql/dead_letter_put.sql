-- Sets an event aside; again, with the newest reason, if it was already.
-- Lock: the letter's row. Isolation: READ COMMITTED, in the transaction that moves the offset beyond the event.
INSERT INTO {schema}.aecorpy_dead_letter (consumer, tag, "offset", key, seq_nr, type_name, error)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (consumer, tag, "offset") DO UPDATE SET error = excluded.error, recorded_at = clock_timestamp()
