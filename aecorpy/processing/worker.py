"""The actor that runs one process: the one resident of its shard, so there is one in the cluster.

    IDLE --appears--> RUNNING, or PAUSED if management wants that
    RUNNING --it ended or failed--> WAITING --pause over--> RUNNING
    RUNNING --its epoch is not the newest--> IDLE, and the shard asks for a newer one
    RUNNING --pause--> STOPPING --it has ended--> PAUSED --resume--> RUNNING
    RUNNING --revision raised--> STOPPING --it has ended--> RUNNING
    any --the shard is handed off--> STOPPING --it has ended--> exited
    STOPPING --bound over--> cancelled --bound over--> STUCK, until it ends after all

When the actor is told to exit at once (the lease may be over, somebody else owns the shard), the instance is cancelled
and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from thespian.actors import ActorExitRequest, WakeupMessage

from aecorpy.errors import Fenced, OutcomeUnknown, Unavailable, text_of
from aecorpy.pauses import Retry
from aecorpy.processing.process import HeldProcess, Process, ProcessContext, RunningProcess
from aecorpy.processing.states import GONE, PAUSED, RUNNING, STOPPING, STUCK, WAITING, Control, ProcessState
from sharding.actors import Address, AsyncActor, Outcome
from sharding.messages import Appear, Retire, ShardLost

IDLE = "idle"

E = TypeVar("E", bound=BaseException)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How a worker treats its process.

    Args:
        pauses: between an end or a failure and the next start.
        stable_seconds: a process that ran this long is not the one that failed before: its next pause is the first.
        stop_seconds: how long it may take to end when asked; then it is cancelled, and may take as long again.
        report_seconds: how often a running process's details are reported.
    """

    pauses: Retry = field(default=Retry(0.2, 30.0))
    stable_seconds: float = 60.0
    stop_seconds: float = 5.0
    report_seconds: float = 1.0


class Report(NamedTuple):
    """From a worker to its keep-alive actor: how its process is now. `since` is in the loop's time."""

    worker: Address
    state: ProcessState
    since: float


class Wanted(NamedTuple):
    """From the keep-alive actor to a worker: what management wants of its process."""

    control: Control


class Ended(NamedTuple):
    """To a worker from the task that ran its process."""

    outcome: Outcome[None]


class Held(NamedTuple):
    """To a worker: its process is paused for all, or cannot be, or need not be any more."""

    outcome: Outcome[None]


class Asked(NamedTuple):
    """To a worker: its instance answered the wish to end. What counts is that it ends (`Ended`)."""

    outcome: Outcome[None]


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is to run.

    Args:
        process: the recipe.
        context: of this epoch.
        incarnation: the node's.
        tags: the streams it projects, for the reports.
        details: what a running instance says of itself.
        hold: called with the error of a process that must not be started again by itself; pauses it for good.
    """

    process: Process
    context: ProcessContext
    incarnation: int
    tags: tuple[str, ...] = ()
    details: Callable[[], dict[str, Any]] | None = None
    hold: Callable[[BaseException], Any] | None = None


class Worker(AsyncActor):
    """Runs one process, and runs it again.

    Args:
        task: what to run.
        control: what management wants as of the claim.
        patience: pauses and bounds.
        keep_alive: who gets the reports.
        shard: the shard actor, which is told when the epoch turns out not to be the newest.
        draw: random numbers in [0, 1), which spread the pauses.
    """

    def __init__(
        self,
        task: Task,
        control: Control,
        patience: Patience,
        keep_alive: Address,
        shard: Address,
        draw: Callable[[], float],
    ) -> None:
        super().__init__()
        self._task = task
        self._control = control
        self._patience = patience
        self._keep_alive = keep_alive
        self._shard = shard
        self._draw = draw
        self._state = IDLE
        self._since = 0.0
        self._started = 0.0
        self._failures = 0
        self._restarts = -1
        self._error: str | None = None
        self._running: asyncio.Future[None] | None = None
        self._instance: RunningProcess | None = None
        self._attempt = 0
        self._retiring = False
        self._fenced = False
        self._holding = 0

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        """A turn of the worker."""
        match message:
            case Appear():
                self._go_on()
                self.wakeupAfter(self._patience.report_seconds, "report")
            case Wanted():
                self._on_wanted(message.control)
            case Ended():
                self._on_ended(message.outcome.error)
            case WakeupMessage(payload="report"):
                self._report()
                self.wakeupAfter(self._patience.report_seconds, "report")
            case WakeupMessage(payload=("start", attempt)):
                if self._state == WAITING and attempt == self._attempt:
                    self._go_on()
            case WakeupMessage(payload=("late", attempt)):
                self._on_late(attempt, "cancel")
            case WakeupMessage(payload=("stuck", attempt)):
                self._on_late(attempt, "give up")
            case Held():
                self._holding -= 1
                if message.outcome.error is not None:
                    _log.error("process %s is paused here only: %s", self._task.context.name, message.outcome.error)
                if self._retiring and self._running is None:
                    self._go_on()
            case WakeupMessage(payload="leave"):
                self._leave()
            case Asked():
                if message.outcome.error is not None:  # it may still end; otherwise the bound is what helps
                    _log.warning("process %s: %s", self._task.context.name, message.outcome.error)
            case Retire():
                self._retiring = True
                self._stop()
            case ActorExitRequest():
                self._become(GONE)

    # --- running

    def _go_on(self) -> None:
        """Whatever was under way has ended: do what is wanted now."""
        if self._retiring and self._holding:
            self.wakeupAfter(self._patience.stop_seconds, "leave")  # the next node must not run what is to be held
        elif self._retiring:
            self._leave()
        elif self._fenced:
            self._become(IDLE)  # the shard lets this worker go, and calls up another under a newer epoch
        elif self._control.paused:
            self._become(PAUSED)
        else:
            self._start()

    def _leave(self) -> None:
        self._become(GONE)
        self.send(self.myAddress, ActorExitRequest())

    def _start(self) -> None:
        self._restarts += 1
        self._attempt += 1
        self._started = self.engine.loop.time()
        self._running = self.pipe_to_self(self._run(), Ended)
        self._become(RUNNING)

    async def _run(self) -> None:
        self._instance = None
        instance = await self._task.process.run(self._task.context)
        self._instance = instance
        await instance.watch_termination()

    def _on_ended(self, error: BaseException | None) -> None:
        self._running = self._instance = None
        stopped = self._state in (STOPPING, STUCK)
        if fenced := _found_in(error, Fenced):
            self._fence(fenced)
        elif (held := _found_in(error, HeldProcess)) and self._task.hold is not None:
            self._note(held)
            self._control = replace(self._control, paused=True)
            self.pipe_to_self(self._hold(self._task.hold, held), Held)
            self._holding += 1
        elif error is not None and not isinstance(error, asyncio.CancelledError):
            self._note(error)
        if stopped or self._fenced or self._control.paused or self._retiring:
            self._go_on()
        else:
            self._start_later()

    async def _hold(self, hold: Callable[[BaseException], Any], error: BaseException) -> None:
        """Pause it for good, however long the store is away, unless somebody has let it run again."""
        attempt, failures = self._attempt, 0
        while attempt == self._attempt:
            try:
                await hold(error)
                return
            except (Unavailable, OutcomeUnknown) as away:
                failures += 1
                _log.warning("process %s is not paused everywhere yet: %s", self._task.context.name, away)
                await asyncio.sleep(self._patience.pauses.pause(failures, self._draw()))

    def _note(self, error: BaseException) -> None:
        former, self._error = self._error, text_of(error)
        context = self._task.context
        place = f"{context.name} ({context.deployment} {context.number})"
        if isinstance(error, Unavailable | OutcomeUnknown):  # it says itself what is away, and where
            _log.warning("process %s has ended, and is started again: %s", place, error)
        else:  # where it came from is told once
            _log.error("process %s failed: %s", place, self._error, exc_info=None if self._error == former else error)

    def _fence(self, error: Fenced) -> None:
        context = self._task.context
        _log.info("process %s runs under an epoch that is not the newest: %s", context.name, error)
        self._fenced = True
        self.send(self._shard, ShardLost(context.epoch, error.current or 0, error))

    def _start_later(self) -> None:
        if self.engine.loop.time() - self._started >= self._patience.stable_seconds:
            self._failures = 0
        self._failures += 1
        pause = self._patience.pauses.pause(self._failures, self._draw())
        self._become(WAITING)
        self.wakeupAfter(pause, ("start", self._attempt))

    # --- stopping

    def _on_wanted(self, control: Control) -> None:
        former = self._control
        if control.revision <= former.revision:
            return
        self._control = control
        if control.paused and self._state in (RUNNING, WAITING):
            self._stop()
        elif control.anew != former.anew and self._state in (RUNNING, WAITING, PAUSED):
            self._failures = 0
            self._stop()
        elif not control.paused and self._state == PAUSED:
            self._failures = 0
            self._go_on()
        else:
            self._report()  # that it has heard of it

    def _stop(self) -> None:
        """Let the instance end, if there is one; then `_go_on`."""
        if self._running is None:
            self._go_on()
        elif self._state == RUNNING:
            self._become(STOPPING)
            if self._instance is None:  # it has not come up yet, and hears of nothing else
                self._running.cancel()
            else:
                self.pipe_to_self(self._instance.shutdown(), Asked)
            self.wakeupAfter(self._patience.stop_seconds, ("late", self._attempt))

    def _on_late(self, attempt: int, what: str) -> None:
        if self._running is None or attempt != self._attempt or self._state != STOPPING:
            return
        context = self._task.context
        name = f"{context.name} ({context.deployment} {context.number})"
        bound = self._patience.stop_seconds
        if what == "cancel":
            _log.warning("process %s has not ended %g s after it was asked to: it is cancelled", name, bound)
            self._running.cancel()
            self.wakeupAfter(bound, ("stuck", attempt))
        else:
            self._error = f"it goes on {bound:g} s after it was cancelled: only the end of its node's process ends it"
            _log.error("process %s: %s", name, self._error)
            self._become(STUCK)

    # --- reports

    def _become(self, state: str) -> None:
        self._state = state
        self._since = self.engine.loop.time()
        self._report()

    def _report(self) -> None:
        task, context = self._task, self._task.context
        details = None if task.details is None else task.details()
        state = ProcessState(
            context.deployment,
            context.number,
            context.name,
            context.node,
            task.incarnation,
            context.epoch,
            self._state,
            restarts=max(0, self._restarts),
            error=self._error,
            tags=task.tags,
            details=details,
            revision=self._control.revision,
        )
        self.send(self._keep_alive, Report(self.myAddress, state, self._since))


def _found_in(error: BaseException | None, kind: type[E]) -> E | None:
    """`error` if it is of that kind, or the first such in it if it is a group, as of an `asyncio.TaskGroup`."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for one in error.exceptions if (found := _found_in(one, kind)) is not None), None)
    return error if isinstance(error, kind) else None
