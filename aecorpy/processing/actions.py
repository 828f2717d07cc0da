"""What was done to a deployment, by whom and why: its last hundred actions, in a note of the journal's database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgpack

from aecorpy.processing.states import UnreadableNote
from journal.contract import Transaction
from journal.records import NewNote, Note

ACTION: Final = "action"
MOST_ACTIONS = 100
LONGEST_WHY = 500


@dataclass(frozen=True, slots=True)
class Action:
    """Something that management did.

    Args:
        at: when, by the store's clock.
        by, why: who did it, and the reason given.
        what: what was done.
    """

    at: datetime
    by: str
    what: str
    why: str


async def note_action(transaction: Transaction, deployment: str, action: Action) -> None:
    """Note an action with `transaction`; of a deployment's actions the last hundred are kept."""
    actions = [*actions_of(await transaction.get_note(ACTION, deployment)), action][-MOST_ACTIONS:]
    await transaction.put_note(NewNote(ACTION, deployment, _packed(actions)))


def actions_of(note: Note | None) -> list[Action]:
    """The actions stored as `note`, the last one last.

    Raises:
        UnreadableNote: it holds none.
    """
    if note is None:
        return []
    try:
        rows = msgpack.unpackb(note.payload)
        return [Action(datetime.fromisoformat(at), by, what, why) for at, by, what, why in rows]
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise UnreadableNote(f"note {note.kind} {note.name!r} cannot be read: {error}") from error


def _packed(actions: Sequence[Action]) -> bytes:
    rows = [[one.at.isoformat(), one.by[:LONGEST_WHY], one.what, one.why[:LONGEST_WHY]] for one in actions]
    packed: bytes = msgpack.packb(rows, unicode_errors="backslashreplace")
    return packed
