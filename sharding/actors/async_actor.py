"""An actor that waits without blocking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from thespian.actors import Actor, ActorAddress

from sharding.actors.address import Address, LocalAddress
from sharding.actors.creation import ActorSource
from sharding.actors.outcome import Outcome

if TYPE_CHECKING:
    from sharding.actors.cell import Cell
    from sharding.actors.engine import Engine

__all__ = ["AsyncActor"]

T = TypeVar("T")


class AsyncActor(Actor):
    """A Thespian actor with what the asyncio engine adds: owned tasks, factories for children, forwarding.

    A turn (`receiveMessage`) stays synchronous. What waits is a coroutine that the actor pipes to itself; while it
    runs the actor takes other messages, and how it ended comes back as a message in a turn of its own.

    Set `mailbox_limit` on the class to bound how many messages may wait; further ones are dead letters, and an ask
    fails with `MailboxFull`.
    """

    __slots__ = ()

    mailbox_limit: int | None = None

    if TYPE_CHECKING:  # Thespian has no annotations: these let programs that subclass this pass a strict check
        _myRef: Cell  # noqa: N815

        def __init__(self) -> None: ...

        @property
        def myAddress(self) -> LocalAddress: ...  # noqa: D102, N802

        def send(self, targetAddr: ActorAddress, msg: Any) -> None: ...  # noqa: D102, N803

        def wakeupAfter(self, timePeriod: timedelta | float, payload: Any = None) -> None: ...  # noqa: D102, N802, N803

    @property
    def engine(self) -> Engine:
        """The engine this actor lives in: for `ask`, for callbacks on the loop that `tell`, and for its loop's time."""
        return self._myRef.engine

    def pipe_to_self(
        self, awaitable: Awaitable[T], wrap: Callable[[Outcome[T]], Any] | None = None
    ) -> asyncio.Future[T]:
        """Run a coroutine as this actor's task; its end comes back as a message from this actor. (Akka's pipeToSelf.)

        Args:
            awaitable: a coroutine to run, which must not touch the actor's state; or a future, as of `engine.ask`.
            wrap: makes the message from the `Outcome`; without it the outcome itself is the message. An error in
                `wrap` comes back as the outcome.

        Returns:
            The task or future. It is cancelled when the actor exits, and nothing comes back then.

        Raises:
            ActorsError: the actor has exited.
        """
        return self._myRef.own_waits().own(awaitable, wrap)

    @property
    def running_tasks(self) -> int:
        """How many tasks of this actor have not ended."""
        waits = self._myRef.waits
        return 0 if waits is None else len(waits.tasks)

    def create_child(self, source: ActorSource, *, global_name: str | None = None) -> Address:
        """`createActor`, typed: a class, the dotted name of one, or a callable that makes the instance."""
        return self._myRef.createActor(source, None, global_name, None)

    def forward(self, address: ActorAddress, message: Any, sender: ActorAddress) -> None:
        """Send a message on so that its receiver answers `sender`, not this actor.

        An ask behind it then follows the message: it fails when the receiver exits, no longer when this actor does.
        """
        self._myRef.engine.tell(address, message, sender)
