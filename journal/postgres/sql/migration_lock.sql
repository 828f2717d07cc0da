-- Makes programs that create or upgrade one schema take turns; held until the transaction ends.
-- Lock: an advisory lock, by our own number and the schema's name. Isolation: READ COMMITTED, so that what is read after
-- the wait is what the one before has committed.
SELECT pg_advisory_xact_lock(1634034543, hashtext($1))
