"""Rebuilding views: beside the generation that serves, without touching it until the new one takes its place.

Each of these is a transaction in the database, so it needs nothing of the program, and holds for the whole cluster; the
program's processes do the work.
"""

from __future__ import annotations

from datetime import UTC, datetime

from aecorpy.processing.actions import Action, note_action
from aecorpy.processing.wishes import begin_anew
from aecorpy.projection.generations import (
    changing,
    consumer_beside,
    held_generations,
    read_generations,
    seconds_now,
)
from aecorpy.projection.switch import discard, exchange, plain_tables
from journal.contract import Database, Transaction


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
        await _done(transaction, name, now, by, f"rebuild as generation {seen.last}", why)
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
    former = await read_generations(database, name)
    kept = None if former is None else former.kept
    tables = None
    if at_once and former is not None and kept is not None:
        tables = await plain_tables(database, former.serving, kept)
    number = 0 if kept is None else kept.number
    async with changing(database, name) as transaction:
        held = await held_generations(transaction, name)
        start = 0
        if tables is None:
            rows = await transaction.read_offsets(consumer_beside(name, number))
            start = sum(row.offset for row in rows.values())
        seen = held.going_back(name, now, start, by, why)
        if tables is None:
            await transaction.put_note(seen.note(name))
        else:
            await exchange(transaction, name, seen, tables)
        await _done(transaction, name, now, by, f"back to generation {number}{' at once' if at_once else ''}", why)
    return number


async def cancel(database: Database, name: str, by: str, why: str = "") -> None:
    """Give up what is being built, and drop it; a generation that was coming back is kept again.

    Raises:
        RebuildRefused: nothing is being built, or it is just being switched in.
        Unavailable, OutcomeUnknown: the store is away.
    """
    now = await seconds_now(database)
    async with changing(database, name) as transaction:
        former = await held_generations(transaction, name)
        seen, build = former.cancelled(name), former.building
        if build is not None and not build.back:
            await discard(transaction, name, build.generation.number, build.generation.tables)
        await transaction.put_note(seen.note(name))
        await _done(transaction, name, now, by, "cancel the rebuild", why)


async def drop_kept(database: Database, name: str, by: str, why: str = "") -> None:
    """Drop the generation that is kept for a way back.

    Raises:
        RebuildRefused: none is kept, or there is no view of that name.
        Unavailable, OutcomeUnknown: the store is away.
    """
    now = await seconds_now(database)
    async with changing(database, name) as transaction:
        former = await held_generations(transaction, name)
        seen = former.without_kept(name)
        if former.kept is not None:
            await discard(transaction, name, former.kept.number, former.kept.tables)
        await transaction.put_note(seen.note(name))
        await _done(transaction, name, now, by, "drop what was kept", why)


async def _done(transaction: Transaction, name: str, now: float, by: str, what: str, why: str) -> None:
    """Processes start anew, and it is noted who did it."""
    await begin_anew(transaction, name, by, f"{what}: {why}" if why else what)
    await note_action(transaction, name, Action(datetime.fromtimestamp(now, UTC), by, what, why))
