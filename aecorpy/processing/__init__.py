"""Processes that run once in the whole cluster, and are kept running."""
