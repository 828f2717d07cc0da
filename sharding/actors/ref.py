"""The calls Thespian's `Actor` makes on the system that hosts it."""

# ruff: noqa: N802, D102 - the names are Thespian's, and what the calls mean is written there

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from thespian.actors import ActorAddress, InvalidActorSourceHash

from sharding.actors.address import Address, LocalAddress
from sharding.actors.errors import SourceLoadingUnsupported

if TYPE_CHECKING:
    from sharding.actors.cell import Cell
    from sharding.actors.engine import Engine
    from sharding.actors.waits import Waits

__all__ = ["ActorRef", "no_sources"]


class ActorRef:
    """What an actor's `_myRef` answers; the names and arguments are Thespian's."""

    __slots__ = ()

    if TYPE_CHECKING:
        engine: Engine
        address: LocalAddress
        global_name: str | None

        def own_waits(self) -> Waits: ...

    @property
    def globalName(self) -> str | None:
        return self.global_name

    def createActor(
        self, actor_class: Any, requirements: dict[str, Any] | None, global_name: str | None, source_hash: str | None
    ) -> Address:
        if source_hash is not None:
            raise InvalidActorSourceHash(source_hash)
        return self.engine.create(actor_class, parent=self.address, requirements=requirements, global_name=global_name)

    def actor_send(self, target: ActorAddress, message: Any) -> None:
        if target.__class__ is LocalAddress:
            cell: Cell = target._cell
            if cell.engine is self.engine:
                cell.accept(message, self.address)
                return
        self.engine.post(target, message, self.address)

    def wakeupAfter(self, period: timedelta | float, payload: Any) -> None:
        seconds = period.total_seconds() if isinstance(period, timedelta) else float(period)
        self.own_waits().wake_after(seconds, period, payload)

    def handleDeadLetters(self, address: Address, enable: bool) -> None:
        self.engine.dead_letters.set_handler(address, enable)

    def updateCapability(self, name: str, value: Any) -> None:
        self.engine.update_capability(name, value)

    def actorSystemShutdown(self) -> None:
        self.engine.begin_shutdown()

    def notifyOnSystemRegistrationChanges(self, address: Address, enable: bool) -> None:
        """Accepted and without effect: an engine is a system of its own, which no other one joins."""

    def preRegisterRemoteSystem(self, address: Any, capabilities: Any) -> None:
        """Accepted and without effect, as above."""

    def deRegisterRemoteSystem(self, address: Any) -> None:
        """Accepted and without effect, as above."""

    def registerSourceAuthority(self, address: Address) -> NoReturn:
        raise no_sources()

    def notifyOnSourceAvailability(self, address: Address, enable: bool) -> None:
        """Accepted and without effect: no sources are ever loaded."""

    def loadActorSource(self, source: Any) -> NoReturn:
        raise no_sources()

    def unloadActorSource(self, source_hash: str) -> None:
        """Accepted and without effect, as above."""


def no_sources() -> SourceLoadingUnsupported:
    """The error for everything that has to do with sources loaded at run time."""
    return SourceLoadingUnsupported("actor sources are not loaded at run time: import the actor's module instead")
