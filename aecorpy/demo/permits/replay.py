"""Sends a log's rows as commands: each case in the order of the file, many cases at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from aecorpy import AecorError, EntityRefs, JournalError, OutcomeUnknown, Rejection, Unavailable
from aecorpy.demo.patience import Patience
from aecorpy.demo.permits.application import ActivityDone, PermitApplication
from aecorpy.demo.permits.log import Log
from aecorpy.demo.progress import Advance
from aecorpy.demo.stopping import StopWish

CASES_AT_A_TIME = 128


@dataclass(slots=True)
class Replayed:
    """What the entities answered.

    Args:
        recorded: tasks that are in the journal now because of this run.
        known: tasks that were there before.
        refused: what was answered otherwise, as text; the rest of such a case was not sent.
    """

    recorded: int = 0
    known: int = 0
    refused: list[str] = field(default_factory=list)


async def replay(
    log: Log, permits: EntityRefs[PermitApplication], stop: StopWish, patience: Patience, advance: Advance
) -> Replayed:
    """Send the whole log, or as much as there is time for until somebody asks to stop.

    Args:
        log: what to send.
        permits: the way to the applications.
        stop: whether to stop.
        patience: for what is told "not now" or "unknown"; a task that comes twice is recorded once.
        advance: is told of each task that was answered.
    """
    replayed = Replayed()
    cases = iter(log.cases.items())
    async with asyncio.TaskGroup() as senders:
        for _ in range(CASES_AT_A_TIME):
            senders.create_task(_send_cases(cases, permits, stop, patience, advance, replayed))
    return replayed


def patience_with_permits(stop: StopWish, draw: Callable[[], float]) -> Patience:
    """For recording tasks, which may be repeated after any answer that is not final."""
    return Patience(stop, draw, after=(Unavailable, OutcomeUnknown))


async def _send_cases(
    cases: Iterator[tuple[str, Sequence[ActivityDone]]],
    permits: EntityRefs[PermitApplication],
    stop: StopWish,
    patience: Patience,
    advance: Advance,
    replayed: Replayed,
) -> None:
    for case_id, tasks in cases:
        application = permits(case_id)
        for task in tasks:
            if stop.is_set:
                return
            record = partial(application.record, task.task_id, task.activity, task.resource, task.group, task.done_at)
            try:
                new = await patience.through(record)
            except (Rejection, AecorError, JournalError) as error:
                replayed.refused.append(f"case {case_id!r}, task {task.task_id!r}: {error!r}")
                break
            replayed.recorded += new
            replayed.known += not new
            advance(1)
