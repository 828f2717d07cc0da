"""Addresses: what a message can be sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from thespian.actors import ActorAddress

if TYPE_CHECKING:
    from sharding.actors.cell import Cell
    from sharding.actors.engine import Engine

__all__ = ["Address", "LocalAddress", "Nobody"]


class Address(ActorAddress):
    """An address that knows how to take a message; every address the engine hands out is one.

    Subclass it to bring another kind of target, such as an actor on another node. `deliver` is called on the loop of
    `home`, or from any thread when `home` is None.
    """

    __slots__ = ()

    @property
    def home(self) -> Engine | None:
        """The engine on whose loop `deliver` must be called; None when any thread may call it."""
        return None

    @property
    def name(self) -> str:
        """What logs call it."""
        raise NotImplementedError

    def deliver(self, message: Any, sender: ActorAddress) -> None:
        """Take `message`; whoever answers it sends to `sender`. Never raises for a target that is gone."""
        raise NotImplementedError

    # What follows is Thespian's view of an address. Its own constructor, which would give each address a dict, is
    # deliberately not called.
    def __init__(self) -> None:
        pass

    @property
    def _aaddr(self) -> str:
        return self.name

    @property
    def addressDetails(self) -> str:  # noqa: N802 - Thespian's name
        """The name, as Thespian's tools ask for it."""
        return self.name

    @property
    def actorAddressString(self) -> str:  # noqa: N802 - Thespian's name
        """The name, as Thespian's tools ask for it."""
        return self.name

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:  # type: ignore[override]  # Thespian's own addresses are not hashable
        return object.__hash__(self)

    # An address is an identity: a copied message still names the same actor.
    def __copy__(self) -> Address:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Address:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self.name} is an address within this process; it cannot be stored or sent as bytes")


class LocalAddress(Address):
    """An actor of an engine in this process; delivering is a step to its cell and an append to its mailbox."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    @property
    def home(self) -> Engine:
        """The engine the actor lives in."""
        return self._cell.engine

    @property
    def name(self) -> str:
        """The actor's class and its number within the engine."""
        return self._cell.name

    @property
    def alive(self) -> bool:
        """Whether a message sent now would reach the actor."""
        return self._cell.instance is not None

    def deliver(self, message: Any, sender: ActorAddress) -> None:
        """Append to the actor's mailbox, or to the dead letters when it is gone or full."""
        self._cell.accept(message, sender)

    # A number, not the place in memory: sets of addresses have the same order in every run.
    def __hash__(self) -> int:  # type: ignore[override]
        return self._cell.serial


class Nobody(Address):
    """The sender of messages that need no answer; what is sent to it is dropped."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """As logs call it."""
        return "nobody"

    def deliver(self, message: Any, sender: ActorAddress) -> None:
        """Drop the message."""
