"""Accounts, which process managers send commands to, and a way to send a command with a cause by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aecorpy import (
    Cause,
    Entity,
    EntityRefs,
    Fold,
    Next,
    Rejection,
    Snapshotting,
    Tagging,
    command,
    event,
    query,
    snapshot,
)
from aecorpy.refs import Way
from journal.contract import Database
from journal.metadata import Metadata
from tests.aecorpy.looking import stored


@event("Paid")
@dataclass(frozen=True, slots=True)
class Paid:
    n: int
    note: str = ""


@event("LimitSet")
@dataclass(frozen=True, slots=True)
class LimitSet:
    limit: int


@snapshot("Balance")
@dataclass(frozen=True, slots=True)
class Balance:
    total: int = 0
    limit: int = 1_000_000
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class OverLimit(Rejection):
    by: int


class Undeclared(Rejection):
    """No class of `Account.rejections`."""


def paid(balance: Balance, event: Paid | LimitSet) -> Next[Balance]:
    """The fold."""
    if isinstance(event, LimitSet):
        return Next(Balance(balance.total, event.limit, balance.notes))
    return Next(Balance(balance.total + event.n, balance.limit, (*balance.notes, event.note)))


class Account(Entity[Balance, Paid | LimitSet]):
    """Takes payments up to a limit; keeps a snapshot every four events."""

    fold = Fold(Balance(), paid)
    tagging = Tagging.partitioned(4)
    snapshotting = Snapshotting(4)
    rejections = (OverLimit,)

    @command
    async def pay(self, n: int, note: str = "") -> int:
        if self.state.total + n > self.state.limit:
            raise OverLimit(self.state.total + n - self.state.limit)
        self.append(Paid(n, note))
        return self.state.total

    @command
    async def pay_all(self, ns: tuple[int, ...]) -> int:
        self.append(*[Paid(n) for n in ns])
        return self.state.total

    @command
    async def refuse(self) -> None:
        raise Undeclared()

    @command
    async def set_limit(self, limit: int) -> None:
        self.append(LimitSet(limit))

    @command
    async def recite(self, size: int) -> str:
        self.append(Paid(0))
        return "x" * size

    @query
    async def total(self) -> int:
        return self.state.total

    @query
    async def notes(self) -> tuple[str, ...]:
        return self.state.notes


class ByHand:
    """A door that gives every command one cause."""

    def __init__(self, door: Way, cause: Cause) -> None:
        self.tagging, self.time = door.tagging, door.time
        self._door, self._cause = door, cause

    async def ask(self, shard: int, key: str, message: Any, what: str, seconds: float, expires_at: float) -> Any:
        message.cause = self._cause
        return await self._door.ask(shard, key, message, what, seconds, expires_at)


def caused(
    accounts: EntityRefs[Account], offset: int, number: int = 1, *, consumer: str = "Manager", tag: str = "counter-0"
) -> EntityRefs[Account]:
    """Accounts, asked with a cause."""
    return accounts.through(ByHand(accounts.door, Cause(consumer, tag, offset, number)))


async def amounts(accounts: EntityRefs[Account], database: Database, key: str) -> list[int]:
    """What was paid into an account, in order."""
    decode = accounts.behaviour.events.decode
    events = [decode(row.type_name, row.version, row.payload) for row in await stored(database, key, "account")]
    return [event.n for event in events if isinstance(event, Paid)]


async def metadata_of(database: Database, key: str) -> list[Metadata]:
    """The metadata of an account's events."""
    return [Metadata.decode(row.metadata) for row in await stored(database, key, "account")]
