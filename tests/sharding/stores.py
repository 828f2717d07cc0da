"""A cluster store in memory that fails, hangs or loses its answers when told to."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from sharding.store import StoreOutcomeUnknown, StoreUnavailable
from sharding.store.memory import MemoryClusterStore
from sharding.store.records import Allocation, Deployment, Hosting, Member, Picture, Seat

T = TypeVar("T")


class FaultyClusterStore(MemoryClusterStore):
    """Each call takes `delay` seconds, half of them before anything happens.

    Attributes:
        calls: the names of the methods that were called.
        away: whether every call fails before anything happens.
    """

    def __init__(self, delay: float = 0.002) -> None:
        super().__init__("c", clock=asyncio.get_running_loop().time)
        self.calls: list[str] = []
        self.delay = delay
        self.away = False
        self._faults: defaultdict[str, deque[tuple[Exception, bool]]] = defaultdict(deque)

    def on(self, method: str, error: Exception, *, after: bool = False) -> None:
        """Let the next call of `method` raise, before or after it did what it does."""
        self._faults[method].append((error, after))

    def lose(self, method: str, *, happened: bool) -> None:
        """Let the answer of the next call be lost."""
        self.on(method, StoreOutcomeUnknown("the connection was lost"), after=happened)

    async def _do(self, method: str, call: Coroutine[Any, Any, T]) -> T:
        self.calls.append(method)
        error, after = self._faults[method].popleft() if self._faults[method] else (None, False)
        if self.away:
            error, after = StoreUnavailable("away"), False
        try:
            await asyncio.sleep(self.delay / 2)
            if error is not None and not after:
                raise error
            value = await call
        finally:
            call.close()
        await asyncio.sleep(self.delay / 2)
        if error is not None:
            raise error
        return value

    async def join(self, seat: Seat, lease_seconds: float, *, replacing: int | None = None) -> Member:
        return await self._do("join", super().join(seat, lease_seconds, replacing=replacing))

    async def renew(self, incarnation: int, lease_seconds: float) -> Picture:
        return await self._do("renew", super().renew(incarnation, lease_seconds))

    async def picture(self) -> Picture:
        return await self._do("picture", super().picture())

    async def mark_leaving(self, incarnation: int) -> None:
        await self._do("mark_leaving", super().mark_leaving(incarnation))

    async def take_term(self, incarnation: int, seen: int, *, evidence: bool = False) -> int | None:
        return await self._do("take_term", super().take_term(incarnation, seen, evidence=evidence))

    async def resign(self, term: int) -> None:
        await self._do("resign", super().resign(term))

    async def declare_down(self, term: int, incarnation: int, *, evidence: bool = False) -> bool:
        return await self._do("declare_down", super().declare_down(term, incarnation, evidence=evidence))

    async def deploy(self, deployment: Deployment, *, host: int | None = None) -> None:
        await self._do("deploy", super().deploy(deployment, host=host))

    async def unhost(self, name: str, incarnation: int) -> None:
        await self._do("unhost", super().unhost(name, incarnation))

    async def deployments(self) -> tuple[list[Deployment], list[Hosting]]:
        return await self._do("deployments", super().deployments())

    async def allocations(self, name: str) -> list[Allocation]:
        return await self._do("allocations", super().allocations(name))

    async def allocate(self, term: int, name: str, allocations: Sequence[Allocation]) -> None:
        await self._do("allocate", super().allocate(term, name, allocations))

    # --- to look at, without delay and without faults

    async def looked(self) -> Picture:
        """What is in the store."""
        return await super().picture()

    async def owners(self, name: str = "t") -> dict[int, tuple[int, int]]:
        """Owner and epoch by shard."""
        return {shard: (owner, epoch) for shard, owner, epoch in await super().allocations(name)}
