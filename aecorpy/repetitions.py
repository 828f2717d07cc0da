"""Commands that process managers repeat: what a shard's entities know of those they had, and how they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aecorpy.causes import Causes, other_command
from aecorpy.errors import CommandFailed
from aecorpy.messages import Refused

if TYPE_CHECKING:
    from aecorpy.behaviour import Behaviour
    from aecorpy.entity import Entity
    from aecorpy.messages import Answer, Command
    from aecorpy.recovery import Recovery
    from journal.metadata import Cause


class Repetitions:
    """The causes that the entities of one shard have events of, and the answers to commands that come again.

    Args:
        behaviour: what the entities do.
        recovery: finds answers among their events.
    """

    def __init__(self, behaviour: Behaviour[Any], recovery: Recovery) -> None:
        self._behaviour = behaviour
        self._recovery = recovery
        self._causes: dict[Entity[Any, Any], Causes] = {}  # only of those that process managers sent commands

    def may_be(self, entity: Entity[Any, Any], cause: Cause) -> bool:
        """Whether `entity` may have events of `cause` already; False is certain."""
        causes = self._causes.get(entity)
        return causes is not None and not causes.is_new(cause)

    def uncommitted(self, entity: Entity[Any, Any], command: Command) -> Answer | Refused | None:
        """The answer to `command` when its events are being committed now, to be told behind them; else None."""
        for pending in entity._pending or ():
            caused = pending.caused
            if caused is not None and caused.cause == command.cause:
                if caused.spec is command.spec:
                    answer: Answer | Refused = pending.answer
                    return answer
                return Refused(self._other(entity, command, caused.spec.name))
        return None

    async def once(self, entity: Entity[Any, Any], command: Command) -> Any:
        """What `command` answered when its events were appended; only if there are none is it run.

        Raises:
            CommandFailed: the events are another command's.
            BadPayload: the stored answer does not fit the command's reply type any more.
        """
        cause = command.cause
        assert cause is not None, "a command without cause is no repetition"
        answered = await self._recovery.answered(entity.key, cause, self._causes[entity])
        if answered is None:
            return await command.spec.method(entity, *command.args, **command.kwargs)
        name, reply = answered
        if name != command.spec.name:
            raise self._other(entity, command, name)
        return self._behaviour.replies[name].decode(reply)

    def _other(self, entity: Entity[Any, Any], command: Command, before: str) -> CommandFailed:
        cause = command.cause
        assert cause is not None, "a command without cause is no repetition"
        event = f"{cause.consumer}/{cause.tag}/{cause.offset}"
        return other_command(self._behaviour.entity.__name__, entity.key, command.spec.name, event, before)

    def add(self, entity: Entity[Any, Any], cause: Cause, seq_nr: int) -> None:
        """Events of `cause` are being appended, from `seq_nr` on."""
        causes = self._causes.get(entity)
        if causes is None:
            causes = self._causes[entity] = Causes()
        causes.add(cause, seq_nr)

    def recovered(self, entity: Entity[Any, Any], causes: Causes | None) -> None:
        """What recovery found counts, and nothing that was thought before; None when there are no causes any more."""
        if causes is not None:
            self._causes[entity] = causes
        else:
            self._causes.pop(entity, None)

    def packed(self, entity: Entity[Any, Any]) -> bytes:
        """The entity's causes for a snapshot, empty where there are none."""
        causes = self._causes.get(entity)
        return b"" if causes is None else causes.pack()
