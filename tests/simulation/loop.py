"""An asyncio event loop on virtual time: the same seed gives the same run.

What is ready runs in a seeded order; when nothing is, time jumps to the next timer. Every callback belongs to the node
in whose context it was made, so that nodes can be frozen, crash, and have clocks of their own. There are no threads and
no sockets: what asks for them gets a NotImplementedError.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
import struct
import zlib
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple

from tests.simulation.burial import bury
from tests.simulation.errors import Deadlock, LimitReached, NodeCrashed
from tests.simulation.nodes import NODE, WORLD, Clock, Node, place, where
from tests.simulation.ready import Order, Ready
from tests.simulation.timers import Timers

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

STEP_SECONDS: Final = 2.0**-20  # about a microsecond; a power of two, so that sums are exact
_COLLECT_EVERY: Final = 50_000  # steps


class SimLoop(asyncio.BaseEventLoop):
    """An event loop that runs a simulation.

    Args:
        seed: from which all that is random is drawn.
        order: in which order what is ready may run.
        max_time: virtual seconds after which a run ends with `LimitReached`.
        max_steps: callbacks after which it does.
        step_seconds: the virtual time that a callback takes.

    Attributes:
        world: the node of what belongs to none.
        steps: callbacks run so far.
        schedule_hash: of all that was drawn for the schedule, and when; equal for equal runs.
        reported: what was given to the exception handler by the world or by nodes that live: a sound run has none.
    """

    def __init__(
        self,
        seed: int,
        *,
        order: Order = Order.ANY,
        max_time: float = 3_600.0,
        max_steps: int = 5_000_000,
        step_seconds: float = STEP_SECONDS,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.world = Node(WORLD, 1, Clock())
        self.steps = 0
        self.schedule_hash = 0
        self.reported: list[str] = []
        self._max_time, self._max_steps, self._step_seconds = max_time, max_steps, step_seconds
        self._now = 0.0
        self._streams: dict[str, random.Random] = {}
        self._runnable = Ready(self.random("schedule"), order)
        self._timers = Timers()
        self._numbers = 0
        self._nodes: dict[str, Node] = {}
        self._graves: list[Any] = []
        self._on_crash: list[Callable[[Node], None]] = []
        self._callers: dict[Node, list[Callable[[], None]]] = {}
        self._running = self.world
        self._stop_asked = False
        self._over = False

    # ---- randomness and time

    def random(self, stream: str) -> random.Random:
        """The random numbers of one purpose; what is drawn from one stream leaves the others alone."""
        if stream not in self._streams:
            self._streams[stream] = random.Random(f"{self.seed} {stream}")
        return self._streams[stream]

    @property
    def now(self) -> float:
        """Virtual seconds since the start, by no node's clock."""
        return self._now

    def time(self) -> float:
        """What the monotonic clock of the current node shows."""
        return NODE.get(self.world).clock.monotonic(self._now)

    def node_time(self, name: str) -> float:
        """What the monotonic clock of a node shows."""
        return self.node(name).clock.monotonic(self._now)

    # ---- nodes

    def boot(self, name: str, clock: Clock | None = None) -> Node:
        """Start a node, for the first time or after a crash.

        Args:
            name: the node's.
            clock: of this life; by default the one it had, or a true one.

        Raises:
            ValueError: it runs already.
        """
        before = self._nodes.get(name, None)
        if name == WORLD or (before is not None and not before.dead):
            raise ValueError(f"{name!r} runs already")
        life, known = (1, Clock()) if before is None else (before.life + 1, before.clock)
        self._nodes[name] = Node(name, life, clock or known)
        return self._nodes[name]

    def node(self, name: str) -> Node:
        """The newest life of a node.

        Raises:
            LookupError: there was none.
        """
        if name not in self._nodes:
            raise LookupError(f"there is no node {name!r}: boot it first")
        return self._nodes[name]

    def nodes(self) -> list[Node]:
        """The newest life of every node, in the order of their first starts."""
        return list(self._nodes.values())

    def context(self, node: Node | None) -> contextvars.Context:
        """A context in which all that is started belongs to `node`, or to the world."""
        context = contextvars.copy_context()
        context.run(NODE.set, node or self.world)
        return context

    def start(self, name: str, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine on a node. When the node crashes, the task never ends: see `call`."""
        return self.create_task(coroutine, context=self.context(self._living(name)))

    async def call(self, name: str, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on a node and wait, from outside, for its end. Cancelling the caller cancels it.

        Raises:
            NodeCrashed: the node crashed before it ended.
        """
        node = self._living(name)
        task = self.start(name, coroutine)
        ended: asyncio.Future[bool] = self.create_future()

        def tell(crashed: bool = True) -> None:
            if not ended.done():
                ended.set_result(crashed)

        task.add_done_callback(lambda _: tell(False), context=self.context(None))
        self._callers.setdefault(node, []).append(tell)
        try:
            if await ended:
                raise NodeCrashed(f"seed {self.seed}: {node} crashed at {self._now:.6f}, and {place(task)} with it")
            return task.result()
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            self._callers[node].remove(tell)

    def freeze(self, name: str) -> None:
        """Set aside what the node would run, timers that come due included, until `thaw`. Time goes on meanwhile."""
        node = self._living(name)
        node.frozen = True
        node.aside.extend(self._runnable.take(node))

    def thaw(self, name: str) -> None:
        """Let a frozen node go on, with what has become ready meanwhile. Does nothing for one that is not frozen."""
        node = self.node(name)
        node.frozen = False
        aside, node.aside = node.aside, []
        if not node.dead:
            self._runnable.put_back(node, aside)

    def crash(self, name: str) -> None:
        """Kill a node: nothing of it runs again, not even `finally`. What it had connected is for `on_crash` hooks."""
        node = self._living(name)
        node.dead = True
        self._graves += [node, self._runnable.take(node), node.pending]
        for tell in self._callers.get(node, ()):
            tell()
        for hook in self._on_crash:
            hook(node)

    def on_crash(self, hook: Callable[[Node], None]) -> None:
        """Call `hook` from within every crash, with the life that ended."""
        self._on_crash.append(hook)

    def _living(self, name: str) -> Node:
        node = self.node(name)
        if node.dead:
            raise ValueError(f"{name!r} has crashed and was not started again")
        return node

    def pending(self) -> dict[str, list[asyncio.Task[Any]]]:
        """The tasks that have not ended, of the world and of the living nodes that have any."""
        nodes = [self.world, *(node for node in self._nodes.values() if not node.dead)]
        return {repr(node): node.pending for node in nodes if node.pending}

    # ---- what asyncio calls

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Run a callback, in its turn by the seeded draw."""
        context = contextvars.copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self, context)
        self._make_ready(context.get(NODE, self.world), handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback after `delay` seconds of the current node's clock."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback when the current node's clock shows `when`."""
        due = max(self._now, NODE.get(self.world).clock.when(when))
        context = contextvars.copy_context() if context is None else context
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self._over:
            self._timers.add(due, context.get(NODE, self.world), handle)
        return handle

    def call_after(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context
    ) -> asyncio.TimerHandle:
        """Run a callback of the context's node after `delay` virtual seconds, whatever any clock shows."""
        due = self._now + delay
        handle = asyncio.TimerHandle(due, callback, args, self, context)
        if not self._over:
            self._timers.add(due, context.get(NODE, self.world), handle)
        return handle

    def create_task(
        self, coro: Any, *, name: object = None, context: contextvars.Context | None = None, **options: Any
    ) -> asyncio.Task[Any]:
        """Run a coroutine. Tasks without a name get one that is the same in every run."""
        node = (contextvars.copy_context() if context is None else context).get(NODE, self.world)
        number = self._number()
        if self._over or node.dead:
            coro.close()  # its task never takes a step
        if context is None:
            task = super().create_task(coro, name=name or f"{node}-{number}", **options)
        else:
            task = super().create_task(coro, name=name or f"{node}-{number}", context=context, **options)
        node.tasks[number] = task
        if self._over or node.dead:
            self._graves.append(task)
        return task

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> NoReturn:
        """Raise: there are no threads here."""
        raise NotImplementedError("a simulation has no threads, so nothing calls into its loop from one")

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], Any], *args: *Ts) -> NoReturn:
        """Raise: there are no threads here."""
        raise NotImplementedError("a simulation has no threads: what blocks must come in through a port")

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what is reported, unless it comes from a node that is dead, or after the end."""
        node = self._running
        if not (self._over or node.dead):
            self.reported.append(f"{self._now:.6f} {node}: {context.get('message')}: {context.get('exception')!r}")

    def stop(self) -> None:
        """Stop after the current callback."""
        self._stop_asked = True
        super().stop()

    def run_forever(self) -> None:
        """Run until stopped. Garbage is collected at fixed steps only, so that finalizers run at the same ones."""
        with _collector_at_rest():
            super().run_forever()

    def close(self) -> None:
        """End the simulation; what has not ended is given up without noise."""
        if self._over:
            return
        self._over = True
        nodes = [self.world, *self._nodes.values(), *(grave for grave in self._graves if isinstance(grave, Node))]
        for node in dict.fromkeys(nodes):
            for task in list(node.tasks.values()):
                bury(task)
        self._runnable = Ready(self.random("schedule"), Order.ANY)
        self._timers.clear()
        super().close()

    # ---- one step

    def _run_once(self) -> None:
        self._move_due()
        while not self._runnable:
            if self._stop_asked:
                self._stop_asked = False
                return
            self._jump()
            self._move_due()
        node, handle = self._runnable.draw()
        if handle.cancelled():
            return
        self._count(node)
        self._running = node
        try:
            handle._run()
        finally:
            self._running = self.world

    def _count(self, node: Node) -> None:
        self.steps += 1
        self._now += self._step_seconds
        self.schedule_hash = zlib.crc32(struct.pack("<dI", self._now, node.life), self.schedule_hash)
        self.schedule_hash = zlib.crc32(node.name.encode(), self.schedule_hash)
        if self.steps >= self._max_steps:
            raise LimitReached(f"seed {self.seed}: {self.steps} steps, at {self._now:.6f} s:\n{where(self.pending())}")
        if self._now >= self._max_time:
            raise LimitReached(f"seed {self.seed}: {self._now:.6f} s:\n{where(self.pending())}")
        if self.steps % _COLLECT_EVERY == 0:
            gc.collect()

    def _move_due(self) -> None:
        for node, handle in self._timers.take_due(self._now):
            self._make_ready(node, handle)

    def _jump(self) -> None:
        due = self._timers.next_due()
        if due is None:
            raise Deadlock(
                f"seed {self.seed}: at {self._now:.6f} s nothing is ready and no timer is set; these wait:\n"
                f"{where(self.pending()) or '  (no task)'}"
            )
        self._now = max(self._now, due)

    def _make_ready(self, node: Node, handle: asyncio.Handle) -> None:
        if node.dead or self._over:
            return
        if node.frozen:
            node.aside.append(handle)
        else:
            self._runnable.add(node, handle)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self._timers.one_cancelled()

    def _asyncgen_finalizer_hook(self, agen: AsyncGenerator[Any, None]) -> None:
        # An abandoned asynchronous generator is closed by a task; asyncio's own hook goes by way of other threads.
        if not (self._over or NODE.get(self.world).dead):
            self.call_soon(lambda: self.create_task(agen.aclose()))


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
