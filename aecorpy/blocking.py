"""A node for scripts that do not use asyncio: it runs in a thread of its own, and calls wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from aecorpy.entity import Entity
from aecorpy.errors import AecorError
from aecorpy.node import ClusterNode
from aecorpy.projection import Projection
from aecorpy.projection.handle import DistributedProjection
from aecorpy.refs import EntityRefs

T = TypeVar("T", bound=Entity[Any, Any])
R = TypeVar("R")


class BlockingNode:
    """A `ClusterNode` behind blocking calls.

    >>> with BlockingNode("tickets", journal="sqlite:///tickets.db") as node:  # doctest: +SKIP
    ...     bookings = node.deploy(Booking)
    ...     node.call(bookings("b-1").place("c-1", "x-1", (Seat("A", 1),)))

    Args:
        name: the cluster's name.
        options: as of `ClusterNode`.
    """

    def __init__(self, name: str, **options: Any) -> None:
        self._node = ClusterNode(name, **options)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._thread is not None:
            raise AecorError(f"node {self._node.name!r} is running already")
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name=f"node-{self._node.name}", daemon=True)
        self._thread.start()
        started.wait()
        try:
            self.call(self._node.start())
        except BaseException:
            self._end_thread()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.call(self._node.stop())
        finally:
            self._end_thread()

    @property
    def node(self) -> ClusterNode:
        """The node itself, for use in coroutines passed to `call`."""
        return self._node

    def call(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Run a coroutine, such as a command on a stand-in, in the node's thread, and wait for what it returns.

        Raises:
            AecorError: the node is not running, or this is its own thread.
        """
        if self._loop is None or threading.current_thread() is self._thread:
            coroutine.close()
            raise AecorError("call() needs a running BlockingNode (`with`), and a thread other than the node's own")
        answer = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return answer.result()
        except BaseException:  # Ctrl-C, too: nobody waits any more
            answer.cancel()
            raise

    def deploy(self, entity: type[T]) -> EntityRefs[T]:
        """As `ClusterNode.deploy`."""
        return self.call(self._node.deploy(entity))

    def distribute(self, name: str, projection: Projection[Any]) -> DistributedProjection:
        """As `ClusterNode.distribute`."""
        return self.call(self._node.distribute(name, projection))

    def _run(self, started: threading.Event) -> None:
        with asyncio.Runner() as runner:  # its end cancels what tasks are left, and ends the threads of its executor
            self._loop = runner.get_loop()
            started.set()
            self._loop.run_forever()

    def _end_thread(self) -> None:
        assert self._loop is not None, "ended once, after it was started"
        assert self._thread is not None, "ended once, after it was started"
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop = self._thread = None
