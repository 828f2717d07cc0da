"""What is kept beside an event: when, and because of what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aecorpy import BadPayload, Entity, EntityEvent, Fold, Metadata, Next, Tagging, command, query
from journal.contract import Database
from tests.aecorpy.conftest import NOW, StartNode
from tests.aecorpy.samples import Added, Counter


async def events_of(node_database: Database, start_node: StartNode) -> list[EntityEvent[Added]]:
    """The events of counter "a" on a new node."""
    node = await start_node(node_database)
    await node.deploy(Counter)
    return [event async for event in node.journal(Counter).read("a")]


async def test_metadata_stays_with_the_events(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    counters = await node.deploy(Counter)
    because = counters.because(
        command_id="c-1", correlation_id="r-1", causation_id="a-1", extra={"user": "Zoë", "\0": "\n"}
    )
    await because("a").add_all((1, 2))
    await counters("a").add(3)
    await because.within(5)("a").add(4)
    await counters.because(correlation_id="only")("a").add(5)
    await node.stop()
    full = Metadata("c-1", "r-1", "a-1", {"user": "Zoë", "\0": "\n"})
    found = [event.metadata for event in await events_of(database, start_node)]
    assert found == [full, full, Metadata(), full, Metadata(correlation_id="only")]


async def test_events_know_when_they_were_recorded(start_node: StartNode, database: Database) -> None:
    node = await start_node(database)
    await (await node.deploy(Counter))("a").add(1)
    await node.stop()
    (event,) = await events_of(database, start_node)
    assert event.recorded_at.utcoffset() == timedelta(0)
    assert abs(event.recorded_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert (event.entity_key, event.seq_nr, event.offset, event.payload) == ("a", 1, 1, Added(1))


@pytest.mark.parametrize(
    "wrong", [{"command_id": 5}, {"extra": {"n": 5}}, {"extra": {5: "n"}}, {"command_id": "\ud800"}]
)
async def test_metadata_that_is_no_text_is_refused_before_anything_is_sent(
    start_node: StartNode, wrong: dict[str, str]
) -> None:
    counters = await (await start_node()).deploy(Counter)
    with pytest.raises(BadPayload):
        counters.because(**wrong)  # type: ignore[arg-type]


async def test_commands_see_the_node_s_clock(start_node: StartNode) -> None:
    clocks = await (await start_node(clock=lambda: NOW)).deploy(Clock)
    assert await clocks("a").time() == NOW


class Clock(Entity[int, Added]):
    """Knows what time it is."""

    fold = Fold(0, lambda total, added: Next(total + added.n))
    tagging = Tagging.const()

    @query
    async def time(self) -> datetime:
        return self.now()

    @command
    async def add(self, n: int) -> None:
        self.append(Added(n))
