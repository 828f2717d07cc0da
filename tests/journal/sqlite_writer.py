"""A program of its own that writes to one shard of a journal. Run by the tests of several processes on one file.

    python -m tests.journal.sqlite_writer URL SHARD BATCHES

It prints the shard's last offset after every answered batch, and at its end how many events it wrote. With -1 batches
it writes until it is killed.
"""

from __future__ import annotations

import asyncio
import sys

from journal.contract import JournalStore
from journal.database import open_database
from journal.errors import Fenced
from journal.records import Append, Appended, NewEvent
from tests.conformance.hammer import write_batches


async def claim_next(store: JournalStore, shard: int) -> int:
    """Claim a shard under the first epoch that nobody had; return it."""
    while True:
        epoch = (await store.heads())[shard].epoch + 1
        try:
            await store.claim(shard, epoch)
        except Fenced:
            continue
        return epoch


async def write_for_ever(store: JournalStore, shard: int, epoch: int) -> None:
    """Append to one entity per epoch, and print each offset that was answered."""
    for number in range(1_000_000):
        (outcome,) = await store.append(
            [Append(shard, epoch, f"e-{epoch}", number + 1, [NewEvent("H", 1, b"x" * 500)])]
        )
        assert isinstance(outcome, Appended), outcome
        print(outcome.last_offset, flush=True)


async def main(url: str, shard: int, batches: int) -> None:
    """Open, claim, write, close."""
    database = await open_database(url)
    store = await database.journal("hammered", 3)
    epoch = await claim_next(store, shard)
    if batches < 0:
        await write_for_ever(store, shard, epoch)
    print(await write_batches(store, [shard], f"w{shard}", batches, epoch))
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
