"""What can be wrong with a question about placement, as types."""

from __future__ import annotations


class AllocationError(Exception):
    """Root of what this package raises on purpose. Nothing was changed: planning has no effects."""


class ShardCountChanged(AllocationError):
    """The stored owners are of another number of shards than the type has now.

    The count is fixed when the journal is created, since a key's shard follows from it. Start with the stored count.
    """

    def __init__(self, stored: int, configured: int) -> None:
        super().__init__(f"owners of {stored} shards are stored, but {configured} are configured: use {stored}")
        self.stored, self.configured = stored, configured


class UnusableWeight(AllocationError, ValueError):
    """A node's weight is not a finite number from 0 up."""

    def __init__(self, node: str, weight: float) -> None:
        super().__init__(f"node {node!r} has weight {weight}: give a finite number, 0 to drain it")
        self.node, self.weight = node, weight


class StrategyFault(AllocationError):
    """A strategy did not give every shard exactly one of the hosts it was offered."""

    def __init__(self, strategy: object, fault: str) -> None:
        super().__init__(f"{type(strategy).__name__}: {fault}")
        self.strategy, self.fault = strategy, fault
