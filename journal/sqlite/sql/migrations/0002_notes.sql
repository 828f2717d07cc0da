-- Small documents of management, by kind and name.

CREATE TABLE aecorpy_note (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    payload BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    written_at INTEGER NOT NULL, -- microseconds since 1970, UTC
    PRIMARY KEY (kind, name)
);
