-- Members. Lease times are the server's clock when the statement runs, clock_timestamp(): now() stands still at the
-- moment the transaction began. Order of locks: the cluster's row, then members' rows; `renew` takes one member's alone.

-- Lock: none. One statement, so one snapshot.
-- name: picture
SELECT term, coordinator, node, incarnation, host, port, weight, roles, state,
       extract(epoch FROM lease_end - clock_timestamp())::float8 AS lease_left
FROM aecorpy_cluster_term LEFT JOIN aecorpy_cluster_member USING (cluster)
WHERE cluster = $1
ORDER BY incarnation

-- Lock: the member's row: a renewal in flight is waited for and seen, the next one waits.
-- name: member
SELECT node, incarnation, host, port, weight, roles, state,
       extract(epoch FROM lease_end - clock_timestamp())::float8 AS lease_left
FROM aecorpy_cluster_member
WHERE cluster = $1 AND incarnation = $2
FOR UPDATE

-- Lock: the rows of members of that name that are not down, at most one.
-- name: members_named
SELECT node, incarnation, host, port, weight, roles, state,
       extract(epoch FROM lease_end - clock_timestamp())::float8 AS lease_left
FROM aecorpy_cluster_member
WHERE cluster = $1 AND node = $2 AND state <> 'down'
FOR UPDATE

-- Runs under lock_term. Lock: the rows of members that host the type and are not down.
-- name: hosts
SELECT node, incarnation, host, port, weight, roles, state,
       extract(epoch FROM lease_end - clock_timestamp())::float8 AS lease_left
FROM aecorpy_cluster_member AS member
WHERE cluster = $1 AND state <> 'down' AND EXISTS (
    SELECT FROM aecorpy_cluster_hosting AS hosting
    WHERE hosting.cluster = $1 AND hosting.name = $2 AND hosting.incarnation = member.incarnation
)
ORDER BY incarnation
FOR UPDATE

-- Runs under lock_term.
-- name: add_member
INSERT INTO aecorpy_cluster_member (cluster, incarnation, node, host, port, weight, roles, state, lease_end)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'up', clock_timestamp() + make_interval(secs => $8))
RETURNING extract(epoch FROM lease_end - clock_timestamp())::float8

-- Lock: the member's row. If it waits behind a declaration, it finds the member down and changes nothing. The time may
-- be taken before the wait: the lease is shorter then, never longer than the renewer counts.
-- name: renew
UPDATE aecorpy_cluster_member
SET lease_end = clock_timestamp() + make_interval(secs => $3)
WHERE cluster = $1 AND incarnation = $2 AND state <> 'down'
RETURNING incarnation

-- Runs under lock_term. Lock: the member's row.
-- name: set_state
UPDATE aecorpy_cluster_member
SET state = $3
WHERE cluster = $1 AND incarnation = $2

-- Runs under lock_term. Lock: the member's row.
-- name: leave
UPDATE aecorpy_cluster_member
SET state = 'down', lease_end = least(lease_end, clock_timestamp())
WHERE cluster = $1 AND incarnation = $2
RETURNING incarnation

-- Runs under lock_term, so nobody is given a shard meanwhile; a member that is down is not renewed either.
-- name: forget_members
DELETE FROM aecorpy_cluster_member AS member
WHERE cluster = $1 AND state = 'down' AND lease_end <= clock_timestamp() AND NOT EXISTS (
    SELECT FROM aecorpy_cluster_shard AS shard WHERE shard.cluster = $1 AND shard.owner = member.incarnation
)

-- Runs under lock_term, after forget_members.
-- name: forget_hostings
DELETE FROM aecorpy_cluster_hosting AS hosting
WHERE cluster = $1 AND NOT EXISTS (
    SELECT FROM aecorpy_cluster_member AS member
    WHERE member.cluster = $1 AND member.incarnation = hosting.incarnation
)
