"""What a projection runs beside its processes: it begins and ends with them, and either's failure is both's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aecorpy import ClusterNode, Patience, Retry
from aecorpy.projection.contract import Step
from journal.contract import Database
from journal.tagging import EventTag
from tests.aecorpy.samples import Counter
from tests.aecorpy.views import Totals
from tests.waiting import eventually

PROMPT = Patience(pauses=Retry(0.01, 0.05))


class Watched(Totals):
    """A view with company."""

    def __init__(self) -> None:
        super().__init__()
        self.running: list[str] = []
        self.fail = asyncio.Event()

    def beside(self, database: Database, tags: Sequence[EventTag]) -> Callable[[], Coroutine[Any, Any, None]] | None:
        async def watch() -> None:
            self.running.append(str(tags[0]))
            try:
                await self.fail.wait()
                self.fail.clear()
                raise ValueError("beside")
            finally:
                self.running.remove(str(tags[0]))

        return watch


async def test_it_runs_beside_each_process_and_again_when_it_fails(node: ClusterNode) -> None:
    counters, view = await node.deploy(Counter), Watched()
    handle = await node.distribute("Watched", view, patience=PROMPT)
    count = Counter.tagging.shard_count
    await eventually(lambda: len(set(view.running)) == count == len(view.running))
    await counters("a").add(1)
    await handle.caught_up()
    view.fail.set()
    await eventually(lambda: _restarted(handle))
    await eventually(lambda: len(view.running) == count)
    await counters("a").add(1)
    await handle.caught_up()
    await handle.shutdown()
    assert view.running == []


class GivingUp(Totals):
    """A view that cancels itself a few times, as a library does whose own task was cancelled."""

    left = 2

    async def handle(self, database: Database, step: Step[Any]) -> None:
        if self.left:
            self.left -= 1
            raise asyncio.CancelledError
        await super().handle(database, step)


async def test_who_cancels_itself_has_failed_and_runs_again_after_a_pause(node: ClusterNode) -> None:
    counters, view = await node.deploy(Counter), GivingUp()
    handle = await node.distribute("GivingUp", view, processes=1, patience=PROMPT)
    await counters("a").add(1)
    await handle.caught_up()
    assert view.left == 0

    async def is_told() -> bool:
        (process,) = (await handle.status()).processes
        said = process.said
        return said is not None and said.restarts == 2 and "raised CancelledError by itself" in str(said.error)

    await eventually(is_told)


async def _restarted(handle: Any) -> bool:
    seen = await handle.status()
    said = [process.said for process in seen.processes if process.said is not None]
    return any(one.error == "ValueError: beside" for one in said)
