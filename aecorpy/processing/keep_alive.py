"""The actor that looks after the workers of one deployment on one node.

Twice a second it reads what management wants and tells the workers, and writes what they reported, so that every node
and the command line see it. What cannot be written now is written with the next look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from thespian.actors import WakeupMessage

from aecorpy.processing.states import CONTROL, GONE, Control, ProcessState, controls
from aecorpy.processing.worker import Report, Wanted
from journal.contract import NoteStore
from sharding.actors import AsyncActor, Outcome

LOOK_SECONDS = 0.5
HEARTBEAT_SECONDS = 3.0  # an unchanged state is written again, so that a silent node is told from a quiet process

_log = logging.getLogger(__name__)


class Looked(NamedTuple):
    """To the keep-alive actor from its own look: what is wanted of each process."""

    outcome: Outcome[list[Control]]


class Flush(NamedTuple):
    """From the node that stops: write what there is, then call `done`."""

    done: Callable[[], None]


class KeepAlive(AsyncActor):
    """See above.

    Args:
        deployment: its name.
        count: how many processes it has.
        notes: where wishes and states are kept.
    """

    def __init__(self, deployment: str, count: int, notes: NoteStore) -> None:
        super().__init__()
        self._deployment = deployment
        self._count = count
        self._notes = notes
        self._reports: dict[int, Report] = {}
        self._wanted = [Control()] * count
        self._unwritten: set[int] = set()
        self._written_at: dict[int, float] = {}
        self._looking = False
        self._away = False
        self._flushes: list[Callable[[], None]] = []

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """A turn of the keep-alive actor."""
        match message:
            case Report():
                self._on_report(message)
            case Looked():
                self._on_looked(message.outcome)
            case WakeupMessage() | "start":
                self._look()
                self.wakeupAfter(LOOK_SECONDS)
            case Flush():
                self._flushes.append(message.done)
                self._look()

    def _on_report(self, report: Report) -> None:
        number = report.state.number
        known = self._reports.get(number)
        if known is not None and known.state.epoch > report.state.epoch:
            return  # a former worker's last words
        changed = known is None or known.state != report.state or known.since != report.since
        due = self.engine.loop.time() - self._written_at.get(number, 0.0) >= HEARTBEAT_SECONDS
        if known is None or known.worker != report.worker:
            self.send(report.worker, Wanted(self._wanted[number]))  # it read before us, or we before it
        self._reports[number] = report
        if changed or due:
            self._unwritten.add(number)

    def _look(self) -> None:
        if self._looking:
            return
        self._looking = True
        now = self.engine.loop.time()
        told = [self._reports[number] for number in sorted(self._unwritten)]
        self._unwritten.clear()
        for report in told:
            self._written_at[report.state.number] = now
        states = [replace(report.state, seconds=max(0.0, now - report.since)) for report in told]
        self.pipe_to_self(self._exchange(states), lambda outcome: Looked(outcome))

    async def _exchange(self, states: list[ProcessState]) -> list[Control]:
        if states:
            await self._notes.put([state.note() for state in states])
        return controls(self._deployment, self._count, await self._notes.read([CONTROL], self._deployment))

    def _on_looked(self, outcome: Outcome[list[Control]]) -> None:
        self._looking = False
        if outcome.error is not None:
            if not self._away:
                _log.warning("the states of %s are not written for now: %s", self._deployment, outcome.error)
            self._away = True
            self._unwritten.update(self._reports)
        else:
            self._away = False
            self._tell(outcome.value)
            for number in [one for one, report in self._reports.items() if report.state.state == GONE]:
                if number not in self._unwritten:
                    del self._reports[number]
        flushes, self._flushes = self._flushes, []
        if flushes and self._unwritten and not self._away:
            self._flushes = flushes
            self._look()
            return
        for done in flushes:
            done()

    def _tell(self, wanted: list[Control]) -> None:
        former, self._wanted = self._wanted, wanted
        for number, report in self._reports.items():
            if wanted[number] != former[number]:
                self.send(report.worker, Wanted(wanted[number]))
