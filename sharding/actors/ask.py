"""The address an ask is answered to: the first message sent there is the answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from thespian.actors import ActorAddress, PoisonMessage

from sharding.actors.address import Address
from sharding.actors.errors import AskFailed, HandlerFailed, NeverAnswered

if TYPE_CHECKING:
    from sharding.actors.cell import Cell
    from sharding.actors.engine import Engine

__all__ = ["ReplyAddress"]


class ReplyAddress(Address):
    """Resolves one future with the first message that is sent to it.

    Nothing holds a reply address but the message it is the sender of, and whoever keeps it to answer later. So when
    the last of them lets go of it unanswered, nobody can answer any more, and the future fails at that moment. The
    actor that had the message last is known too, and its exit fails the future even if something still keeps the
    address.
    """

    __slots__ = ("_cell", "_engine", "future")

    def __init__(self, engine: Engine, future: asyncio.Future[Any]) -> None:
        self._engine = engine
        self._cell: Cell | None = None
        self.future = future

    @property
    def home(self) -> Engine:
        """The engine that was asked."""
        return self._engine

    @property
    def name(self) -> str:
        """An ask is known by whom it waits for."""
        return f"ask@{self._cell.name if self._cell else 'nobody'}"

    def deliver(self, message: Any, sender: ActorAddress) -> None:
        """Resolve the future; a second answer, or one after the caller gave up, is dropped."""
        self._untrack()
        if self.future.done():
            return
        if isinstance(message, PoisonMessage):
            self.future.set_exception(HandlerFailed(message.poisonMessage, message.details, sender))
        else:
            self.future.set_result(message)

    def fail(self, error: AskFailed) -> None:
        """Fail the future, unless it is done."""
        self._untrack()
        if not self.future.done():
            self.future.set_exception(error)

    def track(self, cell: Cell) -> None:
        """The message is in the hands of `cell` now: its exit ends the ask."""
        before = self._cell
        if before is cell:
            return
        if before is not None:
            before.forget_ask(self.future)
        self._cell = cell
        cell.remember_ask(self.future)

    def release(self) -> None:
        """The message is in no actor's hands for now: who keeps it will send it on, and nobody's exit ends it."""
        self._untrack()

    def _untrack(self) -> None:
        cell = self._cell
        if cell is not None:
            self._cell = None
            cell.forget_ask(self.future)

    def __del__(self) -> None:
        if self._cell is not None or not self.future.done():
            # The collector may run this on any thread.
            self._engine.on_loop(_nobody_left, self._cell, self.future)


def _nobody_left(cell: Cell | None, future: asyncio.Future[Any]) -> None:
    if cell is not None:
        cell.forget_ask(future)
    if not future.done():
        whose = "the message was let go" if cell is None else f"{cell.name} let the message go"
        where = None if cell is None else cell.address
        future.set_exception(NeverAnswered(f"{whose} unanswered: nobody is left who could", where))
