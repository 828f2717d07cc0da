-- From here on the transaction waits a second at most for a lock. While one waits for a table, all who come later and want
-- the table wait behind it; and while one has it, whatever else one waits for keeps them waiting. Lock: none.
SELECT set_config('lock_timeout', '1s', true)
WHERE current_setting('lock_timeout')::interval NOT BETWEEN '1 ms' AND '1 s'
