"""The store for production: PostgreSQL by asyncpg. Many nodes, many machines, one database."""

from journal.postgres.database import PostgresDatabase
from journal.postgres.migrate import migrate
from journal.postgres.options import PostgresOptions

__all__ = ["PostgresDatabase", "PostgresOptions", "migrate"]
