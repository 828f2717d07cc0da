-- Members. What writes runs in a transaction that began with BEGIN IMMEDIATE: nobody else writes meanwhile, and what it
-- reads is the newest there is.

-- name: members
SELECT node, incarnation, host, port, weight, roles, state, boot, lease_start, lease_end
FROM aecorpy_cluster_member
WHERE cluster = :cluster
ORDER BY incarnation

-- name: next_incarnation
UPDATE aecorpy_cluster_term
SET last_incarnation = last_incarnation + 1
WHERE cluster = :cluster
RETURNING last_incarnation

-- name: add_member
INSERT INTO aecorpy_cluster_member
    (cluster, incarnation, node, host, port, weight, roles, state, boot, lease_start, lease_end)
VALUES (:cluster, :incarnation, :node, :host, :port, :weight, :roles, 'up', :boot, :now, :lease_end)

-- name: set_lease
UPDATE aecorpy_cluster_member
SET boot = :boot, lease_start = :now, lease_end = :lease_end
WHERE cluster = :cluster AND incarnation = :incarnation

-- name: set_state
UPDATE aecorpy_cluster_member
SET state = :state
WHERE cluster = :cluster AND incarnation = :incarnation

-- name: owners
SELECT DISTINCT owner
FROM aecorpy_cluster_shard
WHERE cluster = :cluster

-- name: forget_member
DELETE FROM aecorpy_cluster_member
WHERE cluster = :cluster AND incarnation = :incarnation

-- name: forget_hosting
DELETE FROM aecorpy_cluster_hosting
WHERE cluster = :cluster AND incarnation = :incarnation
