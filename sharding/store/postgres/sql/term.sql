-- The coordinator's term.

-- Lock: none that lasts; the row is there afterwards.
-- name: add_cluster
INSERT INTO aecorpy_cluster_term (cluster, term, coordinator, last_incarnation)
VALUES ($1, 0, NULL, 0)
ON CONFLICT (cluster) DO NOTHING

-- The fence. Lock: the cluster's row, until the transaction ends. Whoever waits here behind a takeover reads the new
-- term when the wait is over (READ COMMITTED), and whoever takes over waits for writes under the old one. A statement
-- that came before this one would see the time before the wait, so it is always the first.
-- name: lock_term
SELECT term, coordinator
FROM aecorpy_cluster_term
WHERE cluster = $1
FOR UPDATE

-- Runs under lock_term. What a coordinator said to be under way ends with it.
-- name: set_term
UPDATE aecorpy_cluster_term
SET term = $2, coordinator = $3, moves = '{}'
WHERE cluster = $1

-- Lock: none. One statement, so one snapshot.
-- name: moves
SELECT moves
FROM aecorpy_cluster_term
WHERE cluster = $1

-- Runs under lock_term.
-- name: set_moves
UPDATE aecorpy_cluster_term
SET moves = $2
WHERE cluster = $1

-- Runs under lock_term.
-- name: next_incarnation
UPDATE aecorpy_cluster_term
SET last_incarnation = last_incarnation + 1
WHERE cluster = $1
RETURNING last_incarnation
