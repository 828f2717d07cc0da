-- Deployments, and who owns their shards. What writes runs under lock_term.

-- name: deployments
SELECT name, kind, shard_count, patient
FROM aecorpy_cluster_deployment
WHERE cluster = $1

-- name: deployment
SELECT name, kind, shard_count, patient
FROM aecorpy_cluster_deployment
WHERE cluster = $1 AND name = $2

-- name: add_deployment
INSERT INTO aecorpy_cluster_deployment (cluster, name, kind, shard_count, patient)
VALUES ($1, $2, $3, $4, $5)

-- name: set_shard_count
UPDATE aecorpy_cluster_deployment
SET shard_count = $3
WHERE cluster = $1 AND name = $2

-- Epochs of shards that are no more stay, for when they are again; nobody owns them, so that owners can be forgotten.
-- name: disown
UPDATE aecorpy_cluster_shard
SET owner = 0
WHERE cluster = $1 AND name = $2 AND shard >= $3

-- name: hostings
SELECT name, incarnation
FROM aecorpy_cluster_hosting
WHERE cluster = $1

-- name: add_hosting
INSERT INTO aecorpy_cluster_hosting (cluster, name, incarnation)
VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING

-- name: remove_hosting
DELETE FROM aecorpy_cluster_hosting
WHERE cluster = $1 AND name = $2 AND incarnation = $3

-- name: allocations
SELECT shard, owner, epoch
FROM aecorpy_cluster_shard
WHERE cluster = $1 AND name = $2
ORDER BY shard

-- name: epoch
SELECT epoch
FROM aecorpy_cluster_shard
WHERE cluster = $1 AND name = $2 AND shard = $3

-- Any number of shards at once. A shard that does not come back had no older epoch; the transaction is then undone.
-- name: allocate
INSERT INTO aecorpy_cluster_shard AS stored (cluster, name, shard, owner, epoch)
SELECT $1, $2, asked.shard, asked.owner, asked.epoch
FROM unnest($3::int[], $4::bigint[], $5::bigint[]) AS asked (shard, owner, epoch)
WHERE asked.epoch > 0
ON CONFLICT (cluster, name, shard) DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch
WHERE excluded.epoch > stored.epoch
RETURNING shard
