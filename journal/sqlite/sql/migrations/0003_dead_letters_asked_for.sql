-- Who skipped an event, and which ones somebody wants to be handled again.

ALTER TABLE aecorpy_dead_letter ADD COLUMN by_whom TEXT;
ALTER TABLE aecorpy_dead_letter ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX aecorpy_dead_letter_asked ON aecorpy_dead_letter (consumer, tag, "offset") WHERE asked = 1;
