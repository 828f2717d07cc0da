"""One table, one view: two that fill the same one from the same events would each count them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from aecorpy import EntityEvent, InvalidDefinition, SchemaMismatch, Table, TableView
from journal.contract import Database
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.samples import Added, Counter
from tests.aecorpy.views import Total, Totals


class MoreTotals(Totals):
    """A view of its own."""

    table = Table(Total, "more_totals")


@dataclass(frozen=True, slots=True)
class Narrow:
    key: str


class NarrowTotals(TableView[Narrow, Added]):
    """The same table with other columns."""

    entity = Counter
    table = Table(Narrow, "totals")

    def apply(self, row: Narrow | None, event: EntityEvent[Added]) -> Narrow:
        return Narrow(event.entity_key)


async def test_a_second_view_may_not_have_the_table_of_the_first(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    await node.deploy(Counter)
    await node.distribute("Totals", Totals())
    with pytest.raises(InvalidDefinition, match="table 'totals' is that of projection 'Totals'"):
        await node.distribute("Totals2", Totals())
    await node.distribute("Totals2", MoreTotals())
    await node.stop()


async def test_a_view_may_not_be_renamed_over_what_it_has_made(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    await node.deploy(Counter)
    await node.distribute("Totals", Totals())
    await node.stop()
    node = await start_node(database)
    await node.deploy(Counter)
    with pytest.raises(InvalidDefinition, match="go on under the name 'Totals'"):
        await node.distribute("Sums", Totals())
    await node.distribute("Totals", Totals())
    await node.stop()


@pytest.mark.parametrize("table", ["counter_event", "counter_shard", "counter_snapshot"])
async def test_a_view_may_not_have_a_journal_s_table(start_node: StartNode, database: Database, table: str) -> None:
    class Intruder(Totals):
        pass

    Intruder.table = Table(Total, table)
    node = await start_node(database)
    await node.deploy(Counter)
    with pytest.raises(
        InvalidDefinition, match=f"projection 'Intruder': table {table!r} belongs to the journal 'count"
    ):
        await node.distribute("Intruder", Intruder())
    await node.stop()


async def test_other_columns_say_what_to_do(database: Database) -> None:
    await Totals().prepare(database)
    with pytest.raises(SchemaMismatch, match=r"raise NarrowTotals\.version, and the view is built anew"):
        await NarrowTotals().prepare(database)
