"""Actors that many tests use."""

from __future__ import annotations

from typing import Any

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ActorSystemMessage, ChildActorExited

from sharding.actors import Address, AsyncActor, Outcome


class Echo(Actor):
    """Sends everything back."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if not isinstance(message, ActorSystemMessage):
            self.send(sender, message)  # type: ignore[no-untyped-call]  # Thespian has no annotations


class Recorder(AsyncActor):
    """Keeps what it gets in a list the test holds too."""

    def __init__(self, seen: list[Any]) -> None:
        super().__init__()
        self.seen = seen

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        self.seen.append(message)


class Silent(Actor):
    """Answers nothing and keeps nothing."""

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        pass


class Keeper(AsyncActor):
    """Keeps every sender, to answer them all when it is told "answer"; refers to itself, as a cycle."""

    def __init__(self) -> None:
        super().__init__()
        self.senders: list[ActorAddress] = []
        self.myself = self

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if message == "answer":
            while self.senders:
                self.send(self.senders.pop(), "answered")
        elif not isinstance(message, ActorSystemMessage):
            self.senders.append(sender)


class Clumsy(AsyncActor):
    """Raises so many times at each "stumble", then answers."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.tried = 0

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if message == "stumble":
            self.tried += 1
            if self.tried <= self.times:
                raise ValueError(f"stumbled the {self.tried}. time")
        if not isinstance(message, ActorSystemMessage):
            self.send(sender, message)


class Parent(AsyncActor):
    """Makes children as it is told, and tells whoever holds `lost` which exited."""

    def __init__(self, lost: list[ActorAddress]) -> None:
        super().__init__()
        self.lost = lost

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if isinstance(message, ChildActorExited):
            self.lost.append(message.childAddress)
        elif isinstance(message, ActorExitRequest):
            pass
        elif callable(message):
            self.send(sender, self.create_child(message))


class Waiter(AsyncActor):
    """Runs the coroutine functions it is sent, and records how they ended."""

    def __init__(self, ended: list[Any] | None = None) -> None:
        super().__init__()
        self.ended = [] if ended is None else ended

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
        if message == "tasks":
            self.send(sender, self.running_tasks)
        elif isinstance(message, Outcome):
            self.ended.append(message)
        elif callable(message):
            self.pipe_to_self(message())


async def child_of(engine: Any, parent: Address, source: Any) -> Address:
    """Have a `Parent` make a child."""
    child = await engine.ask(parent, source)
    assert isinstance(child, Address)
    return child
