"""Connections between nodes: one per pair and direction, msgpack frames of registered types, a secret proved first."""
