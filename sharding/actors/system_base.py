"""The engine as a system base of Thespian's `ActorSystem`, for any thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from threading import Lock
from typing import Any, Final, NoReturn, TypeVar

from thespian.actors import ActorAddress, InvalidActorSourceHash

from sharding.actors.address import Address
from sharding.actors.creation import ActorSource
from sharding.actors.engine import Engine
from sharding.actors.errors import BlockingCallOnLoop, EngineStopped
from sharding.actors.inbox import ThreadInbox, seconds_of
from sharding.actors.loop_thread import LoopThread
from sharding.actors.ref import no_sources
from sharding.actors.run_queue import Budget
from sharding.actors.termination import ShutdownReport

__all__ = ["AsyncioSystemBase"]

T = TypeVar("T")

# Seconds a shutdown may take beyond its time before the loop itself is taken for blocked.
_GRACE: Final = 1.0


class Door:
    """Calls from other threads into an engine; when the engine ends, whoever waits is told."""

    def __init__(self, engine: Engine, thread: LoopThread | None) -> None:
        self.engine = engine
        self.thread = thread
        self._lock = Lock()
        self._closed = False
        self._calls: dict[Future[Any], None] = {}
        self._inboxes: dict[ThreadInbox, None] = {}
        self._named = 0
        engine.termination.when_over(self._close)

    def call(self, function: Callable[..., T], *args: Any, seconds: float | None = None) -> T:
        """Run a function on the loop and wait for what it returns, at most so long.

        Raises:
            EngineStopped: the engine ended before it ran.
            TimeoutError: the loop did not come to it in time.
        """
        if self.engine.is_loop_thread():
            return function(*args)
        result: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise EngineStopped("the engine is shut down")
            self._calls[result] = None
        self.engine.from_thread(self._answer, result, function, args)
        return result.result(seconds)

    def _answer(self, result: Future[Any], function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        with self._lock:
            if self._calls.pop(result, self) is self:
                return  # the engine has ended and the caller knows
        try:
            result.set_result(function(*args))
        except Exception as error:  # noqa: BLE001 - the caller's, who gets it
            result.set_exception(error)

    def open_inbox(self) -> ThreadInbox:
        """A new address for the answers to one thread."""
        with self._lock:
            self._named += 1
            inbox = ThreadInbox(f"External:{self._named}")
            self._inboxes[inbox] = None
            if self._closed:
                inbox.close()
        return inbox

    def close_inbox(self, inbox: ThreadInbox) -> None:
        """The thread is done with it."""
        with self._lock:
            self._inboxes.pop(inbox, None)
        inbox.close()

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            calls, self._calls = self._calls, {}
            inboxes = list(self._inboxes)
        for call in calls:
            call.set_exception(EngineStopped("the engine was shut down meanwhile"))
        for inbox in inboxes:
            inbox.close()


class AsyncioSystemBase:
    """What `ActorSystem(systemBase=…)` talks to; one endpoint for answers from actors.

    `ask`, `tell`, `listen` and the rest are for threads that do not run the loop. On the loop's own thread the calls
    that wait raise `BlockingCallOnLoop`: there, `Engine.ask` gives a future.

    Args:
        engine: an engine that runs already. Its host shuts it down; `shutdown` here does so too.
    """

    def __init__(self, engine: Engine, *, _door: Door | None = None) -> None:
        self.engine = engine
        self._door = _door or Door(engine, None)
        self._inbox = self._door.open_inbox()

    @classmethod
    def in_thread(
        cls, capabilities: dict[str, Any] | None = None, *, budget: Budget | None = None
    ) -> AsyncioSystemBase:
        """An engine on a new thread with a loop of its own, until `shutdown`."""
        thread = LoopThread(capabilities, budget)
        return cls(thread.engine, _door=Door(thread.engine, thread))

    # ---- what ActorSystem calls; names and arguments are Thespian's

    def newPrimaryActor(  # noqa: N802
        self,
        source: ActorSource,
        requirements: dict[str, Any] | None = None,
        global_name: str | None = None,
        source_hash: str | None = None,
    ) -> Address:
        """Create a top-level actor.

        Raises:
            InvalidActorSourceHash: a `source_hash` was given, and none is ever loaded.
            Exception: what its creation raised.
        """
        if source_hash is not None:
            raise InvalidActorSourceHash(source_hash)
        return self._door.call(self._create, source, requirements, global_name)

    def _create(self, source: ActorSource, requirements: dict[str, Any] | None, global_name: str | None) -> Address:
        return self.engine.create(source, requirements=requirements, global_name=global_name)

    def tell(self, address: ActorAddress, message: Any) -> None:
        """Send a message; answers come to `listen`."""
        self.engine.on_loop(self.engine.post, address, message, self._inbox)

    def ask(self, address: ActorAddress, message: Any, timeout: timedelta | float | None = None) -> Any:
        """Send a message and wait for the next one that comes back, from whomever, as Thespian has it.

        Returns:
            The message, or None when `timeout` (a timedelta or seconds) is over.

        Raises:
            BlockingCallOnLoop: on the loop's own thread.
        """
        self._refuse_on_loop("ask")
        self.tell(address, message)
        return self._inbox.get(seconds_of(timeout))

    def listen(self, timeout: timedelta | float | None = None) -> Any:
        """Wait for the next message to this endpoint; as `ask`."""
        self._refuse_on_loop("listen")
        return self._inbox.get(seconds_of(timeout))

    def _refuse_on_loop(self, call: str) -> None:
        if self.engine.is_loop_thread():
            raise BlockingCallOnLoop(
                f"{call} waits, and this is the thread that runs the actors: use `await engine.ask(…)` here, "
                "or call from another thread"
            )

    def external_clone(self) -> AsyncioSystemBase:
        """Another endpoint of the same engine, for a thread of its own (`ActorSystem.private`)."""
        return AsyncioSystemBase(self.engine, _door=self._door)

    def exit_context(self) -> None:
        """The endpoint is not used any more."""
        self._door.close_inbox(self._inbox)

    def updateCapability(self, name: str, value: Any = None) -> None:  # noqa: N802
        """Set a capability, or remove it when None."""
        self._door.call(self.engine.update_capability, name, value)

    def shutdown(self, timeout: timedelta | float = 10.0) -> ShutdownReport | None:
        """Stop all actors and wait for it; and for the thread, when it is the engine's own.

        Args:
            timeout: how long to wait at most, a timedelta or seconds.

        Returns:
            What had not ended by then; None on the loop's own thread, where the shutdown is only begun.
        """
        if self.engine.is_loop_thread():
            self.engine.begin_shutdown(seconds_of(timeout) or 0.0)
            return None
        seconds = seconds_of(timeout) or 0.0
        done: Future[ShutdownReport] = Future()
        try:
            self._door.call(self._begin_shutdown, seconds, done, seconds=seconds + _GRACE)
            report = done.result(seconds + _GRACE)
        except EngineStopped:
            report = ShutdownReport()
        except TimeoutError:
            # A turn that does not end blocks the loop, and with it the shutdown's own timer.
            running = self.engine.run_queue.running
            return ShutdownReport(hung_actors=(running.name if running else "the loop",))
        if self._door.thread is not None:
            self._door.thread.join()
        return report

    def _begin_shutdown(self, seconds: float, done: Future[ShutdownReport]) -> None:
        self.engine.begin_shutdown(seconds).add_done_callback(lambda task: done.set_result(task.result()))

    def loadActorSource(self, source: Any) -> NoReturn:  # noqa: N802
        """Not supported.

        Raises:
            SourceLoadingUnsupported: always.
        """
        raise no_sources()

    def unloadActorSource(self, source_hash: str) -> None:  # noqa: N802
        """Accepted and without effect: no source is ever loaded."""
