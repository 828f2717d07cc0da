-- The server's clock, not the time at which a transaction began. Lock: none.
SELECT clock_timestamp()
