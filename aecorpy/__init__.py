"""Eventsourced entities, views and processes."""
