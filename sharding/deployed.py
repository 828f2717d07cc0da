"""The types that are deployed on this node: each with its region and its routes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sharding.actors import Address, Engine
from sharding.protocol import Flushed, HandOff, Homes
from sharding.routes import Routes
from sharding.store.records import Deployment


@dataclass(slots=True)
class Deployed:
    """A type on this node; `hosts` says whether its shards shall be able to live here."""

    deployment: Deployment
    hosts: bool
    region: Address
    routes: Routes


class DeployedTypes:
    """All of them, by name.

    Args:
        engine: delivers to their regions.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._types: dict[str, Deployed] = {}

    def __iter__(self) -> Iterator[Deployed]:
        return iter(list(self._types.values()))

    def __len__(self) -> int:
        return len(self._types)

    def add(self, one: Deployed) -> None:
        """Another type is deployed."""
        self._types[one.deployment.name] = one

    def get(self, name: str) -> Deployed | None:
        """The type of that name, if it is deployed here."""
        return self._types.get(name)

    # --- regions

    def tell_all(self, message: Any) -> None:
        """Tell every region."""
        for one in self._types.values():
            self._engine.tell(one.region, message)

    def tell(self, message: Homes | HandOff | Flushed) -> None:
        """Tell the region of the type that the message names; nobody when it is not deployed here."""
        one = self._types.get(message.name)
        if one is not None:
            self._engine.tell(one.region, message)

    # --- routes

    def suspend(self, incarnation: int) -> None:
        """Let what goes to a member that is gone wait for its successors."""
        for one in self._types.values():
            one.routes.suspend(incarnation)

    def forget_homes(self) -> None:
        """Let everything wait until the homes are known anew."""
        for one in self._types.values():
            one.routes.forget_homes()

    def refuse_waiting(self, why: str) -> None:
        """Tell who sent what still waits that nothing happened."""
        for one in self._types.values():
            one.routes.refuse_waiting(why)

    def waiting(self) -> int:
        """How many messages wait for the homes of their shards."""
        return sum(one.routes.waiting for one in self._types.values())

    async def vacated(self, seconds: float) -> bool:
        """Whether no shard lives here any more, within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                for one in self:
                    await one.routes.vacated()
        except TimeoutError:
            return False
        return True
