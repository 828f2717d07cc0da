"""Becoming a member: taking a seat in the store, also one whose former holder is dead."""

from __future__ import annotations

import asyncio

from sharding.links.network import Network
from sharding.store.contract import ClusterStore
from sharding.store.errors import NodeNameTaken
from sharding.store.records import Member, Seat

PROBE_SECONDS = 1.0


async def take_seat(
    store: ClusterStore, seat: Seat, lease_seconds: float, network: Network | None, *, replacing: int | None = None
) -> Member:
    """Join. A member of the same name at whose address nobody listens is dead, and is replaced.

    Args:
        store: where.
        seat: what this process brings.
        lease_seconds: how long the lease runs.
        network: by which the former holder is looked for; None when there can be none.
        replacing: an incarnation of this very process that has stopped everything.

    Raises:
        NodeNameTaken: a living process has the name.
        StoreUnavailable, StoreOutcomeUnknown: see `ClusterStore.join`.
    """
    while True:
        try:
            return await store.join(seat, lease_seconds, replacing=replacing)
        except NodeNameTaken as taken:
            # Our own answer may have been lost: then the seat's holder has our very address, where we listen ourselves.
            ours = (taken.host, taken.port) == (seat.host, seat.port) and seat.port != 0
            if not ours and not (network is not None and await nobody_listens(network, taken.host, taken.port)):
                raise
            replacing = taken.incarnation


async def nobody_listens(network: Network, host: str, port: int) -> bool:
    """Whether the machine at `host` says that nobody listens at `port`; no answer is no evidence."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            transport = await network.connect(asyncio.Protocol, host, port, None)
    except ConnectionRefusedError:
        return True
    except OSError:  # TimeoutError is one: out of reach, but perhaps alive
        return False
    transport.abort()
    return False
