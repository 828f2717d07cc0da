"""What the cluster sees of its links: whom they reach, what they tell, what goes wrong."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class Peer(NamedTuple):
    """A member that can be linked to: one incarnation, at one address."""

    node: str
    incarnation: int
    host: str
    port: int


class LinkError(Exception):
    """Root of the errors of links. What raises one was not sent."""


class LinkDown(LinkError):
    """The peer cannot be reached now; the message was not sent. The link goes on trying."""


class LinkFull(LinkError):
    """The peer does not take what waits for it; the message was not sent. Slow down and try again."""


class MessageTooLarge(LinkError):
    """The message is over the frame limit or cannot be packed; it was not sent, and no repetition helps."""


class Link(Protocol):
    """The way to one peer. What is sent arrives in order, each message at most once.

        DIALLING --handshake done--> OPEN --connection lost--> DIALLING
        DIALLING --no connection--> WAITING --pause over--> DIALLING
        any --dropped--> CLOSED

    Messages sent while DIALLING wait, within the bound, for the handshake. In WAITING and CLOSED there is no sending.
    """

    peer: Peer

    @property
    def is_open(self) -> bool:
        """Whether the handshake is done and the connection stands."""

    def send(self, message: Any) -> int:
        """Send a registered message; returns its serial: 1, 2, 3, … on this link, over all its connections.

        Raises:
            LinkDown: it is WAITING or CLOSED.
            LinkFull: too many bytes wait already.
            MessageTooLarge: the frame would be over the limit, or the message cannot be packed.
        """


class LinkListener(Protocol):
    """Who hears of links. Called on the loop, never from within `send`; must not raise, must not block."""

    def received(self, incarnation: int, message: Any) -> None:
        """The member `incarnation`, whose identity was proved, sent `message`."""

    def opened(self, link: Link) -> None:
        """The link's connection stands: at first, and again after each loss."""

    def lost(self, link: Link, first_unsent: int) -> None:
        """The connection ended, or could not be made. Serials from `first_unsent` on never left this process and never
        will; of those below, sent since the last loss, each may have arrived."""

    def unsent(self, link: Link, message: Any) -> None:
        """After `lost`, and in order: each message that waited, and so never left this process."""

    def unheard(self, incarnation: int) -> None:
        """The connection on which the member was heard is over: nothing that it sent on it will be told any more."""

    def dead(self, link: Link, reason: str) -> None:
        """The peer's process does not exist any more: at its address nobody listens, or another incarnation answered.

        Told after `lost`. The link goes on trying until it is dropped.
        """
