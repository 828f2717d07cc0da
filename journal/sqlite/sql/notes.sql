-- Locks, throughout: BEGIN IMMEDIATE has taken the file's one write lock before any statement that writes.

-- name: put
-- Locks: the write lock. The stored epoch is tested under it, unless the note is put whatever that is.
INSERT INTO aecorpy_note (kind, name, payload, epoch, revision, written_at)
VALUES (:kind, :name, :payload, :epoch, 1, :now)
ON CONFLICT (kind, name) DO UPDATE SET
    payload = excluded.payload, epoch = excluded.epoch, revision = revision + 1, written_at = excluded.written_at
WHERE epoch <= excluded.epoch OR :whatever_epoch;

-- name: get
-- Locks: the write lock, so that what it reads stays true until the commit.
SELECT kind, name, payload, epoch, revision, written_at FROM aecorpy_note WHERE kind = ? AND name = ?;

-- name: read
-- Locks: a read snapshot; waits for nobody. The index leads to the first name that can begin so.
SELECT kind, name, payload, epoch, revision, written_at FROM aecorpy_note
WHERE kind IN (SELECT value FROM json_each(:kinds)) AND name >= :prefix
    AND substr(name, 1, length(:prefix)) = :prefix
ORDER BY kind, name;

-- name: delete
-- Locks: the write lock.
DELETE FROM aecorpy_note WHERE kind = ? AND name IN (SELECT value FROM json_each(?));
