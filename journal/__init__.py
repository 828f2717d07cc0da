"""Events at rest: the journal of eventsourced entities, their snapshots, consumer offsets and view tables."""
