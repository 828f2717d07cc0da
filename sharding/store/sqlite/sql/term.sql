-- The coordinator's term. What checks it before it writes does so in one transaction that began with BEGIN IMMEDIATE,
-- so no newer term can be committed in between.

-- name: add_cluster
INSERT INTO aecorpy_cluster_term (cluster, term, coordinator, last_incarnation)
VALUES (:cluster, 0, NULL, 0)
ON CONFLICT (cluster) DO NOTHING

-- name: term
SELECT term, coordinator
FROM aecorpy_cluster_term
WHERE cluster = :cluster

-- What a coordinator said to be under way ends with it.
-- name: set_term
UPDATE aecorpy_cluster_term
SET term = :term, coordinator = :coordinator, moves = '{}'
WHERE cluster = :cluster

-- name: moves
SELECT moves
FROM aecorpy_cluster_term
WHERE cluster = :cluster

-- name: set_moves
UPDATE aecorpy_cluster_term
SET moves = :moves
WHERE cluster = :cluster
