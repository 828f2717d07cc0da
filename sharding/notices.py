"""What a node, its membership and its coordinator tell each other. None of this leaves the process.

The node hears of links, the membership of the store, the coordinator of whatever concerns the term.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sharding.protocol import Leads, Members, Resigned
from sharding.store.records import Picture

# --- to the membership


class News(NamedTuple):
    """From the node: what another member said of members and terms."""

    message: Leads | Resigned | Members


class Deposed(NamedTuple):
    """From the coordinator of the term: it has ended; `isolated` when it gave up because it reaches too few."""

    term: int
    isolated: bool = False


class Leave:
    """From the node: say in the store that it is leaving, and give up the term if it is held."""


class LookAgain:
    """From the node: somebody talks to us of whom we have not heard; see who is there."""


class Left:
    """From the node: everything is stopped; renew no more."""


# --- to both


class PeerDead(NamedTuple):
    """From the node: the process of the member does not exist any more."""

    incarnation: int


# --- to the coordinator


class From(NamedTuple):
    """From the node: what the member `incarnation` said."""

    incarnation: int
    message: Any


class PictureSeen(NamedTuple):
    """From the node: what its renewal found in the store."""

    picture: Picture


class PeerOpened(NamedTuple):
    """From the node: a connection to the member stands."""

    incarnation: int
