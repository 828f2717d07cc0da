"""The cluster store: members, leases, the coordinator's term, shard allocations; on PostgreSQL, SQLite or in memory."""
