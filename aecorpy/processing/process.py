"""What a process is: a recipe for a long computation, and its running instance. Names and shape are Aecor's.

>>> async def poll(context: ProcessContext) -> None:
...     while True:
...         await fetch_prices()
...         await asyncio.sleep(60)
>>> Process.of("prices", poll)

Of each process one instance runs in the whole cluster, under an epoch. What an instance changes in the journal's
database through `ProcessContext.transaction` commits only under that epoch, so one that was taken over can change
nothing, however late it notices.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aecorpy.processing.ending import end_all
from journal.contract import Database, Transaction
from journal.records import OffsetMove

T = TypeVar("T")

_log = logging.getLogger(__name__)


class ProcessContext:
    """What a running instance knows of itself.

    Args:
        deployment, name, number: which process it is: of what deployment, its name, its place in the list.
        node: the name of the node it runs on.
        epoch: the claim under which it runs.
        database: the journal's.
        cursor: how far former instances said that they had come; see `transaction`.
    """

    def __init__(
        self, deployment: str, name: str, number: int, node: str, epoch: int, database: Database, cursor: int = 0
    ) -> None:
        self.deployment = deployment
        self.name = name
        self.number = number
        self.node = node
        self.epoch = epoch
        self.database = database
        self._cursor = cursor

    @property
    def cursor(self) -> int:
        """A number of the process's own, 0 at first, that survives its instances; `transaction` moves it."""
        return self._cursor

    @asynccontextmanager
    async def transaction(self, cursor: int | None = None) -> AsyncIterator[Transaction]:
        """A transaction that commits only while this instance is the newest, and moves the cursor if one is given.

        Raises:
            Fenced: a newer instance has taken over; nothing is committed.
            OutcomeUnknown: it may have been committed, the cursor included; the process should end, and start anew.
        """
        moved = self._cursor if cursor is None else cursor
        async with self.database.transaction() as transaction:
            await transaction.move_offsets(self.deployment, [OffsetMove(self.name, self._cursor, moved)], self.epoch)
            yield transaction
        self._cursor = moved


class RunningProcess(ABC):
    """One running instance of a process."""

    @abstractmethod
    async def watch_termination(self) -> None:
        """Return when it has ended, or raise what it failed with.

        When this is cancelled, the process is to end without further ado, and this to raise `CancelledError` then.
        """

    @abstractmethod
    async def shutdown(self) -> None:
        """Ask it to end, and return when it has."""


class HeldProcess(Exception):
    """Raised by a process that should not be started again until somebody has looked at it: it is paused then."""


class Process(ABC):
    """A recipe for a long computation.

    Args:
        name: unique in its deployment.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    async def run(self, context: ProcessContext) -> RunningProcess:
        """Start an instance. What this raises counts as its failure."""

    @staticmethod
    def of(name: str, function: Callable[[ProcessContext], Awaitable[None]]) -> Process:
        """A process that runs a coroutine function; it is cancelled to end it, and may clean up then."""
        return _FunctionProcess(name, function)

    @staticmethod
    def each(
        name: str, source: Callable[[ProcessContext], AsyncIterable[T]], handle: Callable[[T], Awaitable[None]]
    ) -> Process:
        """A process that takes one item after another from an async iterator and handles it.

        When it is to end, the item under way is handled to its end, and no other is taken.
        """
        return _IteratorProcess(name, source, handle)


class TaskProcess(RunningProcess):
    """An instance that is a task.

    Args:
        task: what runs.
        gently: what asks it to end; by default it is cancelled.
    """

    def __init__(self, task: asyncio.Task[None], gently: Callable[[], None] | None = None) -> None:
        self._task = task
        self._end = gently or self._cancel

    async def watch_termination(self) -> None:
        """See `RunningProcess.watch_termination`."""
        try:
            await asyncio.wait([self._task])
        except asyncio.CancelledError:
            self._task.add_done_callback(self._ended_unwatched)
            self._task.cancel()
            await asyncio.wait([self._task])
            raise
        if not self._task.cancelled():
            self._task.result()

    async def shutdown(self) -> None:
        """See `RunningProcess.shutdown`."""
        if not self._task.done():
            self._end()
            await asyncio.wait([self._task])

    def _cancel(self) -> None:
        self._task.cancel()

    def _ended_unwatched(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            _log.warning("%s failed while it was being cancelled: %s", task.get_name(), task.exception())


class _FunctionProcess(Process):
    def __init__(self, name: str, function: Callable[[ProcessContext], Awaitable[None]]) -> None:
        super().__init__(name)
        self._function = function

    async def run(self, context: ProcessContext) -> RunningProcess:
        async def body() -> None:
            await self._function(context)

        return TaskProcess(task_named(body(), self.name))


class _IteratorProcess(Process):
    def __init__(
        self,
        name: str,
        source: Callable[[ProcessContext], AsyncIterable[Any]],
        handle: Callable[[Any], Awaitable[None]],
    ) -> None:
        super().__init__(name)
        self._source = source
        self._handle = handle

    async def run(self, context: ProcessContext) -> RunningProcess:
        stopping = asyncio.Event()
        return TaskProcess(task_named(self._drain(context, stopping), self.name), stopping.set)

    async def _drain(self, context: ProcessContext, stopping: asyncio.Event) -> None:
        items = aiter(self._source(context))
        wish = asyncio.ensure_future(stopping.wait())
        try:
            while not stopping.is_set():
                coming = asyncio.ensure_future(anext(items))
                try:
                    await asyncio.wait([coming, wish], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    await end_all([coming])
                if coming.cancelled():
                    return
                try:
                    item = coming.result()
                except StopAsyncIteration:
                    return
                await self._handle(item)
        finally:
            wish.cancel()
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()


def task_named(body: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """A task that runs a process's body in the running loop; for a `TaskProcess`, which owns it."""
    return asyncio.get_running_loop().create_task(body, name=f"process-{name}")


async def claim_cursor(database: Database, deployment: str, name: str, epoch: int) -> int:
    """Take a process under `epoch`: from then on no older instance can commit anything.

    Returns:
        the process's cursor.

    Raises:
        Fenced: the stored epoch is not older.
        Unavailable, OutcomeUnknown: the store is away.
    """
    return (await database.offsets.claim(deployment, [name], epoch))[name]
