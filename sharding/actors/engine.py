"""The engine: actors on one asyncio event loop."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, ActorSystemException, ThespianGeneration

from sharding.actors import creation
from sharding.actors.address import Address, LocalAddress, Nobody
from sharding.actors.ask import ReplyAddress
from sharding.actors.cell import Cell
from sharding.actors.creation import ActorSource
from sharding.actors.dead_letters import DeadLetters
from sharding.actors.errors import EngineStopped
from sharding.actors.leaving import LeavingTasks
from sharding.actors.run_queue import Budget, RunQueue
from sharding.actors.status import SystemAddress
from sharding.actors.termination import ShutdownReport, Termination

__all__ = ["Engine"]

_log = logging.getLogger("sharding.actors")


class Engine:
    """Hosts Thespian actors on an event loop.

    Everything here is called on the loop's thread; `sharding.actors.AsyncioSystemBase` is the door for other threads.
    Time comes from `loop.time()` and order from the loop and the run queue, so on a loop with virtual time the same
    program takes the same turns.

    Args:
        loop: where the actors run; the running loop by default.
        capabilities: what `actorSystemCapabilityCheck` of actors is asked about.
        budget: how much the actors do before the loop serves others.

    Attributes:
        address: the sender of what the engine itself tells actors.
        nobody: the sender of messages that need no answer.
        dead_letters: what reached no actor.
        failures: messages whose handler raised twice.
        actors: live actors.
        tasks: tasks of actors that have not ended.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        capabilities: dict[str, Any] | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.loop = loop or asyncio.get_running_loop()
        self.capabilities = {} if capabilities is None else capabilities
        self.capabilities.update(_own_capabilities(self.loop))
        self.run_queue = RunQueue(self.loop, budget or Budget())
        self.address = SystemAddress(self)
        self.nobody = Nobody()
        self.dead_letters = DeadLetters()
        self.leaving = LeavingTasks()
        self.failures = 0
        self.actors = 0
        self.tasks = 0
        self._numbers = 0
        self.root = Cell(self, None, "Root", 0)
        self._global_names: dict[str, Address] = {}
        self._checked: dict[Cell, dict[str, Any] | None] = {}
        self.termination = Termination(self)

    def next_number(self) -> int:
        """1, 2, 3, …: what is named after it has the same name in every run."""
        self._numbers += 1
        return self._numbers

    # ---- actors

    def create(
        self,
        source: ActorSource,
        *,
        parent: ActorAddress | None = None,
        requirements: dict[str, Any] | None = None,
        global_name: str | None = None,
    ) -> Address:
        """Create an actor.

        Args:
            source: its class, the dotted name of its class, or a callable that makes the instance.
            parent: the actor that hears of its exit; without one it is a top-level actor.
            requirements: passed to the actor's capability check and, if it asks, to its `__init__`.
            global_name: when an actor lives under this name already, its address is returned and nothing is created.

        Returns:
            The address. When a child cannot be created it is that of a dead actor, and the parent gets a
            `ChildActorExited`, as Thespian has it.

        Raises:
            EngineStopped: the engine is shut down.
            Exception: what creating a top-level actor raised.
        """
        if self.stopping and parent is None:
            raise EngineStopped("the engine is shut down and creates no more actors")
        if global_name is not None and global_name in self._global_names:
            return self._global_names[global_name]
        above = self.root if parent is None else _cell_of(parent)
        cell = Cell(self, above, creation.kind_of(source), self.next_number())
        above.add_child(cell)
        self._bring_to_life(cell, source, requirements, above)
        if global_name is not None and cell.instance is not None:
            cell.global_name = global_name
            self._global_names[global_name] = cell.address
        return cell.address

    def _bring_to_life(self, cell: Cell, source: ActorSource, requirements: dict[str, Any] | None, above: Cell) -> None:
        if self.stopping or (above.instance is None and above is not self.root):
            cell.abandon()
            return
        try:
            found = creation.resolve(source)
            cell.start(creation.make(found, self.capabilities, requirements))
        except BaseException as error:
            cell.abandon()
            if above is self.root or not isinstance(error, Exception):
                raise
            # Thespian's way: the creator of a child hears of its exit; the error is only here.
            _log.error("%s could not be created as a child of %s", cell.name, above.name, exc_info=True)
            return
        self.actors += 1
        if hasattr(cell.instance, "actorSystemCapabilityCheck"):
            self._checked[cell] = requirements

    def departed(self, cell: Cell) -> None:
        """An actor exits: forget what was registered for it."""
        self.actors -= 1
        self._checked.pop(cell, None)
        self.dead_letters.set_handler(cell.address, False)
        if cell.global_name is not None:
            self._global_names.pop(cell.global_name, None)

    def stop(self, address: ActorAddress) -> None:
        """Tell an actor, and with it its children, to exit once it has handled what it has."""
        self.tell(address, ActorExitRequest())

    def update_capability(self, name: str, value: Any) -> None:
        """Set a capability of this system, or remove it when None; actors whose check fails now are told to exit."""
        if value is None:
            self.capabilities.pop(name, None)
        else:
            self.capabilities[name] = value
        for cell, requirements in list(self._checked.items()):
            if cell.instance is not None and not creation.suits(type(cell.instance), self.capabilities, requirements):
                cell.accept(ActorExitRequest(), self.address)

    # ---- messages

    def tell(self, address: ActorAddress, message: Any, sender: ActorAddress | None = None) -> None:
        """Send a message, by reference; delivery is at most once and in order for each sender.

        Args:
            address: any address of this engine, or another `Address`.
            message: anything.
            sender: whom the actor answers; nobody by default.
        """
        if address.__class__ is LocalAddress and address._cell.engine is self:
            address._cell.accept(message, sender or self.nobody)
        elif address.__class__ is ReplyAddress and address._engine is self:
            address.deliver(message, sender or self.nobody)
        else:
            self.post(address, message, sender or self.nobody)

    def ask(self, address: ActorAddress, message: Any) -> asyncio.Future[Any]:
        """Send a message and get the first answer.

        The future has no deadline of its own. It may be cancelled at any time; the message is handled nevertheless.

        Returns:
            A future of what the actor sends back. It fails with `Undeliverable` (the actor is dead: nothing happened),
            its subclass `MailboxFull`, `DiedUnanswered`, `NeverAnswered`, or `HandlerFailed` (it raised twice).
        """
        future: asyncio.Future[Any] = self.loop.create_future()
        self.tell(address, message, ReplyAddress(self, future))
        return future

    def post(self, target: ActorAddress, message: Any, sender: ActorAddress) -> None:
        """Send to any address, also one of an engine that runs on another thread."""
        if not isinstance(target, Address):
            self._post_to_stranger(target, message, sender)
            return
        home = target.home
        if home is None or home is self or home.loop is self.loop:
            target.deliver(message, sender)
        else:
            home.from_thread(target.deliver, message, sender)

    def _post_to_stranger(self, target: ActorAddress, message: Any, sender: ActorAddress) -> None:
        if target.addressDetails == SystemAddress.THESPIANS:
            self.address.deliver(message, sender)
        else:
            self.dead_letters.add(target, message, sender)

    @property
    def global_names(self) -> Mapping[str, Address]:
        """The actors that live under a global name."""
        return self._global_names

    # ---- threads

    def from_thread(self, call: Any, *args: Any) -> None:
        """Run a call on the loop, from any other thread; dropped when the loop is closed."""
        try:
            self.loop.call_soon_threadsafe(call, *args)
        except NotImplementedError:
            # A simulated loop knows no threads; it comes here only once it has ended, when an address is collected.
            _log.debug("dropped a call for an engine whose loop takes none from other threads")
        except RuntimeError:
            if not self.loop.is_closed():
                raise
            _log.debug("dropped a call for an engine whose loop is closed")

    def on_loop(self, call: Any, *args: Any) -> None:
        """Run a call on the loop: now when this is its thread, soon when not."""
        if self.is_loop_thread():
            call(*args)
        else:
            self.from_thread(call, *args)

    def is_loop_thread(self) -> bool:
        """Whether the caller is on the thread that runs this engine's loop now."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    # ---- the end

    async def shutdown(self, timeout: float = 10.0) -> ShutdownReport:
        """Tell every actor to exit, cancel their tasks, and wait until all have ended.

        Args:
            timeout: seconds of loop time to wait at most.

        Returns:
            What had not ended by then; it is logged as an error too.
        """
        return await asyncio.shield(self.begin_shutdown(timeout))

    def begin_shutdown(self, timeout: float = 10.0) -> asyncio.Task[ShutdownReport]:
        """Start the shutdown; calling it again gives the same task."""
        return self.termination.begin(timeout)

    async def wait_closed(self) -> None:
        """Wait until the engine has been shut down, by whomever."""
        await self.termination.wait()

    @property
    def stopping(self) -> bool:
        """Whether a shutdown has begun."""
        return self.termination.begun


def _cell_of(parent: ActorAddress) -> Cell:
    if not isinstance(parent, LocalAddress):
        raise ActorSystemException(f"{parent} is not an actor of this engine and cannot be a parent")
    return parent._cell


def _own_capabilities(loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    add_reader = getattr(type(loop), "add_reader", None)
    reads_files = add_reader not in (None, asyncio.AbstractEventLoop.add_reader)
    return {
        "Python Version": tuple(sys.version_info),
        "Thespian Generation": ThespianGeneration,
        "Thespian Version": "1",
        "Thespian ActorSystem Name": "asyncio",
        "Thespian ActorSystem Version": 1,
        "Thespian Watch Supported": reads_files,
        "AllowRemoteActorSources": "No",
    }
