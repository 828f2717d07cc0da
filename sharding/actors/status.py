"""What an actor tells about itself when it gets a `Thespian_StatusReq`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thespian.system.messages.status import Thespian_ActorStatus
from thespian.system.timing import ExpirationTimer

if TYPE_CHECKING:
    from sharding.actors.cell import Cell

__all__ = ["actor_status"]


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
