"""Clusters of real processes under a seeded schedule of real faults, with the checker at the end: `make faults`."""
