-- Small documents of management, by kind and name. Some are written again every second or so, in place (HOT).

CREATE TABLE {schema}.aecorpy_note (
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    epoch bigint NOT NULL,
    revision bigint NOT NULL,
    written_at timestamptz NOT NULL,
    PRIMARY KEY (kind, name)
) WITH (fillfactor = 50);
