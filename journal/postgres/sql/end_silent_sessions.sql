-- Ends sessions of our kind whose client has said nothing for so many seconds in the middle of an exchange, which is where
-- the server's own limit for idle transactions does not count: a client that stopped while a statement was being prepared,
-- or that takes no answers, would keep its locks for ever. Terminating a session of one's own role needs no privilege.
-- Lock: none.
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = current_setting('application_name')
  AND pid <> pg_backend_pid() AND state = 'active' AND wait_event IN ('ClientRead', 'ClientWrite')
  AND state_change < clock_timestamp() - make_interval(secs => $1)
