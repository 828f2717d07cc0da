"""Where a thread outside the loop gets its answers."""

from __future__ import annotations

from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Any, Final

from thespian.actors import ActorAddress, ActorSystemMessage, PoisonMessage
from thespian.system.messages.status import Thespian_ActorStatus, Thespian_SystemStatus

from sharding.actors.address import Address

__all__ = ["ThreadInbox", "seconds_of"]

_CLOSED: Final = object()


class ThreadInbox(Address):
    """An address that any thread delivers to and one thread, or several taking turns, listens on."""

    __slots__ = ("_name", "_queue")

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[Any] = SimpleQueue()

    @property
    def name(self) -> str:
        """As logs call it."""
        return self._name

    def deliver(self, message: Any, sender: ActorAddress) -> None:
        """Keep the message for whoever listens; what the system tells actors only is dropped."""
        if not _for_actors_only(message):
            self._queue.put(message)

    def get(self, seconds: float | None) -> Any:
        """The next message.

        Args:
            seconds: to wait at most; None waits for ever.

        Returns:
            None when the time is over, or the engine has ended.
        """
        try:
            message = self._queue.get(timeout=seconds)
        except Empty:
            return None
        if message is _CLOSED:
            self._queue.put(_CLOSED)  # for whoever listens next
            return None
        return message

    def close(self) -> None:
        """Nothing more will come: whoever listens, now or later, gets None after what is there."""
        self._queue.put(_CLOSED)


def seconds_of(timeout: timedelta | float | None) -> float | None:
    """A waiting time as Thespian's callers give it, in seconds."""
    if timeout is None:
        return None
    return max(0.0, timeout.total_seconds() if isinstance(timeout, timedelta) else float(timeout))


def _for_actors_only(message: Any) -> bool:
    if isinstance(message, PoisonMessage):
        message = message.poisonMessage
    return isinstance(message, ActorSystemMessage) and not isinstance(
        message, (Thespian_ActorStatus, Thespian_SystemStatus)
    )
