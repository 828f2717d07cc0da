"""What a node, its membership, its coordinator and its regions tell each other. None of this leaves the process.

The node hears of links, the membership of the store, the coordinator of whatever concerns the term.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sharding.host import ShardHost
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


# --- to a region


class Joined(NamedTuple):
    """From the node: it is a member (again), under another incarnation; register."""


class Suspended(NamedTuple):
    """From the node: it is no member any more, or will not be at once. Stop all shards, and forget who has which."""


class Vacate(NamedTuple):
    """From the node, which is leaving: finish and stop the shards that nobody took."""


class Withdraw(NamedTuple):
    """From the node: the store says that it hosts the type no more; take no shard. Answered when that is understood."""


class DeployedAgain(NamedTuple):
    """From the node, on which no shard of the type lives: the store knows the type anew.

    Attributes:
        host: what opens shards from now on.
        shard_count: how many there are.
        hosts: whether they may be taken.
    """

    host: ShardHost
    shard_count: int
    hosts: bool


class Parts(NamedTuple):
    """From the node: the member is leaving and owns nothing more; send it nothing, and call `done`."""

    incarnation: int
    done: Callable[[], None]


class CoordinatorChanged(NamedTuple):
    """From the node: somebody else coordinates now; register there."""


THERE, LOST, GONE = range(3)


class PeerChanged(NamedTuple):
    """From the node, of another member.

    Attributes:
        what: `THERE`: it is new, or the connection to it stands. `LOST`: the connection ended, or could not be made.
            `GONE`: its process is dead, or it is no member any more; its routes are suspended already.
    """

    incarnation: int
    what: int
