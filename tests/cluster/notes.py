"""What lives in the clusters: notes, whose events say which command wrote them and in which process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from thespian.actors import Actor

from aecorpy import Entity, Fold, Next, Tagging, command, event, query

SHARDS = 24


@event("Written")
@dataclass(frozen=True, slots=True)
class Written:
    """The command `id` was carried out in the process `by`."""

    id: str
    by: str


class Note(Entity[int, Written]):
    """Counts what was written to it.

    Attributes:
        by: this process, as its events call it.
    """

    fold = Fold[int, Written](0, lambda written, _: Next(written + 1))
    tagging = Tagging.partitioned(SHARDS)
    by: ClassVar[str] = ""

    @command
    async def write(self, command_id: str) -> int:
        """Append one event; how many there are now."""
        self.append(Written(command_id, Note.by))
        return self.state

    @query
    async def written(self) -> int:
        """How many events there are."""
        return self.state


@cache
def notes(shards: int) -> type[Note]:
    """`Note`, spread over so many shards; the same class each time."""
    return Note if shards == SHARDS else type("Note", (Note,), {"tagging": Tagging.partitioned(shards)})


def plain_actor() -> type[Actor]:
    """An actor class that has the name of `Note` and is another kind of thing."""

    class Note(Actor):
        def receiveMessage(self, message: Any, sender: Any) -> None:
            self.send(sender, message)  # type: ignore[no-untyped-call]

    return Note


def keys_by_shard(shards: int, each: int = 1) -> list[list[str]]:
    """For every shard so many keys that fall into it."""
    tagging = Tagging.partitioned(shards)
    found: list[list[str]] = [[] for _ in range(shards)]
    number = 0
    while any(len(keys) < each for keys in found):
        keys = found[tagging.shard_of(f"note-{number}")]
        if len(keys) < each:
            keys.append(f"note-{number}")
        number += 1
    return found
