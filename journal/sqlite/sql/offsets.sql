-- Locks, throughout: BEGIN IMMEDIATE has taken the file's one write lock before any statement that writes.

-- name: read
-- Locks: a read snapshot; waits for nobody.
SELECT tag, position, epoch FROM aecorpy_offset WHERE consumer = ? ORDER BY tag;

-- name: find
-- Locks: the write lock where it explains a refusal; else a read snapshot.
SELECT tag, position, epoch FROM aecorpy_offset WHERE consumer = ? AND tag = ?;

-- name: claim
-- Locks: the write lock. No row returned: the stored epoch is not older, and the whole claim is rolled back.
INSERT INTO aecorpy_offset (consumer, tag, epoch, position) VALUES (?, ?, ?, 0)
ON CONFLICT (consumer, tag) DO UPDATE SET epoch = excluded.epoch WHERE epoch < excluded.epoch
RETURNING position;

-- name: move
-- Locks: the write lock. No row returned: fenced, by the epoch or by the offset.
UPDATE aecorpy_offset SET position = ? WHERE consumer = ? AND tag = ? AND epoch = ? AND position = ? RETURNING tag;

-- name: place
-- Locks: the write lock. Whoever moves under the epoch before is fenced from then on.
INSERT INTO aecorpy_offset (consumer, tag, epoch, position) VALUES (?, ?, 1, ?)
ON CONFLICT (consumer, tag) DO UPDATE SET epoch = epoch + 1, position = excluded.position;

-- name: forget
-- Locks: the write lock.
DELETE FROM aecorpy_offset WHERE consumer = ?;

-- name: set_aside
-- Locks: the write lock. Set aside again (after a rebuild), an event keeps one letter, with the last reason.
INSERT INTO aecorpy_dead_letter (consumer, tag, "offset", key, seq_nr, type_name, error, recorded_at, by_whom)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (consumer, tag, "offset") DO UPDATE SET
    key = excluded.key, seq_nr = excluded.seq_nr, type_name = excluded.type_name, error = excluded.error,
    recorded_at = excluded.recorded_at, by_whom = excluded.by_whom, asked = 0;

-- name: settle
-- Locks: the write lock. No row returned: there is no such letter.
DELETE FROM aecorpy_dead_letter WHERE consumer = ? AND tag = ? AND "offset" = ? RETURNING "offset";

-- name: forget_letters
-- Locks: the write lock.
DELETE FROM aecorpy_dead_letter WHERE consumer = ? AND tag = ? AND "offset" > ? RETURNING "offset";

-- name: clear_way
-- Locks: the write lock. Letters in whose place those of another consumer come.
DELETE FROM aecorpy_dead_letter AS there
WHERE consumer = ?2 AND EXISTS (
    SELECT 1 FROM aecorpy_dead_letter AS coming
    WHERE coming.consumer = ?1 AND coming.tag = there.tag AND coming."offset" = there."offset"
);

-- name: hand_over
-- Locks: the write lock.
UPDATE aecorpy_dead_letter SET consumer = ?2 WHERE consumer = ?1;

-- name: ask_again
-- Locks: the write lock. No row returned: there is no such letter.
UPDATE aecorpy_dead_letter SET asked = 1 WHERE consumer = ? AND tag = ? AND "offset" = ? RETURNING "offset";

-- name: letters
-- Locks: a read snapshot; waits for nobody.
SELECT consumer, tag, "offset", key, seq_nr, type_name, error, recorded_at, by_whom, asked
FROM aecorpy_dead_letter WHERE consumer = ?1 AND (?2 IS NULL OR tag = ?2) ORDER BY tag, "offset" LIMIT ?3;

-- name: asked
-- Locks: a read snapshot; waits for nobody.
SELECT consumer, tag, "offset", key, seq_nr, type_name, error, recorded_at, by_whom, asked
FROM aecorpy_dead_letter
WHERE consumer = ? AND asked = 1 AND tag IN (SELECT value FROM json_each(?)) ORDER BY tag, "offset" LIMIT ?;
