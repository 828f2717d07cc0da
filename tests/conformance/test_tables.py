"""What view tables promise: every kind of value comes back as it was put, on every store the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from journal.contract import Database
from journal.errors import BadPayload, InvalidName, SchemaMismatch
from journal.records import Column, TableSpec
from tests.conformance.conftest import Opener

ALL = TableSpec(
    "everything",
    "id",
    (
        Column("id", "text"),
        Column("text", "text"),
        Column("whole", "integer"),
        Column("real", "real"),
        Column("flag", "boolean"),
        Column("raw", "bytes"),
        Column("at", "time"),
        Column("price", "decimal"),
    ),
    ("whole", "at"),
)
NOON = datetime(2024, 6, 1, 12, 0, 0, 123456, UTC)
FULL = ("k", "tëxt '\"$1", 42, 1.5, True, b"\x00\xff", NOON, Decimal("1234.50"))


async def put(database: Database, table: TableSpec, *rows: tuple[Any, ...]) -> None:
    async with database.transaction() as transaction:
        await transaction.put_rows(table, rows)


async def scanned(database: Database, table: TableSpec, where: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    return [row async for row in database.scan(table, where)]


def with_value(name: str, value: Any) -> tuple[Any, ...]:
    place = [column.name for column in ALL.columns].index(name)
    return (*FULL[:place], value, *FULL[place + 1 :])


@pytest.fixture
async def ready(database: Database) -> Database:
    """A database with the table of all kinds."""
    await database.create_table(ALL)
    return database


async def test_every_kind_comes_back_as_it_was_put(ready: Database) -> None:
    await put(ready, ALL, FULL)
    (row,) = await scanned(ready, ALL)
    assert row == FULL
    assert type(row) is tuple
    assert [type(value) for value in row] == [type(value) for value in FULL]
    async with ready.transaction() as transaction:
        found = await transaction.get_rows(ALL, ["k"])
    assert found == {"k": FULL}
    assert [type(value) for value in found["k"]] == [type(value) for value in FULL]


async def test_nothing_comes_back_as_nothing(ready: Database) -> None:
    empty = ("k", *[None] * 7)
    await put(ready, ALL, empty)
    assert await scanned(ready, ALL) == [empty]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", ""),
        ("text", "a\n\tb\\n 日本 🎫"),
        ("text", "x" * 100_000),
        ("whole", 2**63 - 1),
        ("whole", -(2**63)),
        ("whole", 0),
        ("real", 0.1),
        ("real", -1e308),
        ("real", 5e-324),
        ("real", float("inf")),
        ("flag", False),
        ("raw", b""),
        ("raw", bytes(range(256)) * 100),
        ("at", datetime(1, 1, 1, tzinfo=UTC)),
        ("at", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("at", datetime(1969, 7, 20, tzinfo=UTC)),
        ("price", Decimal(0)),
        ("price", Decimal("-0.000000000000000000001")),
        ("price", Decimal("123456789012345678901234567890.123456789")),
        ("price", Decimal("1E+30")),
    ],
)
async def test_values_at_the_edge(ready: Database, name: str, value: Any) -> None:
    row = with_value(name, value)
    await put(ready, ALL, row)
    assert await scanned(ready, ALL) == [row]
    assert await scanned(ready, ALL, {name: value}) == [row]


async def test_times_come_back_in_utc(ready: Database) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    await put(ready, ALL, with_value("at", elsewhere))
    (row,) = await scanned(ready, ALL, {"at": elsewhere})
    assert row[6] == NOON
    assert row[6].utcoffset() == timedelta(0)


async def test_decimals_keep_their_places_and_compare_by_value(ready: Database) -> None:
    await put(ready, ALL, with_value("price", Decimal("1.50")))
    (row,) = await scanned(ready, ALL, {"price": Decimal("1.5")})
    assert str(row[7]) == "1.50"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 1),
        ("text", "nul \0"),
        ("text", "\ud800"),
        ("text", b"bytes"),
        ("whole", 2**63),
        ("whole", -(2**63) - 1),
        ("whole", 1.0),
        ("whole", True),
        ("whole", "1"),
        ("real", float("nan")),
        ("real", "1.0"),
        ("flag", 1),
        ("flag", "true"),
        ("raw", "text"),
        ("at", datetime(2024, 1, 1)),
        ("at", "2024-01-01T00:00:00Z"),
        ("at", datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5)))),
        ("price", 1),
        ("price", 1.5),
        ("price", Decimal("NaN")),
        ("price", Decimal("Infinity")),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_and_names_its_column(
    ready: Database, name: str, value: Any
) -> None:
    await put(ready, ALL, FULL)
    with pytest.raises(BadPayload, match=name):
        await put(ready, ALL, ("other", *FULL[1:]), with_value(name, value))
    assert await scanned(ready, ALL) == [FULL]


@pytest.mark.parametrize("row", [("k",), (*FULL, 1), ()])
async def test_a_row_of_another_length_is_refused(ready: Database, row: tuple[Any, ...]) -> None:
    with pytest.raises(BadPayload, match="everything"):
        await put(ready, ALL, row)


@pytest.mark.parametrize("key", [None, "", 7, "k" * 513, "\0"])
async def test_a_row_without_a_usable_key_is_refused(ready: Database, key: Any) -> None:
    with pytest.raises((BadPayload, InvalidName)):
        await put(ready, ALL, (key, *FULL[1:]))
    assert await scanned(ready, ALL) == []


async def test_a_column_that_must_have_a_value(database: Database) -> None:
    table = TableSpec("strict", "id", (Column("id", "text"), Column("n", "integer", nullable=False)))
    await database.create_table(table)
    with pytest.raises(BadPayload, match="n"):
        await put(database, table, ("k", None))


async def test_putting_a_key_again_replaces_its_row(ready: Database) -> None:
    await put(ready, ALL, FULL, ("other", *FULL[1:]))
    changed = ("k", *[None] * 7)
    await put(ready, ALL, changed)
    assert await scanned(ready, ALL) == [changed, ("other", *FULL[1:])]


async def test_one_key_twice_in_a_call_is_refused(ready: Database) -> None:
    with pytest.raises(BadPayload, match="same key"):
        await put(ready, ALL, FULL, with_value("whole", 1))


async def test_rows_come_by_key_in_the_order_of_code_points(database: Database) -> None:
    table = TableSpec("just_keys", "id", (Column("id", "text"),))
    await database.create_table(table)
    keys = ["b", "a", "B", "é", "z", "a b", "a-b", "Z", "~", "日", "🎫", "10", "9", "ａ"]
    await put(database, table, *((key,) for key in keys))
    assert await scanned(database, table) == [(key,) for key in sorted(keys)]


async def test_finding_rows_by_their_columns(ready: Database) -> None:
    rows = [(f"k-{n}", f"t-{n % 2}", n % 3, float(n), n % 2 == 0, b"%d" % n, NOON, None) for n in range(12)]
    await put(ready, ALL, *rows)
    by_key = sorted(rows)
    assert await scanned(ready, ALL, {}) == by_key
    assert await scanned(ready, ALL, {"whole": 1}) == [row for row in by_key if row[2] == 1]
    assert await scanned(ready, ALL, {"whole": 1, "flag": True}) == [row for row in by_key if row[2] == 1 and row[4]]
    assert await scanned(ready, ALL, {"id": "k-3"}) == [rows[3]]
    assert await scanned(ready, ALL, {"price": None, "text": "t-1"}) == [row for row in by_key if row[1] == "t-1"]
    assert await scanned(ready, ALL, {"raw": b"7"}) == [rows[7]]
    assert await scanned(ready, ALL, {"whole": 99}) == []


async def test_scanning_more_than_fits_a_page_and_leaving_early(database: Database) -> None:
    table = TableSpec("long", "id", (Column("id", "text"), Column("odd", "boolean")))
    await database.create_table(table)
    await put(database, table, *((f"{n:05}", n % 2 == 1) for n in range(3_500)))
    assert [row[0] for row in await scanned(database, table)] == [f"{n:05}" for n in range(3_500)]
    assert len(await scanned(database, table, {"odd": True})) == 1_750
    rows = database.scan(table)
    assert await anext(rows) == ("00000", False)
    await rows.aclose()  # type: ignore[attr-defined]  # every store's is an asynchronous generator
    await put(database, table, ("x", True))


async def test_scan_refuses_what_it_does_not_know(ready: Database) -> None:
    for where in ({"nothing": 1}, {"id = '' OR 1=1; --": 1}, {"whole": "1"}):
        with pytest.raises(BadPayload):
            await scanned(ready, ALL, where)


async def test_creating_a_table_again_keeps_its_rows(ready: Database, open_again: Opener) -> None:
    await put(ready, ALL, FULL)
    await ready.create_table(ALL)
    other = await open_again()
    await other.create_table(ALL)
    assert await scanned(other, ALL) == [FULL]


@pytest.mark.parametrize(
    "columns",
    [
        (Column("id", "text"), Column("a", "integer")),
        (Column("id", "text"), Column("a", "text"), Column("b", "text")),
        (Column("id", "text"), Column("c", "text")),
        (Column("id", "text"),),
        (Column("id", "text"), Column("a", "text", nullable=False)),
    ],
)
async def test_a_table_with_other_columns_is_a_mismatch(
    database: Database, open_again: Opener, columns: tuple[Column, ...]
) -> None:
    await database.create_table(TableSpec("view", "id", (Column("id", "text"), Column("a", "text"))))
    for again in (database, await open_again()):
        with pytest.raises(SchemaMismatch, match="view"):
            await again.create_table(TableSpec("view", "id", columns))


async def test_every_kind_differs_from_every_other(database: Database) -> None:
    kinds = ("text", "integer", "real", "boolean", "bytes", "time", "decimal")
    for kind in kinds:
        await database.create_table(TableSpec(f"of_{kind}", "id", (Column("id", "text"), Column("a", kind))))
        for other in kinds:
            spec = TableSpec(f"of_{kind}", "id", (Column("id", "text"), Column("a", other)))
            if other == kind:
                await database.create_table(spec)
            else:
                with pytest.raises(SchemaMismatch):
                    await database.create_table(spec)


@pytest.mark.parametrize(
    "table",
    [
        TableSpec('x"; DROP TABLE y; --', "id", (Column("id", "text"),)),
        TableSpec("View", "id", (Column("id", "text"),)),
        TableSpec("", "id", (Column("id", "text"),)),
        TableSpec("aecorpy_offset", "id", (Column("id", "text"),)),
        TableSpec("sqlite_view", "id", (Column("id", "text"),)),
        TableSpec("view", "id", (Column("id", "text"), Column('a" text, b', "text"))),
        TableSpec("view", "id", (Column("id", "text"), Column("id", "text"))),
        TableSpec("view", "id", (Column("id", "text"), Column("a", "varchar"))),
        TableSpec("view", "id", (Column("id", "text"), Column("a", "text); DROP TABLE y; --"))),
        TableSpec("view", "key", (Column("id", "text"),)),
        TableSpec("view", "id", (Column("id", "integer"),)),
        TableSpec("view", "id", (Column("id", "text"),), ("a",)),
        TableSpec("view", "id", (Column("id", "text"), Column("ctid", "text"))),
        TableSpec("view", "id", ()),
    ],
)
async def test_what_cannot_be_a_table_is_refused_everywhere(database: Database, table: TableSpec) -> None:
    with pytest.raises(ValueError, match=r"table|name"):
        await database.create_table(table)
    with pytest.raises(ValueError, match=r"table|name"):
        await scanned(database, table)
    async with database.transaction() as transaction:
        with pytest.raises(ValueError, match=r"table|name"):
            await transaction.get_rows(table, ["a"])
        with pytest.raises(ValueError, match=r"table|name"):
            await transaction.put_rows(table, [("a",)])
        with pytest.raises(ValueError, match=r"table|name"):
            await transaction.delete_rows(table, ["a"])


async def test_words_of_sql_and_long_names_can_be_used(database: Database) -> None:
    first, second = "c" * 39 + "1", "c" * 39 + "2"
    columns = (Column("select", "text"), Column("order", "integer"), Column(first, "text"), Column(second, "text"))
    table = TableSpec("t" * 39 + "1", "select", columns, ("order", first, second))
    other = TableSpec("t" * 39 + "2", "select", columns, ("order", first, second))
    for spec in (table, other, table):
        await database.create_table(spec)
    await put(database, table, ("k", 1, "a", "b"))
    assert await scanned(database, table, {"order": 1, second: "b"}) == [("k", 1, "a", "b")]
    assert await scanned(database, other) == []
    async with database.transaction() as transaction:
        assert await transaction.get_rows(table, ["k"]) == {"k": ("k", 1, "a", "b")}
        await transaction.delete_rows(table, ["k"])
    assert await scanned(database, table) == []


async def test_the_key_need_not_be_the_first_column(database: Database) -> None:
    table = TableSpec("late_key", "id", (Column("n", "integer"), Column("id", "text"), Column("m", "integer")))
    await database.create_table(table)
    await put(database, table, (2, "b", 20), (1, "a", 10))
    await put(database, table, (3, "b", 30))
    assert await scanned(database, table) == [(1, "a", 10), (3, "b", 30)]
    async with database.transaction() as transaction:
        assert await transaction.get_rows(table, ["b"]) == {"b": (3, "b", 30)}
