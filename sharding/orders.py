"""What a region and its shards say to each other."""

from __future__ import annotations

from typing import Any, NamedTuple

from sharding.messages import Envelope


class Own(NamedTuple):
    """From the region: the shard is this node's under `epoch`."""

    epoch: int


class CallUp(NamedTuple):
    """From the region when the shard is taken, and from the shard itself after a pause: the resident should live.

    Attributes:
        number: which pause; only the end of the last one counts.
    """

    number: int = 0


class Drain(NamedTuple):
    """From the region, which sends nothing more: stop, and answer `Drained`.

    Attributes:
        at_once: somebody else owns the shard already: finish nothing. Otherwise all commands that came before are
            finished and answered first.
    """

    at_once: bool


class Drained(NamedTuple):
    """To the region: no entity is left. `unstarted` is what came before and no entity has seen, in order."""

    shard: int
    epoch: int
    unstarted: list[tuple[Envelope, Any]]


class Fence(NamedTuple):
    """To the region: the journal knows a newer epoch than this shard's; it takes commands again under a newer one."""

    shard: int
    epoch: int
    current: int
