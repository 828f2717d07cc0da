-- Inserts or replaces notes; none of a higher epoch, unless $5 says: whatever the stored epoch.
-- Lock: the rows of the notes, in their order, so that two writers of several cannot deadlock; until the transaction ends.
-- Isolation: READ COMMITTED; ON CONFLICT tests the epoch, and counts the revision, on the newest version of a row it
-- waited for.
INSERT INTO {schema}.aecorpy_note AS n (kind, name, payload, epoch, revision, written_at)
SELECT kind, name, payload, epoch, 1, clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[]) AS u (kind, name, payload, epoch)
ORDER BY kind COLLATE "C", name COLLATE "C"
ON CONFLICT (kind, name) DO UPDATE
SET payload = excluded.payload, epoch = excluded.epoch, revision = n.revision + 1, written_at = clock_timestamp()
WHERE n.epoch <= excluded.epoch OR $5::boolean
