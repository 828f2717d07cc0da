"""Which node runs what: the actor engine and, on top of it, the cluster. Knows no events."""
