"""Hostile bytes for everything that reads bytes of others: `python -m tests.fuzz`, see docs/security-tests.md."""
