"""Whatever managers repeat, in whatever order, while commits fail and nodes come and go: one cause, one effect."""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from aecorpy import Cause, ClusterNode, EntityRefs, OutcomeUnknown, Unavailable
from journal.memory import MemoryDatabase
from journal.metadata import Metadata
from tests.aecorpy.conftest import NOW
from tests.aecorpy.looking import stored
from tests.aecorpy.managing import Account, caused
from tests.faulty_store import Fault, FaultyDatabase, lost_after, lost_before, unavailable

FAULTS = {"none": Fault, "away": unavailable, "lost before": lost_before, "lost after": lost_after}
Causes = st.builds(
    Cause, st.sampled_from(["One", "Two"]), st.sampled_from(["t-0", "t-1"]), st.integers(1, 4), st.integers(1, 2)
)


@dataclass
class Together:
    """Commands sent at the same time, with what the next appends meet. A cause of None is no manager's."""

    causes: list[Cause | None]
    faults: list[str]


Steps = st.lists(
    st.builds(
        Together,
        st.lists(st.none() | Causes, min_size=1, max_size=5),
        st.lists(st.sampled_from([*FAULTS]), max_size=3),
    )
    | st.just("restart"),
    max_size=12,
)


class Run:
    """One account that several managers pay into."""

    def __init__(self) -> None:
        self.database = FaultyDatabase(MemoryDatabase(clock=lambda: NOW))
        self.answers: dict[Cause, int] = {}

    async def take(self, steps: list[Together | str]) -> None:
        """Do all of `steps`, and then let every manager repeat what was ever answered."""
        node, accounts = await self.started()
        try:
            for step in steps:
                if isinstance(step, Together):
                    self.database.on("append", *[FAULTS[fault]() for fault in step.faults])
                    await asyncio.gather(*[self.send(accounts, cause) for cause in step.causes])
                else:
                    self.database.heal()
                    await node.stop()
                    node, accounts = await self.started()
            self.database.heal()
            await self.check()
            for cause in list(self.answers):
                await self.send(accounts, cause)
            await self.check()
        finally:
            await node.stop()

    async def started(self) -> tuple[ClusterNode, EntityRefs[Account]]:
        node = ClusterNode("test", journal=self.database)
        await node.start()
        return node, await node.deploy(Account)

    async def send(self, accounts: EntityRefs[Account], cause: Cause | None) -> None:
        """Pay one; what a cause was ever answered, it is answered again."""
        if cause is not None:
            accounts = caused(accounts, cause.offset, cause.number, consumer=cause.consumer, tag=cause.tag)
        try:
            answer = await accounts("a").pay(1)
        except (Unavailable, OutcomeUnknown):
            return
        if cause is not None:
            assert self.answers.setdefault(cause, answer) == answer

    async def check(self) -> None:
        """Each cause has one event at most, and each that was answered has the event that the answer was about."""
        causes = [Metadata.decode(row.metadata).cause for row in await stored(self.database, "a", "account")]
        assert all(count == 1 for cause, count in Tally(causes).items() if cause is not None)
        for cause, total in self.answers.items():
            assert causes[total - 1] == cause


@settings(max_examples=60, deadline=None)
@given(Steps)
def test_one_cause_has_one_effect_and_one_answer(steps: list[Together | str]) -> None:
    asyncio.run(Run().take(steps))
