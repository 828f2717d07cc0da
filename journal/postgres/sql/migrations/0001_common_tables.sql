-- What all journals of one schema share. Runs under migration_lock.sql, as every migration does.

CREATE TABLE {schema}.aecorpy_journal (
    name text COLLATE "C" PRIMARY KEY,
    shard_count int NOT NULL CHECK (shard_count > 0)
);

-- One row per consumer and tag; updated in place, so pages keep room for the next version of each row (HOT).
CREATE TABLE {schema}.aecorpy_offset (
    consumer text COLLATE "C" NOT NULL,
    tag text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (consumer, tag)
) WITH (fillfactor = 50);

CREATE TABLE {schema}.aecorpy_dead_letter (
    consumer text COLLATE "C" NOT NULL,
    tag text COLLATE "C" NOT NULL,
    "offset" bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    seq_nr bigint NOT NULL,
    type_name text NOT NULL,
    error text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, tag, "offset")
);

CREATE FUNCTION {schema}.aecorpy_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are immutable: % on % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
