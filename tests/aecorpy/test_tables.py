"""Views' tables: which rows they can hold, and what comes back."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Optional

import pytest

from aecorpy import BadPayload, ClusterNode, EntityEvent, InvalidDefinition, InvalidName, SetAside, Table, TableView
from journal.contract import Database
from journal.errors import SchemaMismatch
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.running import run_here
from tests.aecorpy.samples import Added, Counter
from tests.aecorpy.views import Totals, caught_up


@dataclass(frozen=True, slots=True)
class Everything:
    key: str
    text: str
    whole: int
    real: float
    truth: bool
    raw: bytes
    time: datetime
    money: Decimal
    maybe_text: str | None = None
    maybe_whole: Optional[int] = None  # noqa: UP045 - both spellings are allowed
    maybe_time: datetime | None = None
    maybe_money: Decimal | None = None
    annotated: Annotated[int, "a note"] = 0


EVERYTHING: Table[Everything] = Table(Everything, "everything", indexes=("whole", "time"))
HERE = timezone(timedelta(hours=2))

ROWS = [
    Everything("a", "Ünï\n", 0, 0.0, False, b"", datetime(2026, 1, 1, tzinfo=UTC), Decimal(0)),
    Everything("b", "", 2**63 - 1, 1e300, True, b"\x00\xff", datetime(1, 1, 2, tzinfo=UTC), Decimal("123.4500")),
    Everything("c", "x", -(2**63), -0.1, True, b"x", datetime(2026, 3, 1, 12, tzinfo=HERE), Decimal("-1E-10"), "t", 5),
    Everything("d", "x", 1, 0.1, True, b"x", datetime(2026, 3, 1, 1, 2, 3, 456789, UTC), Decimal(1), None, None,
               datetime(2026, 1, 1, tzinfo=UTC), Decimal("2.5"), 9),
]  # fmt: skip


async def kept(database: Database, *rows: Everything) -> None:
    """Write rows as a view does."""
    await database.create_table(EVERYTHING.spec)
    async with database.transaction() as transaction:
        await transaction.put_rows(EVERYTHING.spec, [EVERYTHING.values(row) for row in rows])


async def test_every_type_comes_back_as_it_was(database: Database) -> None:
    await kept(database, *ROWS)
    found = [row async for row in EVERYTHING.rows(database)]
    assert found == ROWS
    for row, original in zip(found, ROWS, strict=True):
        for name in Everything.__dataclass_fields__:
            assert type(getattr(row, name)) is type(getattr(original, name)), name
        assert row.time.utcoffset() == timedelta(0)


async def test_rows_are_found_by_their_fields(database: Database) -> None:
    await kept(database, *ROWS)

    async def keys(**where: Any) -> list[str]:
        return [row.key async for row in EVERYTHING.rows(database, **where)]

    assert await keys(key="c") == ["c"]
    assert await keys(whole=2**63 - 1) == ["b"]
    assert await keys(truth=True) == ["b", "c", "d"]
    assert await keys(text="x", maybe_whole=5) == ["c"]
    assert await keys(maybe_money=Decimal("2.50")) == ["d"]
    assert await keys(time=datetime(2026, 3, 1, 10, tzinfo=UTC)) == ["c"]
    assert await keys(text="nowhere") == []
    with pytest.raises(BadPayload, match="has no column 'nothing'"):
        await keys(nothing=1)


WRONG_VALUES: list[dict[str, Any]] = [
    {"whole": 2**63},
    {"whole": "1"},
    {"whole": True},
    {"whole": None},
    {"text": "a\0b"},
    {"text": "\ud800"},
    {"real": float("nan")},
    {"time": datetime(2026, 1, 1)},
    {"money": Decimal("NaN")},
    {"money": 1.5},
    {"raw": "text"},
    {"truth": 1},
]


@pytest.mark.parametrize("wrong", WRONG_VALUES)
async def test_a_value_that_fits_no_column_is_refused(database: Database, wrong: dict[str, Any]) -> None:
    fields = {name: getattr(ROWS[0], name) for name in Everything.__dataclass_fields__}
    with pytest.raises(BadPayload, match=f"'everything', column '{next(iter(wrong))}'"):
        await kept(database, Everything(**{**fields, **wrong}))
    assert [row async for row in EVERYTHING.rows(database)] == []


async def test_a_view_s_value_that_fits_no_column_is_the_policy_s_matter(
    start_node: StartNode, database: Database
) -> None:
    class TooLarge(Totals):
        on_failure = SetAside(1)

        def apply(self, row: Any, event: EntityEvent[Added]) -> Any:
            found = super().apply(row, event)
            return None if found is None else type(found)(found.key, 2**70, found.events, None)

    node = await start_node(database)
    counters = await node.deploy(Counter)
    await counters("a").add(1)
    await caught_up(node, await run_here(node, "Totals", TooLarge()))
    (letter,) = await database.dead_letters.list("Totals")
    assert "outside the 64 bits" in letter.error


async def test_rows_leave_when_a_view_says_so(start_node: StartNode, database: Database) -> None:
    class NonZero(Totals):
        def apply(self, row: Any, event: EntityEvent[Added]) -> Any:
            total = (row.total if row else 0) + event.payload.n
            return self.table.row(event.entity_key, total, 0, None) if total else None

    node = await start_node(database)
    counters = await node.deploy(Counter)
    handle = await run_here(node, "Totals", NonZero())
    for n, there in ((5, ["a"]), (-5, []), (0, []), (2, ["a"])):
        await counters("a").add(n)
        await caught_up(node, handle)
        assert [row.key async for row in Totals.table.rows(database)] == there
    await counters("b").add_all((1, -1, 1, -1))
    await caught_up(node, handle)
    assert [row.key async for row in Totals.table.rows(database)] == ["a"]


async def test_a_view_may_choose_its_key(start_node: StartNode, database: Database) -> None:
    @dataclass
    class Shouted:
        count: int
        name: str

    class Loud(TableView[Shouted, Added]):
        entity = Counter
        table = Table(Shouted, "loud", key="name")

        def key(self, event: EntityEvent[Added]) -> str:
            return event.entity_key.upper()

        def apply(self, row: Shouted | None, event: EntityEvent[Added]) -> Shouted:
            return Shouted((row.count if row else 0) + 1, self.key(event))

    node = await start_node(database)
    counters = await node.deploy(Counter)
    await counters("quiet").add_all((1, 1))
    await caught_up(node, await run_here(node, "Loud", Loud()))
    assert [row async for row in Loud.table.rows(database)] == [Shouted(2, "QUIET")]


async def test_a_table_that_has_other_columns_ends_the_projection_with_a_word(
    start_node: StartNode, database: Database
) -> None:
    @dataclass
    class Other:
        key: str
        what: int

    class Changed(TableView[Other, Added]):
        entity = Counter
        table = Table(Other, "totals")

        def apply(self, row: Other | None, event: EntityEvent[Added]) -> Other:
            return Other(event.entity_key, 0)

    node = await start_node(database)
    await node.deploy(Counter)
    await database.create_table(Totals.table.spec)
    handle = await run_here(node, "Changed", Changed())
    with pytest.raises(SchemaMismatch, match="totals"):
        await handle.watch_termination()
    assert "totals" in str(handle.status().error)


class Colour(Enum):
    RED = 1


class NotADataclass:
    key: str


@dataclass
class NoFields:
    pass


@dataclass
class KeyIsNoText:
    key: int


@dataclass
class KeyMayBeNone:
    key: str | None


@dataclass
class HasList:
    key: str
    what: list[int]


@dataclass
class HasEnum:
    key: str
    what: Colour


@dataclass
class HasUnion:
    key: str
    what: int | str


@dataclass
class HasAny:
    key: str
    what: Any


@dataclass
class HasNothingButNone:
    key: str
    what: None


@dataclass
class HasUnknownName:
    key: str
    what: Nowhere  # type: ignore[name-defined]  # noqa: F821


@dataclass
class HasNamesOnly:
    key: str
    _: KW_ONLY
    what: int = 0


@dataclass
class HasNoInit:
    key: str
    what: int = field(default=0, init=False)


WRONG_ROWS: list[tuple[type, str]] = [
    (NotADataclass, "is not a dataclass"),
    (NoFields, "field"),
    (KeyIsNoText, "must be a field of KeyIsNoText of type str"),
    (KeyMayBeNone, "must be a field of KeyMayBeNone of type str"),
    (HasList, r"HasList\.what: a column cannot hold list\[int\]"),
    (HasEnum, r"HasEnum\.what: a column cannot hold"),
    (HasUnion, r"HasUnion\.what: a column cannot hold int \| str"),
    (HasAny, r"HasAny\.what: a column cannot hold"),
    (HasNothingButNone, r"HasNothingButNone\.what: a column cannot hold"),
    (HasUnknownName, "Nowhere"),
    (HasNamesOnly, r"HasNamesOnly\.what"),
    (HasNoInit, r"HasNoInit\.what"),
]


@pytest.mark.parametrize(("row", "what"), WRONG_ROWS, ids=[row.__name__ for row, _ in WRONG_ROWS])
def test_a_row_that_no_table_can_hold_is_refused(row: type, what: str) -> None:
    with pytest.raises(InvalidDefinition, match=what):
        Table(row, "wrong")


@pytest.mark.parametrize("name", ["", "No", "a b", "a;--", "x" * 41, "1a", None])
def test_a_name_that_no_table_can_have_is_refused(name: Any) -> None:
    with pytest.raises(InvalidName):
        Table(Everything, name)


def test_keys_and_indexes_have_to_be_fields() -> None:
    with pytest.raises(InvalidDefinition, match="its key 'nothing'"):
        Table(Everything, "wrong", key="nothing")
    with pytest.raises(InvalidDefinition, match=r"cannot index \['nothing'\]"):
        Table(Everything, "wrong", indexes=("nothing",))


async def test_a_view_without_a_table_or_an_entity_is_refused(start_node: StartNode) -> None:
    class NoTable(TableView[Everything, Added]):
        entity = Counter

        def apply(self, row: Everything | None, event: EntityEvent[Added]) -> None:
            return None

    class NoEntity(TableView[Everything, Added]):
        table = EVERYTHING

        def apply(self, row: Everything | None, event: EntityEvent[Added]) -> None:
            return None

    node: ClusterNode = await start_node()
    await node.deploy(Counter)
    with pytest.raises(InvalidDefinition, match=r"NoTable.*table"):
        await run_here(node, "Wrong", NoTable())
    with pytest.raises(InvalidDefinition, match=r"NoEntity.*entity"):
        await run_here(node, "Wrong", NoEntity())
