"""One actor as the engine sees it: its mailbox, its turns, its children, its end."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from thespian.actors import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    ActorSystemMessage,
    ChildActorExited,
    PoisonMessage,
    ThespianWatch,
)
from thespian.system.messages.status import Thespian_StatusReq

from sharding.actors.address import LocalAddress
from sharding.actors.ask import ReplyAddress
from sharding.actors.errors import DiedUnanswered, MailboxFull
from sharding.actors.ref import ActorRef
from sharding.actors.status import actor_status
from sharding.actors.waits import Waits

if TYPE_CHECKING:
    from sharding.actors.engine import Engine

__all__ = ["Cell"]

_log = logging.getLogger("sharding.actors")

_NO_LIMIT: Final = sys.maxsize

# A handler that lets a cancelled future's error out has failed like any other.
_FAILURES: Final = (Exception, asyncio.CancelledError)


class Cell(ActorRef):
    """The engine's side of an actor.

    States: *alive* (`instance` is set), *exiting* (no instance, children left: waits for them), *gone* (neither).
    Alive → exiting → gone, or alive → gone; nothing comes back. A cell is in the run queue exactly while it has a
    mailbox.

    Attributes:
        serial: number within the engine, also the order of creation.
        instance: the user's actor; None once it exits.
        mailbox: waiting (message, sender) pairs; None while there are none.
    """

    __slots__ = (
        "address",
        "asks",
        "children",
        "engine",
        "global_name",
        "instance",
        "kind",
        "limit",
        "mailbox",
        "parent",
        "serial",
        "waits",
    )

    def __init__(self, engine: Engine, parent: Cell | None, kind: str, serial: int) -> None:
        self.engine = engine
        self.parent = parent
        self.kind = kind
        self.serial = serial
        self.address = LocalAddress(self)
        self.instance: Actor | None = None
        self.mailbox: deque[tuple[Any, ActorAddress]] | None = None
        self.limit = _NO_LIMIT
        self.children: dict[Cell, None] | None = None
        self.asks: dict[asyncio.Future[Any], None] | None = None
        self.waits: Waits | None = None
        self.global_name: str | None = None

    @property
    def name(self) -> str:
        """Class and number, for logs and errors."""
        return f"{self.kind}:{self.serial}"

    def start(self, instance: Actor) -> None:
        """Give the cell its actor; from now on it takes messages."""
        self.kind = type(instance).__name__
        instance._myRef = self  # type: ignore[attr-defined]
        self.limit = getattr(instance, "mailbox_limit", None) or _NO_LIMIT
        self.instance = instance

    # ---- messages

    def accept(self, message: Any, sender: ActorAddress) -> None:
        """Queue a message, or make it a dead letter when the actor is gone or its mailbox full."""
        box = self.mailbox
        if box is None:
            if self.instance is None:
                self.engine.dead_letters.add(self.address, message, sender)
                return
            box = self.mailbox = self.engine.run_queue.enlist(self)
        elif len(box) >= self.limit and not isinstance(message, ActorSystemMessage):
            self._refuse(message, sender)
            return
        if sender.__class__ is ReplyAddress:
            sender.track(self)
        box.append((message, sender))

    def accept_own(self, message: Any) -> None:
        """Queue what the actor itself waited for: no limit refuses it."""
        if self.instance is not None:
            if self.mailbox is None:
                self.mailbox = self.engine.run_queue.enlist(self)
            self.mailbox.append((message, self.address))

    def _refuse(self, message: Any, sender: ActorAddress) -> None:
        error = MailboxFull(f"{self.name} has {self.limit} messages waiting, its limit", self.address)
        self.engine.dead_letters.add(self.address, message, sender, error)

    def remember_ask(self, future: asyncio.Future[Any]) -> None:
        """The actor has a message that `future` waits for."""
        if self.asks is None:
            self.asks = {}
        self.asks[future] = None

    def forget_ask(self, future: asyncio.Future[Any]) -> None:
        """Answered, failed or passed on."""
        asks = self.asks
        if asks is not None:
            asks.pop(future, None)
            if not asks:
                self.asks = None

    # ---- turns

    def run(self, most: int) -> int:
        """Handle up to `most` messages.

        Returns:
            How many were handled.
        """
        done = 0
        while self.mailbox and done < most:
            message, sender = self.mailbox.popleft()
            done += 1
            if isinstance(message, ActorSystemMessage):
                self._system_turn(message, sender)
            else:
                self._turn(message, sender)
        return done

    def _turn(self, message: Any, sender: ActorAddress) -> None:
        try:
            result = self.instance.receiveMessage(message, sender)  # type: ignore[union-attr]
            if result is not None or (self.waits is not None and self.waits.watched):
                self._watch(result)
            return
        except _FAILURES:
            _log.warning("%s raised at %s, trying once more", self.name, type(message).__name__, exc_info=True)
        self._second_try(message, sender)

    def _second_try(self, message: Any, sender: ActorAddress) -> None:
        try:
            self._watch(self.instance.receiveMessage(message, sender))  # type: ignore[union-attr]
        except _FAILURES:
            self.engine.failures += 1
            _log.error("%s raised twice at %s", self.name, type(message).__name__, exc_info=True)
            # The exited child could not use it, and a poison message about a poison message would go round for ever.
            if not isinstance(message, (PoisonMessage, ChildActorExited)):
                self.engine.post(sender, PoisonMessage(message, traceback.format_exc()), self.address)

    def _system_turn(self, message: ActorSystemMessage, sender: ActorAddress) -> None:
        if isinstance(message, Thespian_StatusReq):
            self.engine.post(sender, actor_status(self), self.address)
        elif isinstance(message, ActorExitRequest):
            self._last_turn(message, sender)
        else:
            self._turn(message, sender)

    def _last_turn(self, message: ActorExitRequest, sender: ActorAddress) -> None:
        try:
            self._refuse_coroutine(self.instance.receiveMessage(message, sender))  # type: ignore[union-attr]
        except _FAILURES:
            self.engine.failures += 1
            _log.error("%s raised while it was told to exit; it exits", self.name, exc_info=True)
        finally:
            self.exit(recursive=message.isRecursive)

    # ---- waiting

    def own_waits(self) -> Waits:
        """What the actor waits for, made when first needed."""
        if self.waits is None:
            self.waits = Waits(self)
        return self.waits

    def _watch(self, result: Any) -> None:
        if isinstance(result, ThespianWatch):
            self.own_waits().watch(result.filenos)
            return
        if self.waits is not None and self.waits.watched:
            self.waits.watch(())
        if result is not None:
            self._refuse_coroutine(result)

    def _refuse_coroutine(self, result: Any) -> None:
        if asyncio.iscoroutine(result):
            result.close()
            self.engine.failures += 1
            _log.error("%s: receiveMessage returned a coroutine, which nobody runs: use pipe_to_self", self.name)

    # ---- the end

    def add_child(self, child: Cell) -> None:
        """Become the parent of a cell."""
        if self.children is None:
            self.children = {}
        self.children[child] = None

    def abandon(self) -> None:
        """The actor was never made: the parent hears that it is gone."""
        self._gone()

    def exit(self, *, recursive: bool) -> None:
        """End the actor: nothing is delivered to it any more; its children end before its parent hears of it."""
        if self.instance is None:
            return
        self.instance = None
        self._let_go()
        if recursive or self.engine.stopping:
            for child in list(self.children or ()):
                child.accept(ActorExitRequest(), self.address)
        else:
            self._hand_children_to(self.engine.root)
        if not self.children:
            self._gone()

    def _let_go(self) -> None:
        self.engine.departed(self)
        if self.mailbox:
            box, self.mailbox = self.mailbox, None
            for message, sender in box:
                self.engine.dead_letters.add(self.address, message, sender)
        if self.waits is not None:
            waits, self.waits = self.waits, None
            waits.end()
        for future in list(self.asks or ()):
            if not future.done():
                future.set_exception(DiedUnanswered(f"{self.name} exited without answering", self.address))
        self.asks = None

    def _hand_children_to(self, other: Cell) -> None:
        for child in self.children or ():
            child.parent = other
            other.add_child(child)
        self.children = None

    def _gone(self) -> None:
        cell: Cell = self
        while cell.parent is not None:
            parent, cell.parent = cell.parent, None
            parent._drop_child(cell)
            if parent.instance is not None:
                parent.accept(ChildActorExited(cell.address), self.engine.address)
            elif parent.children is None:
                # The parent waited for this one; a loop, because chains of parents can be thousands long.
                cell = parent
                continue
            return
        if cell is self.engine.root:
            self.engine.termination.root_emptied()

    def _drop_child(self, child: Cell) -> None:
        children = self.children
        if children is not None:
            children.pop(child, None)
            if not children:
                self.children = None
