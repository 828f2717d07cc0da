-- What the clusters of one file keep. Runs under the file's write lock.

-- One row per cluster: the coordinator's term, and the last incarnation given away.
CREATE TABLE aecorpy_cluster_term (
    cluster TEXT PRIMARY KEY,
    term INTEGER NOT NULL,
    coordinator INTEGER,
    last_incarnation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Lease times are seconds since the start of the machine that `boot` names.
CREATE TABLE aecorpy_cluster_member (
    cluster TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    node TEXT NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    weight REAL NOT NULL,
    roles TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('up', 'leaving', 'down')),
    boot TEXT NOT NULL,
    lease_start REAL NOT NULL,
    lease_end REAL NOT NULL,
    PRIMARY KEY (cluster, incarnation)
) STRICT, WITHOUT ROWID;

-- The second line: the first is that a join looks, under the file's write lock.
CREATE UNIQUE INDEX aecorpy_cluster_member_node ON aecorpy_cluster_member (cluster, node) WHERE state <> 'down';

CREATE TABLE aecorpy_cluster_deployment (
    cluster TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    shard_count INTEGER NOT NULL CHECK (shard_count > 0),
    patient INTEGER NOT NULL,
    PRIMARY KEY (cluster, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE aecorpy_cluster_hosting (
    cluster TEXT NOT NULL,
    name TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    PRIMARY KEY (cluster, name, incarnation)
) STRICT, WITHOUT ROWID;

CREATE TABLE aecorpy_cluster_shard (
    cluster TEXT NOT NULL,
    name TEXT NOT NULL,
    shard INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (cluster, name, shard)
) STRICT, WITHOUT ROWID;
