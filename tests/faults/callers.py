"""What calls: bookings of concerts of which a few are hot, and a permit log. All that is told is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from random import Random
from typing import Final

from aecorpy import AecorError, EntityRefs, JournalError, OutcomeUnknown, Rejection
from aecorpy.demo.permits import ActivityDone, PermitApplication
from aecorpy.demo.permits.log import Log
from tests.checker.records import ANSWERED, READ, REFUSED, REJECTED, UNKNOWN, Record, Sent, Told, Value
from tests.faults.concerts import CONCERTS, SHARDS, Concert
from tests.faults.setting import now

WITHIN: Final = 5.0  # seconds for an answer
MOST_UNDER_WAY: Final = 300
CLOSED_LOOP: Final = 16  # callers at a time where there is no pace
SKEW: Final = 1.1  # of Zipf's law
CASES_AT_A_TIME: Final = 48
PAUSE: Final = 0.1

# How many seats, how many events, what it is to the checker, how often.
COMMANDS: Final = ((1, 1, "append", 70), (2, 2, "append", 12), (3, 1, "append", 5), (0, 0, READ, 25))


class Teller:
    """Sends commands under one name, numbered, and records what is told.

    Args:
        sender: the name.
        record: takes the records.

    Attributes:
        under_way: how many wait for their answers.
    """

    def __init__(self, sender: str, record: Callable[[Record], None]) -> None:
        self.under_way = 0
        self._sender = sender
        self._record = record
        self._sent = 0

    async def tell(self, sent: Sent, call: Callable[[], Awaitable[tuple[Value, int | None]]]) -> str:
        """Send what was made by `next`; the outcome."""
        self._record(sent)
        self.under_way += 1
        value, epoch, why, outcome = None, None, "", UNKNOWN
        try:
            value, epoch = await call()
            outcome = ANSWERED
        except OutcomeUnknown as error:
            why = _shown(error)
        except Rejection as error:
            outcome, why = REJECTED, _shown(error)
        except (AecorError, JournalError) as error:
            outcome, why = REFUSED, _shown(error)
        except Exception as error:  # noqa: BLE001 - what nobody should be told is for the end of the run to judge
            why = _shown(error)
        finally:
            self.under_way -= 1
        self._record(Told(now(), sent.command, outcome, value, epoch, why))
        return outcome

    def next(self, key: str, op: str, events: int, command: str = "") -> Sent:
        """The next command of this sender, by default under a name of its own."""
        self._sent += 1
        return Sent(now(), command or f"{self._sender}:{self._sent}", self._sender, self._sent, key, op, events)


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


class BookingLoad:
    """Bookings at a steady pace, whether the former are answered or not; concerts are drawn by Zipf's law.

    Args:
        concerts: the way to them.
        teller: sends and records.
        seed: what is drawn comes from it.
        per_second: the pace; 0 for as many as are answered.
    """

    def __init__(self, concerts: EntityRefs[Concert], teller: Teller, seed: int, per_second: float) -> None:
        self.enough = asyncio.Event()
        self._concerts = concerts.within(WITHIN)
        self._teller = teller
        self._random = Random(seed)
        self._per_second = per_second
        self._weights = list(accumulate(1 / place**SKEW for place in range(1, CONCERTS + 1)))

    async def run(self) -> None:
        """Send until it is enough, and wait for the last answers."""
        async with asyncio.TaskGroup() as group:
            if not self._per_second:
                for _ in range(CLOSED_LOOP):
                    group.create_task(self._one_after_the_other())
                return
            clock = asyncio.get_running_loop().time
            due = clock()
            while not await _is_set(self.enough, due - clock()):
                if self._teller.under_way < MOST_UNDER_WAY:
                    group.create_task(self._send())
                due = max(due + 1 / self._per_second, clock() - 1.0)

    async def _one_after_the_other(self) -> None:
        while not self.enough.is_set():
            if await self._send() != ANSWERED:
                await asyncio.sleep(PAUSE)

    async def _send(self) -> str:
        number = self._random.choices(range(CONCERTS), cum_weights=self._weights)[0]
        ((seats, events, op, _),) = self._random.choices(COMMANDS, [row[3] for row in COMMANDS])
        return await self.send(f"concert-{number}", seats, events, op)

    async def send(self, key: str, seats: int, events: int, op: str) -> str:
        """One command; its outcome."""
        sent, concert = self._teller.next(key, op, events), self._concerts(key)

        async def call() -> tuple[Value, int | None]:
            if op != READ:
                return await concert.book(sent.command, seats), None
            value, _, epoch = (await concert.booked()).partition(" ")
            return value or None, int(epoch)

        return await self._teller.tell(sent, call)

    async def all_answer(self) -> bool:
        """Whether a concert of every shard answers."""
        tagging = Concert.tagging
        keys: dict[int, str] = {}
        for number in range(CONCERTS):
            keys.setdefault(tagging.shard_of(f"concert-{number}"), f"concert-{number}")
        assert len(keys) == SHARDS, "there are more concerts than shards"
        return set(await asyncio.gather(*(self.send(key, 1, 1, "append") for key in keys.values()))) == {ANSWERED}


class PermitLoad:
    """A permit log, each case in the order of the file, each task again until it is recorded.

    Args:
        permits: the way to the applications.
        teller: sends and records.
        log: what to send.
        seconds: how long it should take, until there is no time any more.
    """

    def __init__(self, permits: EntityRefs[PermitApplication], teller: Teller, log: Log, seconds: float) -> None:
        self.enough = asyncio.Event()
        self._permits = permits.within(WITHIN)
        self._teller = teller
        self._cases = iter(log.cases.items())
        self._pause = CASES_AT_A_TIME * seconds / log.rows

    async def run(self) -> None:
        """Send the whole log."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CASES_AT_A_TIME):
                group.create_task(self._send(self._cases))

    async def _send(self, cases: Iterator[tuple[str, Sequence[ActivityDone]]]) -> None:
        for case, tasks in cases:
            for task in tasks:
                await until(partial(self._is_recorded, case, task), PAUSE)
                await _is_set(self.enough, self._pause)

    async def _is_recorded(self, case: str, task: ActivityDone) -> bool:
        sent = self._teller.next(case, "append", 1, f"{case}/{task.task_id}")
        record = partial(self._permits(case).record, task.task_id, task.activity, task.resource, task.group)

        async def call() -> tuple[Value, int | None]:
            await record(task.done_at)
            return None, None

        return await self._teller.tell(sent, call) == ANSWERED

    async def all_answer(self) -> bool:
        """Whether the log was sent: then every shard with a case has answered."""
        return True


async def until(condition: Callable[[], Awaitable[bool]], pause: float) -> None:
    """Ask again and again, for ever: whoever waits sets the limit."""
    while True:
        if await condition():
            return
        await asyncio.sleep(pause)


async def _is_set(event: asyncio.Event, within: float) -> bool:
    if within > 0 and not event.is_set():
        try:
            async with asyncio.timeout(within):
                await event.wait()
        except TimeoutError:
            return False
    return event.is_set()
