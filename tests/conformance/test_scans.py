"""What `Database.scan` promises of bounds, orders and limits: every store finds the same rows, in the same order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from journal.contract import Database
from journal.errors import BadPayload, InvalidName
from journal.records import Column, TableSpec

NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)
TABLE = TableSpec(
    "timers",
    "id",
    (
        Column("id", "text"),
        Column("due", "time"),
        Column("rank", "integer"),
        Column("owner", "text"),
        Column("weight", "real", False),
        Column("urgent", "boolean"),
        Column("raw", "bytes"),
        Column("price", "decimal"),
    ),
    ("due", "rank"),
)
ORDERED = ("id", "due", "rank", "owner", "weight", "urgent", "raw")
PLACES = {column.name: place for place, column in enumerate(TABLE.columns)}
OWNERS = ["B", "a", "é", "z", "Z", "~", "a b", "a-b", "日", "🎫", "ａ", ""]


def drawn(draws: random.Random, number: int) -> tuple[Any, ...]:
    """A row with few different values, so that there are many equal ones and many without a value."""
    values = (
        NOON + timedelta(microseconds=draws.choice([-(10**12), -1, 0, 1, 10**6, 10**12])),
        draws.choice([-(2**63), -1, 0, 1, 2**63 - 1]),
        draws.choice(OWNERS),
        draws.choice([-1e300, -0.5, 0.0, 5e-324, 1e300]),
        draws.choice([True, False]),
        draws.choice([b"", b"\x00", b"\x7f", b"\xff", b"\xff\x00"]),
        draws.choice([Decimal("1.5"), Decimal("1.50"), Decimal(10)]),
    )
    nullable = [column.nullable for column in TABLE.columns[1:]]
    return (
        f"k-{number:04}",
        *(None if free and draws.random() < 0.2 else value for value, free in zip(values, nullable, strict=True)),
    )


ROWS = [drawn(random.Random(number), number) for number in range(2_600)]


@pytest.fixture
async def ready(database: Database) -> Database:
    """A database with rows for more than two pages."""
    await database.create_table(TABLE)
    async with database.transaction() as transaction:
        await transaction.put_rows(TABLE, random.Random(0).sample(ROWS, len(ROWS)))
    return database


async def found(database: Database, where: dict[str, Any] | None = None, **asked: Any) -> list[tuple[Any, ...]]:
    return [row async for row in database.scan(TABLE, where, **asked)]


def expected(
    where: dict[str, Any] | None = None,
    *,
    up_to: tuple[str, Any] | None = None,
    order_by: str | None = None,
    limit: int | None = None,
) -> list[tuple[Any, ...]]:
    """The rows, found the slow way."""
    rows = [row for row in ROWS if all(row[PLACES[name]] == value for name, value in (where or {}).items())]
    if up_to is not None:
        values = {row: row[PLACES[up_to[0]]] for row in rows}
        rows = [row for row in rows if values[row] is not None and values[row] <= up_to[1]]
    if order_by is not None:
        place = PLACES[order_by]
        rows = sorted(rows, key=lambda row: (row[place] is None, "" if row[place] is None else row[place], row[0]))
    return rows if limit is None else rows[:limit]


@pytest.mark.parametrize("name", ORDERED)
async def test_rows_come_in_the_order_of_a_column_and_then_by_key_those_without_a_value_last(
    ready: Database, name: str
) -> None:
    assert await found(ready, order_by=name) == expected(order_by=name)


@pytest.mark.parametrize("name", ORDERED)
async def test_rows_up_to_a_value_include_it_and_none_without_a_value(ready: Database, name: str) -> None:
    values = sorted({row[PLACES[name]] for row in ROWS if row[PLACES[name]] is not None})
    for value in (values[0], values[len(values) // 2], values[-1]):
        assert await found(ready, up_to=(name, value)) == expected(up_to=(name, value))
        assert await found(ready, up_to=(name, value), order_by=name) == expected(up_to=(name, value), order_by=name)


@pytest.mark.parametrize("limit", [0, 1, 2, 999, 1_000, 1_001, 2_000, 2_599, 2_600, 2_601, 10_000])
async def test_a_limit_ends_the_scan(ready: Database, limit: int) -> None:
    assert await found(ready, limit=limit) == expected(limit=limit)
    assert await found(ready, order_by="due", limit=limit) == expected(order_by="due", limit=limit)


async def test_less_than_nothing_is_nothing(ready: Database) -> None:
    assert await found(ready, limit=-1) == []


async def test_everything_that_can_be_asked_goes_together(ready: Database) -> None:
    for asked in (
        {"where": {"urgent": True}, "up_to": ("due", NOON), "order_by": "due", "limit": 100},
        {"where": {"urgent": None}, "up_to": ("due", NOON), "order_by": "rank"},
        {"where": {"urgent": False, "owner": "é"}, "up_to": ("weight", 0.0), "order_by": "due", "limit": 7},
        {"where": {"price": Decimal("1.500")}, "up_to": ("rank", 0), "order_by": "due", "limit": 50},
        {"where": {"price": None}, "up_to": ("rank", 0), "order_by": "owner", "limit": 50},
        {"where": {"due": None}, "order_by": "due"},
        {"where": {"due": NOON}, "order_by": "due", "limit": 3},
        {"where": {"due": NOON}, "up_to": ("due", NOON), "order_by": "due"},
        {"where": {"due": NOON}, "up_to": ("due", NOON - timedelta(seconds=1))},
        {"up_to": ("owner", "a b"), "order_by": "owner", "limit": 1_500},
        {"up_to": ("id", "k-1500"), "order_by": "rank"},
    ):
        assert await found(ready, **asked) == expected(**asked), asked


async def test_the_first_and_last_times_of_all_are_in_order(database: Database) -> None:
    table = TableSpec("edges", "id", (Column("id", "text"), Column("at", "time")))
    await database.create_table(table)
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    rows = [("c", first), ("b", NOON), ("a", last)]
    async with database.transaction() as transaction:
        await transaction.put_rows(table, rows)
    assert [row async for row in database.scan(table, order_by="at")] == rows
    assert [row async for row in database.scan(table, up_to=("at", NOON), order_by="at")] == rows[:2]


@pytest.mark.parametrize(
    "asked",
    [
        {"up_to": ("due", None)},
        {"up_to": ("due", "2024-05-17")},
        {"up_to": ("due", datetime(2024, 5, 17))},
        {"up_to": ("nothing", 1)},
        {"up_to": ("id = '' OR 1=1; --", "a")},
        {"up_to": ("price", Decimal(1))},
        {"order_by": "nothing"},
        {"order_by": "due; DROP TABLE timers"},
        {"order_by": "price"},
    ],
)
async def test_what_cannot_be_compared_or_ordered_is_refused(ready: Database, asked: dict[str, Any]) -> None:
    with pytest.raises((BadPayload, InvalidName)):
        await found(ready, **asked)
