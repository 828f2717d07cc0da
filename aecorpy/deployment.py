"""What a node keeps of each entity type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aecorpy.refs import Door
from journal.events import EventJournal
from sharding.host import Population


@dataclass(slots=True)
class Deployment:
    """An entity type on this node; `journal` is None for plain actors, `refs` is the way to its instances."""

    entity: type
    door: Door
    refs: Any
    journal: EventJournal[Any] | None
    population: Population

    async def close(self) -> None:
        """Commit what is queued for the journal."""
        if self.journal is not None:
            await self.journal.close()
