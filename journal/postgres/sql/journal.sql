-- The tables of a new journal, as of the newest migration. Runs under migration_lock.sql.

-- The row that is counter, lock and fence of its shard. Each append updates it: nine tenths of a page stay free, so the
-- new version goes beside the old one (HOT) and no index is touched.
CREATE TABLE {schema}.{journal}_shard (
    shard int PRIMARY KEY,
    epoch bigint NOT NULL,
    head bigint NOT NULL
) WITH (fillfactor = 10);

INSERT INTO {schema}.{journal}_shard (shard, epoch, head)
SELECT shard, 0, 0 FROM generate_series(0, {shard_count} - 1) AS shard;

-- Columns of fixed width come first: no padding between them, some 20 bytes less per event.
CREATE TABLE {schema}.{journal}_event (
    "offset" bigint NOT NULL,
    seq_nr bigint NOT NULL,
    epoch bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    shard int NOT NULL,
    version int NOT NULL,
    key text COLLATE "C" NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 512),
    type_name text NOT NULL,
    payload bytea NOT NULL,
    metadata bytea NOT NULL,
    PRIMARY KEY (shard, "offset"),
    UNIQUE (key, seq_nr)
);

CREATE TRIGGER {journal}_event_immutable
BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.{journal}_event
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.aecorpy_refuse_change();

CREATE TABLE {schema}.{journal}_snapshot (
    key text COLLATE "C" PRIMARY KEY,
    seq_nr bigint NOT NULL,
    version int NOT NULL,
    type_name text NOT NULL,
    payload bytea NOT NULL
) WITH (fillfactor = 70);
