"""The embedded store: one SQLite file, safe with several processes of one machine on it."""

from journal.sqlite.database import SqliteDatabase

__all__ = ["SqliteDatabase"]
