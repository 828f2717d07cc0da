"""A manager that pays what counters count into accounts, and ways to look at what it did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

import pytest

from aecorpy import (
    ClusterNode,
    Commands,
    EntityEvent,
    EntityRefs,
    ProcessManager,
    Retry,
    SetAside,
    Stop,
)
from aecorpy.projection.contract import FailurePolicy
from journal.contract import Database
from tests.aecorpy.managing import Account, OverLimit
from tests.aecorpy.running import ProjectionHandle
from tests.aecorpy.samples import Added, Counter
from tests.waiting import eventually

Both = tuple[EntityRefs[Counter], EntityRefs[Account]]


class Payments(ProcessManager[Added]):
    """Pays each counter's number into the account that the note names, or `react` does something else."""

    entity = Counter
    on_failure: ClassVar[FailurePolicy] = Retry(0.001, 0.01)

    def __init__(self, react: Callable[[EntityEvent[Added], Commands], Awaitable[None]] | None = None) -> None:
        self.react = react
        self.seen: list[tuple[str, int]] = []

    async def on_event(self, event: EntityEvent[Added], commands: Commands) -> None:
        self.seen.append((event.entity_key, event.seq_nr))
        if self.react is None:
            await commands.to(Account)(event.payload.note).pay(event.payload.n)
        else:
            await self.react(event, commands)


class Aside(Payments):
    on_failure = SetAside(2, Retry(0.001, 0.01))


class Stopping(Payments):
    on_failure = Stop()


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores, and entities that cannot be reached, are tried again at once."""
    monkeypatch.setattr("aecorpy.projection.runner.STORE_PAUSES", Retry(0.001, 0.01))


async def deployed(node: ClusterNode) -> Both:
    """Counters and accounts on a node."""
    return await node.deploy(Counter), await node.deploy(Account)


async def count(counters: EntityRefs[Counter], *numbers: int, key: str = "c", note: str = "a") -> None:
    """Events of a counter, one per number."""
    for number in numbers:
        await counters(key).add_noted(number, note)


async def in_trouble(handle: ProjectionHandle) -> str:
    """The first error of a tag that is held."""
    return await eventually(lambda: next((tag.error for tag in handle.status().tags if tag.error), ""))


async def begin_anew(database: Database, consumer: str) -> None:
    """Set a consumer's offsets back to the beginning."""
    async with database.transaction() as transaction:
        await transaction.execute("UPDATE aecorpy_offset SET position = 0 WHERE consumer = $1", consumer)


async def over_limit(event: EntityEvent[Added], commands: Commands) -> None:
    """Pay into the account; what it does not take goes to another."""
    try:
        await commands.to(Account)("a").pay(event.payload.n)
    except OverLimit as no:
        await commands.to(Account)("over").pay(no.by)
    else:
        await commands.to(Account)("thanks").pay(event.payload.n)
