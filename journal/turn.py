"""Whose turn it is to write, in a store that has one writer at a time (SQLite, memory)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from journal.errors import Overloaded, Unavailable


class WriteTurn:
    """Gives writers their turn in the order they asked.

    A single write passes: it waits until no transaction block holds the turn, and then happens at once. A transaction
    block holds the turn until it ends, but not longer than the limit: a block that is stuck, or was abandoned without
    being closed, must not stop every other writer for good.

    Args:
        what: the store, for messages.
        hold_limit: seconds for which a block may hold the turn.
        waiting_limit: writers that may wait; beyond it they get `Overloaded` at once.
    """

    def __init__(self, what: str, *, hold_limit: float, waiting_limit: int) -> None:
        self._what = what
        self._hold_limit = hold_limit
        self._waiting_limit = waiting_limit
        self._waiting = 0
        self._lock = asyncio.Lock()
        self._hold: Hold | None = None
        self._closed = False

    async def passed(self) -> None:
        """Wait until no block holds the turn. What the caller then does before its next `await` comes in order.

        Raises:
            Overloaded: too many wait.
            Unavailable: the store is closed.
        """
        await self._enter()
        self._lock.release()

    async def held(self, on_expiry: Callable[[], None]) -> Hold:
        """Wait for the turn and keep it until the returned hold is released.

        Args:
            on_expiry: called, from the loop, when the limit passes first or the store is closed: roll back.

        Raises:
            Overloaded: too many wait.
            Unavailable: the store is closed.
        """
        await self._enter()
        self._hold = Hold(self, on_expiry, self._hold_limit)
        return self._hold

    def close(self) -> None:
        """Roll back a block that holds the turn; turn away who waits and who comes. Idempotent."""
        self._closed = True
        if self._hold is not None:
            self._hold.expire("the database was closed")

    async def _enter(self) -> None:
        self.check_open()
        if self._hold is not None and self._hold.task is asyncio.current_task():
            raise RuntimeError(f"{self._what}: a write inside a transaction block of its own task waits for itself")
        if self._waiting >= self._waiting_limit:
            raise Overloaded(f"{self._what}: writers", self._waiting_limit)
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1
        try:
            self.check_open()
        except Unavailable:
            self._lock.release()
            raise

    def check_open(self) -> None:
        """Do nothing while the store is open.

        Raises:
            Unavailable: it is closed.
        """
        if self._closed:
            raise Unavailable(f"{self._what} is closed")

    def _given_back(self) -> None:
        self._hold = None
        self._lock.release()


class Hold:
    """A block's hold on the turn. Made by `WriteTurn.held`."""

    def __init__(self, turn: WriteTurn, on_expiry: Callable[[], None], limit: float) -> None:
        self._turn = turn
        self._on_expiry = on_expiry
        self._released = False
        self._reason = ""
        self.task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(limit, self.expire, f"it held the turn to write for more than {limit:g} s")

    def check(self) -> None:
        """Do nothing while the hold lasts.

        Raises:
            Unavailable: it has expired; the transaction was rolled back.
            RuntimeError: it was given back.
        """
        if self._reason:
            raise Unavailable(f"{self._turn._what}: the transaction was rolled back: {self._reason}")
        if self._released:
            raise RuntimeError(f"{self._turn._what}: the transaction has ended")

    def expire(self, reason: str) -> None:
        """End the hold against its holder's will."""
        if not self._released:
            self._reason = reason
            self._on_expiry()
            self.release()

    def release(self) -> None:
        """Give the turn to the next. Idempotent."""
        if not self._released:
            self._released = True
            self._timer.cancel()
            self._turn._given_back()
