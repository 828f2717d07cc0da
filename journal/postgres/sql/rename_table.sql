-- Gives a view's table another name.
-- Lock: ACCESS EXCLUSIVE on the table until the transaction ends: it waits for all who read or write the table, and they
-- wait for it. Behind short_lock_wait.sql. Who waited looks the name up again, and finds what then goes by it.
ALTER TABLE {schema}.{old} RENAME TO {new}
