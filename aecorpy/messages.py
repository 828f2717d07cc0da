"""What goes to an entity and comes back, and what an entity keeps or tells itself meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aecorpy.command import CommandSpec
from journal.metadata import Cause
from sharding.actors import Outcome

if TYPE_CHECKING:
    from aecorpy.recovery import Found


class Command:
    """From a caller to an entity: run this method. `expires_at` is in the loop's time: later it is not started.

    `cause` is the event that led to it, if a process manager sent it: events with the same cause are appended once.
    """

    __slots__ = ("args", "cause", "expires_at", "kwargs", "metadata", "spec")

    def __init__(
        self,
        spec: CommandSpec,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        metadata: bytes,
        expires_at: float,
        cause: Cause | None = None,
    ) -> None:
        self.spec = spec
        self.args = args
        self.kwargs = kwargs
        self.metadata = metadata
        self.expires_at = expires_at
        self.cause = cause


class Answer:
    """From an entity to the caller: the command returned `value`, and what it appended is committed."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Refused:
    """From an entity or a shard to the caller: raise `error`."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Pending:
    """An answer that waits: for the commit of its own events, or, if `appends` is false, of those before it only.

    `snapshot` is version, state and causes to keep once they are committed, or None; `caused` is the command whose
    events they are, if that has a cause.
    """

    __slots__ = ("answer", "appends", "caused", "sender", "snapshot")

    def __init__(
        self,
        sender: Any,
        answer: Any,
        appends: bool,
        snapshot: tuple[int, Any, bytes] | None,
        caused: Command | None = None,
    ) -> None:
        self.sender = sender
        self.answer = answer
        self.appends = appends
        self.snapshot = snapshot
        self.caused = caused


class Recovered:
    """To an entity from its own recovery: what was found, or the error that ended it."""

    __slots__ = ("outcome",)

    def __init__(self, outcome: Outcome[Found]) -> None:
        self.outcome = outcome


class CommandEnded:
    """To an entity from the task of a command that awaited: what it returned or raised."""

    __slots__ = ("before", "command", "outcome", "sender")

    def __init__(self, command: Command, sender: Any, before: tuple[Any, int], outcome: Outcome[Any]) -> None:
        self.command, self.sender, self.before, self.outcome = command, sender, before, outcome
