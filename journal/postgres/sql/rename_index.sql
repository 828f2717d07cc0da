-- Lets an index follow its table. Lock: SHARE UPDATE EXCLUSIVE on the index, whose table is locked by rename_table.sql.
ALTER INDEX {schema}.{old} RENAME TO {new}
