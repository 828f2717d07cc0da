"""Clusters of real processes, on real stores, with real signals."""
