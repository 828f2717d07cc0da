-- Deletes a view's table. Lock: ACCESS EXCLUSIVE, as rename_table.sql, and behind short_lock_wait.sql.
DROP TABLE IF EXISTS {schema}.{table}
