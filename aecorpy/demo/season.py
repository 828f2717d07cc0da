"""The concerts of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from aecorpy import EntityRefs
from aecorpy.demo.concert import Concert, Hall
from aecorpy.demo.concert.rejections import ConcertAlreadyExists
from aecorpy.demo.patience import Patience

LARGE, SMALL = Hall("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 44), Hall("ABC", 8)
PRICES = (Decimal("19.90"), Decimal("45.00"), Decimal("120.50"))


@dataclass(frozen=True, slots=True)
class Announced:
    """A concert as it is announced; see `Concert.announce`."""

    concert_id: str
    hall: Hall
    price: Decimal
    seconds_to_pay: float | None


@dataclass(frozen=True, slots=True)
class Season:
    """The concerts of one run.

    Args:
        usual: with time enough to pay; one is in a small hall, where seats run out.
        free: cost nothing.
        last_minute: with very little time to pay.
        nowhere: the id of one that is never announced.
    """

    usual: Sequence[Announced]
    free: Sequence[Announced]
    last_minute: Sequence[Announced]
    nowhere: str

    @property
    def all(self) -> tuple[Announced, ...]:
        """All that are announced."""
        return (*self.usual, *self.free, *self.last_minute)

    async def announce(self, concerts: EntityRefs[Concert], patience: Patience) -> None:
        """Announce them all.

        Raises:
            JournalError: the store is away for too long.
        """
        asking = patience.for_queries()
        await asyncio.gather(*[asking.through(partial(_announced, concerts, one)) for one in self.all])


async def _announced(concerts: EntityRefs[Concert], one: Announced) -> None:
    with suppress(ConcertAlreadyExists):  # the answer to an earlier try was lost
        await concerts(one.concert_id).announce(one.hall, one.price, one.seconds_to_pay)


def season(run: str, seconds_to_pay: float = 5.0, last_minute_seconds: float = 1.0) -> Season:
    """The concerts of a run.

    Args:
        run: what their ids begin with.
        seconds_to_pay: how long the usual ones keep seats.
        last_minute_seconds: how long those do that are sold at the last minute.
    """

    def concert(name: str, hall: Hall, price: Decimal, seconds: float) -> Announced:
        return Announced(f"{run}-{name}", hall, price, seconds)

    usual = [concert(f"concert-{n}", LARGE, PRICES[n % len(PRICES)], seconds_to_pay) for n in range(1, 16)]
    usual.append(concert("club", SMALL, PRICES[0], seconds_to_pay))
    free = [concert(f"free-{n}", LARGE, Decimal(0), seconds_to_pay) for n in range(1, 3)]
    last_minute = [concert(f"last-minute-{n}", LARGE, PRICES[0], last_minute_seconds) for n in range(1, 4)]
    return Season(usual, free, last_minute, f"{run}-nowhere")
