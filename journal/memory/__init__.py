"""The store for unit tests and simulation: everything in dictionaries of one process, gone when it ends."""

from journal.memory.database import MemoryDatabase

__all__ = ["MemoryDatabase"]
