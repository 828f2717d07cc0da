"""Contracts that every store must pass: one suite, run against memory, SQLite and PostgreSQL."""
