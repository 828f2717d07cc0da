"""What nodes of a cluster say to each other, top-down. Numbers are the wire's: never reuse one.

A node is named by its incarnation, a shard by its type's name and its number. Whoever gets an order of an older term,
or news of an older epoch, than it knows drops it.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

Home: TypeAlias = tuple[int, int, int]  # shard, owner, epoch

# --- the coordinator and the nodes


class Leads(NamedTuple):
    """From a new coordinator to every member: this term is mine; tell me what you route."""

    term: int
    coordinator: int


class Resigned(NamedTuple):
    """From a coordinator that leaves to every member: nobody holds the term; whoever may, take the next."""

    term: int


class Members(NamedTuple):
    """From the coordinator to every member, before `Homes` that name somebody new: who is there, and where.

    Each as node, incarnation, host, port, weight, state.
    """

    term: int
    members: tuple[tuple[str, int, str, int, float, str], ...]


class Register(NamedTuple):
    """From a region to the coordinator: I route this type; the store says whether I host it. Answered by `Homes`."""

    incarnation: int
    name: str


class Homes(NamedTuple):
    """From the coordinator to regions: these shards have these owners, which is committed.

    An owner that finds itself takes the shard under that epoch; one that finds itself replaced stops it; everybody else
    sends there from now on.

    Attributes:
        all_told: with this, the receiver has been told of all shards: `Register` is answered.
    """

    term: int
    name: str
    homes: tuple[Home, ...]
    all_told: bool = False


class HandOff(NamedTuple):
    """From the coordinator to an owner: take no more commands for these shards, finish, stop them, answer `HandedOff`.

    What comes meanwhile waits at the owner, which sends it on when `Homes` names the next one.
    """

    term: int
    name: str
    shards: tuple[int, ...]


class HandedOff(NamedTuple):
    """From an owner to the coordinator: the shard is stopped, all its commits are done. `epoch` is the one it had."""

    name: str
    shard: int
    epoch: int


class EpochStale(NamedTuple):
    """From an owner to the coordinator: the journal refused `epoch` because of `current`: allocate a newer one."""

    name: str
    shard: int
    epoch: int
    current: int


class Leaving(NamedTuple):
    """From a member that is leaving (the store says so) to the coordinator: move my shards, then say `MayLeave`."""

    incarnation: int


class MayLeave(NamedTuple):
    """From the coordinator to a leaving member: nothing of yours is left that could be moved."""

    term: int


class Parting(NamedTuple):
    """From a member whose shards are handed off to every other: send me nothing more, and tell me when you do not."""

    incarnation: int


class Farewell(NamedTuple):
    """To a parting member, behind all that was sent to it: nothing more will come."""

    incarnation: int


# --- regions among each other


class Request(NamedTuple):
    """From a region to the owner of a shard: `payload` is for the entity `key`; answer the region of `origin`.

    Attributes:
        origin: who asked.
        ask: the number of the ask at its origin; 0 when no answer is wanted.
        epoch: the newest epoch of the shard that the sender knows.
        hops: how often it was sent on because the owner had changed.
    """

    origin: int
    ask: int
    name: str
    shard: int
    epoch: int
    key: str
    payload: bytes
    hops: int = 0


class Reply(NamedTuple):
    """From an owner to the origin of a request: the answer."""

    ask: int
    payload: bytes


class Failed(NamedTuple):
    """From whoever had a request last to its origin: there will be no answer.

    Attributes:
        kind: `UNDELIVERED` (nothing happened), `UNANSWERED` (it may have) or `RAISED` (the actor's code failed twice).
    """

    ask: int
    kind: int
    text: str


class Moved(NamedTuple):
    """From a former owner to the origin of a request: I sent it on to `owner`, who has the shard under `epoch`."""

    ask: int
    name: str
    shard: int
    owner: int
    epoch: int


class Flush(NamedTuple):
    """From a region that learnt of a new owner, by way of the former one: has all that I sent before arrived?

    It travels behind the requests, and the new owner answers `Flushed`. Only then does the region send there directly,
    so that no command overtakes an earlier one of the same sender.
    """

    origin: int
    marker: int
    name: str
    shard: int
    epoch: int
    hops: int = 0


class Flushed(NamedTuple):
    """From the new owner to the region that sent `Flush`: yes."""

    name: str
    marker: int


UNDELIVERED: Final = 1
UNANSWERED: Final = 2
RAISED: Final = 3

MESSAGES: Final[dict[int, type]] = {
    1: Leads,
    2: Resigned,
    3: Register,
    4: Homes,
    5: HandOff,
    6: HandedOff,
    7: EpochStale,
    8: Leaving,
    9: MayLeave,
    10: Members,
    11: Parting,
    12: Farewell,
    16: Request,
    17: Reply,
    18: Failed,
    19: Moved,
    20: Flush,
    21: Flushed,
}
