-- What the clusters of one database keep. Runs under the migration lock, in the first schema of the search path.

-- One row per cluster: the coordinator's term, and the last incarnation given away. Its row is the lock of the cluster.
CREATE TABLE aecorpy_cluster_term (
    cluster text COLLATE "C" PRIMARY KEY,
    term bigint NOT NULL,
    coordinator bigint,
    last_incarnation bigint NOT NULL
) WITH (fillfactor = 50);

-- A renewal changes `lease_end` alone, which no index has: pages keep room for the next version of each row (HOT).
CREATE TABLE aecorpy_cluster_member (
    cluster text COLLATE "C" NOT NULL,
    incarnation bigint NOT NULL,
    node text COLLATE "C" NOT NULL,
    host text NOT NULL,
    port int NOT NULL,
    weight float8 NOT NULL,
    roles text NOT NULL,
    state text NOT NULL CHECK (state IN ('up', 'leaving', 'down')),
    lease_end timestamptz NOT NULL,
    PRIMARY KEY (cluster, incarnation)
) WITH (fillfactor = 50);

-- The second line: the first is that a join looks, under the cluster's lock.
CREATE UNIQUE INDEX aecorpy_cluster_member_node ON aecorpy_cluster_member (cluster, node) WHERE state <> 'down';

CREATE TABLE aecorpy_cluster_deployment (
    cluster text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    shard_count int NOT NULL CHECK (shard_count > 0),
    patient boolean NOT NULL,
    PRIMARY KEY (cluster, name)
);

CREATE TABLE aecorpy_cluster_hosting (
    cluster text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    incarnation bigint NOT NULL,
    PRIMARY KEY (cluster, name, incarnation)
);

CREATE TABLE aecorpy_cluster_shard (
    cluster text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    shard int NOT NULL,
    owner bigint NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (cluster, name, shard)
) WITH (fillfactor = 50);
