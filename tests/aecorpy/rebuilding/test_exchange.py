"""The transaction in which two generations change places."""

from __future__ import annotations

from aecorpy.projection.generations import Generation, Generations
from aecorpy.projection.switch import exchange, plain_tables
from journal.contract import Database
from journal.records import DeadLetter, OffsetMove


async def test_what_the_new_generation_set_aside_last_of_all_is_among_the_view_s_letters(database: Database) -> None:
    seen = Generations(Generation(1, 1), Generation(0, 1)).begun("v", 0.0, "a test", "").frozen(1.0)
    assert seen.building is not None
    for consumer in ("v", "v@2"):
        await database.offsets.claim(consumer, ["shop-0"], 1)
    tables = await plain_tables(database, seen.serving, seen.building.generation)
    async with database.transaction() as transaction:  # whoever builds goes on until offsets are held
        await transaction.move_offsets("v@2", [OffsetMove("shop-0", 0, 1)], 1)
        await transaction.set_aside(DeadLetter("v@2", "shop-0", 1, "s1", 1, "Sold", "ValueError: poison"))
    async with database.transaction() as transaction:
        await exchange(transaction, "v", seen, tables)
    assert (await database.offsets.read("v"))["shop-0"].offset == 1
    assert [(one.tag, one.offset) for one in await database.dead_letters.list("v")] == [("shop-0", 1)]
    assert await database.dead_letters.list("v@2") == []
