-- What all journals of one file share. Runs under the write lock, as every migration does.

CREATE TABLE aecorpy_journal (
    name TEXT NOT NULL PRIMARY KEY,
    shard_count INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE aecorpy_offset (
    consumer TEXT NOT NULL,
    tag TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (consumer, tag)
) WITHOUT ROWID;

CREATE TABLE aecorpy_dead_letter (
    consumer TEXT NOT NULL,
    tag TEXT NOT NULL,
    "offset" INTEGER NOT NULL,
    key TEXT NOT NULL,
    seq_nr INTEGER NOT NULL,
    type_name TEXT NOT NULL,
    error TEXT NOT NULL,
    recorded_at INTEGER NOT NULL, -- microseconds since 1970, UTC
    PRIMARY KEY (consumer, tag, "offset")
);
