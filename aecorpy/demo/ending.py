"""Waiting until all bookings of a run have come to their ends, and nothing is left that would go on by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aecorpy import OutcomeUnknown, Unavailable
from aecorpy.demo.booking import BookingsByClient, BookingStatus
from aecorpy.demo.payments import read_up_to
from aecorpy.demo.processes import Followed
from journal.contract import Database

ENDS = (BookingStatus.SETTLED, BookingStatus.DENIED, BookingStatus.CANCELLED, BookingStatus.EXPIRED)
LOOK_SECONDS = 0.1


class Ending:
    """See above.

    Args:
        database: where all is.
        run: what the run's booking ids begin with.
        path: the payments' file.
        followed: the view and the confirmation.
    """

    def __init__(self, database: Database, run: str, path: Path, followed: Followed) -> None:
        self._database = database
        self._run = run
        self._path = path
        self._followed = followed

    async def comes(self, within: float) -> str | None:
        """Return None as soon as it is so; what is missing, if that takes longer than `within` seconds."""
        clock = asyncio.get_running_loop().time
        limit = clock() + within
        while True:
            missing = await self._missing()
            if missing is None or clock() > limit:
                return missing
            await asyncio.sleep(LOOK_SECONDS)

    async def _missing(self) -> str | None:
        try:
            size = await asyncio.to_thread(self._size)
            read = await read_up_to(self._database, self._path)
            if read < size:
                return f"payments are read up to byte {read:,} of {size:,}"
            await self._followed.view.caught_up(1.0)
            if waiting := await self._waiting():
                return f"{len(waiting)} bookings have not come to their ends: {', '.join(waiting[:3])}"
            await self._followed.confirmation.caught_up(1.0)
        except (Unavailable, OutcomeUnknown) as error:
            return str(error)
        return None

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    async def _waiting(self) -> list[str]:
        return [
            f"{row.booking_id} ({row.status})"
            for status in BookingStatus
            if status not in ENDS
            async for row in BookingsByClient.table.rows(self._database, status=status.value)
            if row.booking_id.startswith(self._run)
        ]
