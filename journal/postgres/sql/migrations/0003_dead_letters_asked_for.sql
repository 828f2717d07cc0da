-- Who skipped an event, and which ones somebody wants to be handled again. Adding these columns rewrites no row.

ALTER TABLE {schema}.aecorpy_dead_letter
    ADD COLUMN by_whom text,
    ADD COLUMN asked boolean NOT NULL DEFAULT false;
CREATE INDEX aecorpy_dead_letter_asked ON {schema}.aecorpy_dead_letter (consumer, tag, "offset") WHERE asked;
