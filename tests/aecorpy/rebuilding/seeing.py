"""What management sees of the view under test."""

from __future__ import annotations

from aecorpy.management.look import look
from aecorpy.management.views import RebuildSeen, ViewSeen
from journal.contract import Database
from tests.waiting import eventually


async def view_seen(database: Database) -> ViewSeen:
    """The view."""
    seen = await look(database, "shops")
    assert seen is not None
    assert seen.view is not None
    return seen.view


async def rebuild_seen(database: Database) -> RebuildSeen:
    """The rebuild that is under way."""
    seen = await view_seen(database)
    assert seen.rebuild is not None
    return seen.rebuild


async def serves(database: Database, number: int, within: float = 20.0) -> None:
    """Return when a generation serves, and none is built."""

    async def it_does() -> bool:
        seen = await view_seen(database)
        return seen.serving == number and seen.rebuild is None

    await eventually(it_does, within=within, what=f"generation {number} serves")
