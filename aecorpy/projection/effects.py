"""Effects that a switch left behind: events that the new generation has handled and the former one had not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from aecorpy.projection.contract import Projection
from aecorpy.projection.generations import changing, held_generations
from journal.contract import Database
from journal.events import EventJournal
from journal.tagging import EventTag

PAGE = 200


async def settle_effects(
    name: str,
    projection: Projection[Any],
    journal: EventJournal[Any],
    database: Database,
    tags: Sequence[EventTag],
    done: Mapping[str, int],
) -> dict[int, int]:
    """Have the effects of events that are handled already but had none, and note that.

    Args:
        name: the view.
        projection: the serving one.
        journal, database: where events are, and offsets and the view's note.
        tags: those of one process.
        done: `Generations.effects`.

    Returns:
        by shard, up to which offset effects are done although the events have yet to be handled.
    """
    mine = [tag for tag in tags if str(tag) in done]
    if not mine:
        return {}
    offsets = await database.offsets.read(name)
    ahead: dict[int, int] = {}
    settled: dict[str, int] = {}
    for tag in mine:
        effects, handled = done[str(tag)], offsets[str(tag)].offset if str(tag) in offsets else 0
        if effects > handled:
            ahead[tag.shard] = effects
        else:
            await _have(projection, journal, tag, effects, handled)
            settled[str(tag)] = effects
    async with changing(database, name) as transaction:
        seen = await held_generations(transaction, name)
        left = {tag: offset for tag, offset in seen.effects.items() if settled.get(tag) != offset}
        await transaction.put_note(replace(seen, effects=left).note(name))
    return ahead


async def _have(projection: Projection[Any], journal: EventJournal[Any], tag: EventTag, after: int, last: int) -> None:
    while after < last:
        records = await journal.read_shards({tag.shard: after}, min(PAGE, last - after))
        await projection.effects([journal.decode(record) for record in records])
        after = records[-1].offset
