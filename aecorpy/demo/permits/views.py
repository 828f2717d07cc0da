"""Two views of the applications: a row per case, and how often each activity was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aecorpy import EntityEvent, SqlView, Table, TableView
from aecorpy.demo.permits.application import ActivityDone, PermitApplication
from journal.contract import Database, Transaction


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case.

    Args:
        activities: how many were done.
        last_activity, last_resource: what was recorded last, and who did it.
        first_at, last_at: from when to when.
    """

    case_id: str
    activities: int
    last_activity: str
    last_resource: str
    first_at: datetime
    last_at: datetime


class PermitCases(TableView[CaseRow, ActivityDone]):
    """A row per case."""

    entity = PermitApplication
    table = Table(CaseRow, "permit_cases")

    def apply(self, row: CaseRow | None, event: EntityEvent[ActivityDone]) -> CaseRow:
        """The case's row after one more activity."""
        done = event.payload
        return CaseRow(
            event.entity_key,
            1 if row is None else row.activities + 1,
            done.activity,
            done.resource,
            done.done_at if row is None else min(row.first_at, done.done_at),
            done.done_at if row is None else max(row.last_at, done.done_at),
        )


class ActivityCounts(SqlView[ActivityDone]):
    """How often each activity was done, over all cases."""

    entity = PermitApplication

    async def create(self, transaction: Transaction) -> None:
        """Create the table where it is missing."""
        await transaction.execute(
            "CREATE TABLE IF NOT EXISTS permit_activities (activity TEXT PRIMARY KEY, done BIGINT NOT NULL)"
        )

    async def apply(self, transaction: Transaction, events: Sequence[EntityEvent[ActivityDone]]) -> None:
        """Add what was done. Rows are touched in a fixed order, so two transactions never wait for each other."""
        counts = Counter(event.payload.activity for event in events)
        await transaction.execute_many(
            "INSERT INTO permit_activities (activity, done) VALUES ($1, $2) "
            "ON CONFLICT (activity) DO UPDATE SET done = permit_activities.done + excluded.done",
            sorted(counts.items()),
        )

    @staticmethod
    async def read(database: Database) -> dict[str, int]:
        """How often each activity was done."""
        async with database.transaction() as transaction:
            rows = await transaction.fetch("SELECT activity, done FROM permit_activities ORDER BY activity")
        return {activity: done for activity, done in rows}  # noqa: C416 - dict() does not know that rows are pairs
