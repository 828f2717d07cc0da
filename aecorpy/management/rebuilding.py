"""Rebuilding views: beside the generation that serves, without touching it until the new one takes its place.

Each of these is a transaction in the database, so it needs nothing of the program, and holds for the whole cluster; the
program's processes do the work.
"""

from __future__ import annotations

from aecorpy.processing.wishes import begin_anew
from aecorpy.projection.generations import (
    Generations,
    changing,
    consumer_beside,
    held_generations,
    read_generations,
    seconds_now,
)
from aecorpy.projection.switch import discard, exchange
from journal.contract import Database


async def rebuild(database: Database, name: str, by: str, why: str = "") -> int:
    """Build a view anew with the newest version that a program brought, and switch to it when that has caught up.

    Args:
        database: where the view is.
        name: the projection's.
        by, why: who wants it, and the reason.

    Returns:
        the number of the new generation.

    Raises:
        RebuildRefused: one is being built already, the view cannot be built beside, or there is none of that name.
        Unavailable, OutcomeUnknown: the store is away.
    """
    now = await seconds_now(database)
    async with changing(database, name) as transaction:
        seen = (await held_generations(transaction, name)).begun(name, now, by, why)
        await transaction.put_note(seen.note(name))
        await begin_anew(transaction, name, by, f"generation {seen.last} is built: {why}")
    return seen.last


async def back(database: Database, name: str, by: str, why: str = "", *, at_once: bool = False) -> int:
    """Let the generation serve again that served before.

    It has stood still since. So it catches up first, and then the two change places as after a rebuild.

    Args:
        database: where the view is.
        name: the projection's.
        by, why: who wants it, and the reason.
        at_once: change places now; until it has caught up, readers see what was there when it ceased to serve.

    Returns:
        the number of the generation that will serve, or does.

    Raises:
        RebuildRefused: none is kept, one is being built, or there is no view of that name.
        Unavailable, OutcomeUnknown: the store is away.
    """
    now = await seconds_now(database)
    there = await _plain_tables(database, name) if at_once else set()
    async with changing(database, name) as transaction:
        former = await held_generations(transaction, name)
        number = former.kept.number if former.kept is not None else 0
        start = 0
        if number and not at_once:
            rows = await transaction.read_offsets(consumer_beside(name, number))
            start = sum(row.offset for row in rows.values())
        seen = former.going_back(name, now, start, by, why)
        if at_once:
            await exchange(transaction, name, seen, there)
        else:
            await transaction.put_note(seen.note(name))
            await begin_anew(transaction, name, by, f"generation {number} comes back: {why}")
    return number


async def cancel(database: Database, name: str, by: str, why: str = "") -> None:
    """Give up what is being built, and drop it; a generation that was coming back is kept again.

    Raises:
        RebuildRefused: nothing is being built, or it is just being switched in.
        Unavailable, OutcomeUnknown: the store is away.
    """
    async with changing(database, name) as transaction:
        former = await held_generations(transaction, name)
        seen = former.cancelled(name)
        build = former.building
        if build is not None and not build.back:
            await discard(transaction, name, build.generation.number, build.generation.tables)
        await transaction.put_note(seen.note(name))
        await begin_anew(transaction, name, by, f"its rebuild is cancelled: {why}")


async def forget_kept(database: Database, name: str) -> None:
    """Drop the generation that is kept for a way back, if there is one.

    Raises:
        RebuildRefused: there is no view of that name.
        Unavailable, OutcomeUnknown: the store is away.
    """
    async with changing(database, name) as transaction:
        seen = await held_generations(transaction, name)
        if seen.kept is not None:
            await discard(transaction, name, seen.kept.number, seen.kept.tables)
            await transaction.put_note(seen.without_kept().note(name))


async def _plain_tables(database: Database, name: str) -> set[str]:
    seen: Generations | None = await read_generations(database, name)
    if seen is None:
        return set()
    kept = () if seen.kept is None else seen.kept.tables
    return await database.tables_exist(sorted({*seen.serving.tables, *kept}))
