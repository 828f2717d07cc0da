"""Effects that a switch left behind: events that the new generation has handled and the former one had not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aecorpy.projection.contract import Projection
from aecorpy.projection.generations import Generations, changing, held_generations
from journal.contract import Database
from journal.events import EventJournal
from journal.records import offset_on
from journal.tagging import EventTag

PAGE = 200


async def settle_effects(
    name: str,
    projection: Projection[Any],
    journal: EventJournal[Any],
    database: Database,
    tags: Sequence[EventTag],
    seen: Generations,
) -> dict[int, int]:
    """Have the effects of events that are handled already but had none, and note that.

    Args:
        name: the view.
        projection: the serving one.
        journal, database: where events are, and offsets and the view's note.
        tags: those of one process.
        seen: what there is of the view.

    Returns:
        by shard, up to which offset effects are done although the events may have yet to be handled.
    """
    behind = [tag for tag in tags if str(tag) in seen.effects]
    ahead = [tag for tag in tags if str(tag) in seen.effects_ahead]
    if not (behind or ahead):
        return {}
    rows = await database.offsets.read(name)
    handled = {tag: offset_on(rows, str(tag)) for tag in [*behind, *ahead]}
    for tag in behind:
        await _have(projection, journal, tag, seen.effects[str(tag)], handled[tag])
    passed = {str(tag) for tag in ahead if handled[tag] >= seen.effects_ahead[str(tag)]}
    if behind or passed:
        async with changing(database, name) as transaction:
            now = await held_generations(transaction, name)
            settled = {str(tag) for tag in behind if now.effects.get(str(tag)) == seen.effects[str(tag)]}
            left = replace(
                now, effects=_without(now.effects, settled), effects_ahead=_without(now.effects_ahead, passed)
            )
            await transaction.put_note(left.note(name))
    return {tag.shard: seen.effects_ahead[str(tag)] for tag in ahead}


def _without(marks: Mapping[str, int], tags: Collection[str]) -> dict[str, int]:
    return {tag: offset for tag, offset in marks.items() if tag not in tags}


async def _have(projection: Projection[Any], journal: EventJournal[Any], tag: EventTag, after: int, last: int) -> None:
    async for records in journal.tag_pages(tag, after, last, page=PAGE):
        await projection.effects([journal.decode(record) for record in records])
