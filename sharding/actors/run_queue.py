"""Who runs next: the cells that have messages, and how long they may keep the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sharding.actors.cell import Cell

__all__ = ["Budget", "RunQueue"]

_SPARE_MAILBOXES: Final = 256


class Budget:
    """How much the actors may do before the loop serves others.

    Attributes:
        turns: messages per activation of the queue.
        seconds: loop time per activation; looked at between cells.
        turns_per_actor: messages one actor may take before the next one runs.
    """

    __slots__ = ("seconds", "turns", "turns_per_actor")

    def __init__(self, turns: int = 1_000, seconds: float = 0.005, turns_per_actor: int = 16) -> None:
        if turns < 1 or turns_per_actor < 1 or seconds <= 0:
            raise ValueError("a budget needs at least one turn, one turn per actor and a time above zero")
        self.turns = turns
        self.seconds = seconds
        self.turns_per_actor = turns_per_actor


class RunQueue:
    """First come, first served, in bounded activations of one loop callback each.

    Attributes:
        running: the cell whose turn it is.
        guard: called before each activation, if set; so nobody takes a turn after a pause that it has not seen.
    """

    __slots__ = ("_budget", "_cells", "_loop", "_scheduled", "_spare", "guard", "running")

    def __init__(self, loop: asyncio.AbstractEventLoop, budget: Budget) -> None:
        self._loop = loop
        self._budget = budget
        self._cells: deque[Cell] = deque()
        self._scheduled = False
        self._spare: list[deque[tuple[Any, Any]]] = []
        self.running: Cell | None = None
        self.guard: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._cells)

    def enlist(self, cell: Cell) -> deque[tuple[Any, Any]]:
        """Queue an idle cell and give it the mailbox for its first message."""
        self._cells.append(cell)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._activate)
        # An idle actor has no mailbox: an empty deque costs 600 bytes, so a few are passed around.
        return self._spare.pop() if self._spare else deque()

    def _activate(self) -> None:
        try:
            if self.guard is not None:
                self.guard()
            self._run_cells()
        finally:
            self.running = None
            # Also when a handler raised SystemExit or KeyboardInterrupt through the loop: the others stay queued.
            if self._cells:
                self._loop.call_soon(self._activate)
            else:
                self._scheduled = False

    def _run_cells(self) -> None:
        cells, per_actor, now = self._cells, self._budget.turns_per_actor, self._loop.time
        turns, end = self._budget.turns, now() + self._budget.seconds
        while cells:
            cell = self.running = cells.popleft()
            try:
                turns -= cell.run(per_actor)
            finally:
                self._settle(cell)
            if turns <= 0 or now() >= end:
                return

    def _settle(self, cell: Cell) -> None:
        box = cell.mailbox
        if box:
            self._cells.append(cell)
        elif box is not None:
            cell.mailbox = None
            if len(self._spare) < _SPARE_MAILBOXES:
                self._spare.append(box)
