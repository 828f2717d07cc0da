-- Sessions of other clients of the cluster store.

-- What keeps locks for ever: a client that stopped in the middle of an exchange, while a statement was being prepared, or
-- that takes no answers. The server does not call that idle. A session of one's own role may be ended without any privilege.
-- Lock: none.
-- name: end_silent
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = current_setting('application_name')
  AND pid <> pg_backend_pid() AND state = 'active' AND wait_event IN ('ClientRead', 'ClientWrite')
  AND state_change < clock_timestamp() - make_interval(secs => $1)
