-- One note, which stays as it is until the transaction ends.
-- Lock: its row; waits for a transaction that has written it. Isolation: READ COMMITTED, so that after the wait it is the
-- newest version. A note that does not exist is not locked.
SELECT kind, name, payload, epoch, revision, written_at
FROM {schema}.aecorpy_note
WHERE kind = $1 AND name = $2
FOR UPDATE
