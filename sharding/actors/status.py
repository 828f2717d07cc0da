"""What an actor, and the system, tell about themselves when they get a `Thespian_StatusReq`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from thespian.actors import ActorAddress
from thespian.system.messages.status import Thespian_ActorStatus, Thespian_StatusReq, Thespian_SystemStatus
from thespian.system.timing import ExpirationTimer

from sharding.actors.address import Address

if TYPE_CHECKING:
    from sharding.actors.cell import Cell
    from sharding.actors.engine import Engine

__all__ = ["SystemAddress", "actor_status", "system_status"]


class SystemAddress(Address):
    """The engine itself: the sender of what it tells actors. It answers a status request and takes nothing else."""

    __slots__ = ("_engine",)

    # `ActorSystem.systemAddress`, which Thespian makes without asking the system base.
    THESPIANS: Final = "/ActorSys"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def home(self) -> Engine:
        """The engine."""
        return self._engine

    @property
    def name(self) -> str:
        """As logs call it."""
        return "ActorSystem"

    def deliver(self, message: Any, sender: ActorAddress) -> None:
        """Answer a status request; anything else is a dead letter."""
        if isinstance(message, Thespian_StatusReq):
            self._engine.post(sender, system_status(self._engine), self)
        else:
            self._engine.dead_letters.add(self, message, sender)


def system_status(engine: Engine) -> Thespian_SystemStatus:
    """The status Thespian's tools print: top-level actors, capabilities, dead letters, global names, tasks."""
    status = Thespian_SystemStatus(engine.address, capabilities=dict(engine.capabilities), inShutdown=engine.stopping)
    for child in engine.root.children or ():
        status.addChild(child.address)
    for name, address in engine.global_names.items():
        status.addGlobalActor(name, address)
    status.setDeadLetterHandler(engine.dead_letters.handler)
    counts = {"actors": engine.actors, "tasks": engine.tasks, "failures": engine.failures}
    for key, value in {**counts, "dead letters": engine.dead_letters.count}.items():
        status.addKeyVal(key, value)
    return status


def actor_status(cell: Cell) -> Thespian_ActorStatus:
    """The status Thespian's tools print: class, parent, children, waiting messages and wake-ups, owned tasks."""
    status = Thespian_ActorStatus(cell.address, cell.kind, cell.engine.address, cell.parent and cell.parent.address)
    for child in cell.children or ():
        status.addChild(child.address)
    for message, sender in cell.mailbox or ():
        status.addReceivedMessage(sender, cell.address, message)
    if cell.waits is not None:
        now = cell.engine.loop.time()
        wakeups = [(cell.address, ExpirationTimer(handle.when() - now)) for handle, _ in cell.waits.wakeups.values()]
        status.addWakeups(wakeups)
        status.addKeyVal("tasks", len(cell.waits.tasks))
    return status
