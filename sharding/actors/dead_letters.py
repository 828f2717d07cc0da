"""Messages nobody takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thespian.actors import ActorAddress, ActorExitRequest, ChildActorExited, DeadEnvelope

from sharding.actors.ask import ReplyAddress
from sharding.actors.errors import AskFailed, Undeliverable

if TYPE_CHECKING:
    from sharding.actors.address import Address

__all__ = ["DeadLetters"]


class DeadLetters:
    """Counts undeliverable messages, tells whoever asked, and passes them to the registered actor.

    Attributes:
        count: letters so far.
        handler: the actor that gets them; the last one that registered, as Thespian's tests have it.
    """

    def __init__(self) -> None:
        self.count = 0
        self.handler: Address | None = None

    def set_handler(self, address: Address, enable: bool) -> None:
        """Register an actor, or take its registration back; another actor's registration stays."""
        if enable:
            self.handler = address
        elif self.handler is address:
            self.handler = None

    def add(self, target: ActorAddress, message: Any, sender: ActorAddress, error: AskFailed | None = None) -> None:
        """Record that `message` does not reach `target`; an ask behind it fails with `error` at once."""
        if sender.__class__ is ReplyAddress:
            sender.fail(error or Undeliverable(f"{target} has exited", target))
        if isinstance(message, (ActorExitRequest, ChildActorExited)):
            return  # its purpose is fulfilled, or nobody is left to hear it
        self.count += 1
        if self.handler is not None and not isinstance(message, DeadEnvelope):
            self.handler.deliver(DeadEnvelope(target, message), sender)
