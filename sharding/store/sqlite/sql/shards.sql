-- Deployments, and who owns their shards. What writes runs in a transaction that began with BEGIN IMMEDIATE.

-- name: deployments
SELECT name, kind, shard_count, patient
FROM aecorpy_cluster_deployment
WHERE cluster = :cluster

-- name: deployment
SELECT name, kind, shard_count, patient
FROM aecorpy_cluster_deployment
WHERE cluster = :cluster AND name = :name

-- name: add_deployment
INSERT INTO aecorpy_cluster_deployment (cluster, name, kind, shard_count, patient)
VALUES (:cluster, :name, :kind, :shard_count, :patient)

-- name: set_shard_count
UPDATE aecorpy_cluster_deployment
SET shard_count = :shard_count
WHERE cluster = :cluster AND name = :name

-- Epochs of shards that are no more stay, for when they are again; nobody owns them, so that owners can be forgotten.
-- name: disown
UPDATE aecorpy_cluster_shard
SET owner = 0
WHERE cluster = :cluster AND name = :name AND shard >= :shard_count

-- name: hostings
SELECT name, incarnation
FROM aecorpy_cluster_hosting
WHERE cluster = :cluster

-- name: add_hosting
INSERT INTO aecorpy_cluster_hosting (cluster, name, incarnation)
VALUES (:cluster, :name, :incarnation)
ON CONFLICT DO NOTHING

-- name: remove_hosting
DELETE FROM aecorpy_cluster_hosting
WHERE cluster = :cluster AND name = :name AND incarnation = :incarnation

-- name: allocations
SELECT shard, owner, epoch
FROM aecorpy_cluster_shard
WHERE cluster = :cluster AND name = :name
ORDER BY shard

-- name: allocate
INSERT INTO aecorpy_cluster_shard (cluster, name, shard, owner, epoch)
VALUES (:cluster, :name, :shard, :owner, :epoch)
ON CONFLICT (cluster, name, shard) DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch
WHERE excluded.epoch > epoch
