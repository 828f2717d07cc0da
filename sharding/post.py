"""How actors of one node reach those of another."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from sharding.store.records import Member

_log = logging.getLogger(__name__)


class Unreachable(Exception):
    """The message was not sent: its receiver is no member, or cannot be reached now."""


class Post(Protocol):
    """Sends protocol messages to members, this one included.

    Attributes:
        me: this node's incarnation; 0 while it is no member.
    """

    me: int

    def send(self, incarnation: int, message: Any) -> int:
        """Send; returns a number that grows with each message to the same member over a link, 0 to this node itself.

        Raises:
            Unreachable: it was not sent.
        """

    def to_coordinator(self, message: Any) -> None:
        """Send to whoever coordinates now; dropped when nobody does, for the next one asks everybody."""

    def knows(self, incarnation: int) -> bool:
        """Whether it is a member, as far as is known here."""

    def learn(self, members: dict[int, Member]) -> None:
        """The coordinator has read who is there, by incarnation."""

    def is_open(self, incarnation: int) -> bool:
        """Whether a connection to the member stands."""


def try_to_send(post: Post, incarnation: int, message: Any) -> bool:
    """Send what nobody waits for, or what is told again; whether it was sent. Links tell who is out of reach."""
    try:
        post.send(incarnation, message)
    except Unreachable as error:
        _log.debug("%s was not sent to member %d: %s", type(message).__name__, incarnation, error)
        return False
    return True
