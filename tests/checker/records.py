"""What happened, as plain values: a history is a list of these. Times are seconds on one clock.

A *node* here is one life of a process: what is started again has another name. `command` is a command's id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

Value: TypeAlias = "int | str | None"

ANSWERED: Final = "answered"
REJECTED: Final = "rejected"  # a business "no"
REFUSED: Final = "refused"  # not now: nothing happened
UNKNOWN: Final = "unknown"  # it may have happened, or may yet
OUTCOMES: Final = (ANSWERED, REJECTED, REFUSED, UNKNOWN)

READ: Final = "read"  # the `op` of a command that appends nothing


@dataclass(frozen=True, slots=True)
class Sent:
    """A command goes to the entity `key`.

    Attributes:
        sender, number: who sent it, and the place among all that this one sent.
        op: what it does to the entity; see `tests.checker.models`.
        events: how many it appends when it is carried out.
        fresh: a read that must not be stale, whatever it says of its epoch.
    """

    at: float
    command: str
    sender: str
    number: int
    key: str
    op: str = "append"
    events: int = 1
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """Its sender was told what became of it.

    Attributes:
        value: the entity's value that the answer gave away, behind the command's own events; None when it did not.
        epoch: under which the entity answered a read; None when it did not say.
        why: the error's words.
    """

    at: float
    command: str
    outcome: str
    value: Value = None
    epoch: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """An event that is in the journal at the end.

    Attributes:
        at: when it was committed.
        writer: the node that appended it; empty when that is not known.
        op, arg: what it does to the entity's value.
    """

    at: float
    journal: str
    shard: int
    offset: int
    key: str
    seq_nr: int
    epoch: int
    command: str
    writer: str = ""
    op: str = "append"
    arg: Value = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """The store was told that `epoch` is the one for shard `number` of `what`, a journal or a consumer."""

    at: float
    what: str
    number: int
    epoch: int
    node: str


@dataclass(frozen=True, slots=True)
class Started:
    """An instance began on a node, by the node's own record. `kind`: `shard`, `process` or `projection`."""

    at: float
    kind: str
    name: str
    number: int
    node: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The instance ended there."""

    at: float
    kind: str
    name: str
    number: int
    node: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Leased:
    """The store gave the node a lease that ends at `until`."""

    at: float
    node: str
    until: float


@dataclass(frozen=True, slots=True)
class Crashed:
    """The node's process is dead."""

    at: float
    node: str


@dataclass(frozen=True, slots=True)
class Paused:
    """The node's process stands still: SIGSTOP, a long garbage collection."""

    at: float
    node: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """It goes on."""

    at: float
    node: str


@dataclass(frozen=True, slots=True)
class Buried:
    """The store was told that there is evidence that the node's process is dead, before its lease was over."""

    at: float
    node: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A consumer's offset on a shard was moved by a node, and committed."""

    at: float
    consumer: str
    shard: int
    before: int
    after: int
    epoch: int
    node: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A consumer outside the database was given an event."""

    at: float
    consumer: str
    shard: int
    offset: int
    key: str
    seq_nr: int
    node: str


@dataclass(frozen=True, slots=True)
class Row:
    """What a view, or a sink, has of an entity at the end: it has taken in `count` events, which lead to `value`."""

    at: float
    consumer: str
    key: str
    count: int
    value: Value


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The consumer had all the time it wants: from now on it has taken in all that is in the journal."""

    at: float
    consumer: str


@dataclass(frozen=True, slots=True)
class Effect:
    """A process did something that may happen once: `id` names it, such as a timer."""

    at: float
    name: str
    number: int
    node: str
    epoch: int
    id: str


@dataclass(frozen=True, slots=True)
class State:
    """An entity's value as of `seq_nr`, by a `source`: a snapshot, a recovery, an entity in memory."""

    at: float
    source: str
    key: str
    seq_nr: int
    value: Value


@dataclass(frozen=True, slots=True)
class Calm:
    """Nothing goes wrong in this history: every command sent from here on has to be answered."""

    at: float


@dataclass(frozen=True, slots=True)
class Healed:
    """Everything was repaired; the cluster has to be `Settled` within so many seconds."""

    at: float
    within: float


@dataclass(frozen=True, slots=True)
class Settled:
    """Every shard answers on each of these nodes, and nothing is being moved."""

    at: float
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leftover:
    """A task, descriptor or process that outlived its node's end."""

    at: float
    node: str
    what: str


Record: TypeAlias = (
    Sent
    | Told
    | Event
    | Claimed
    | Started
    | Stopped
    | Leased
    | Crashed
    | Paused
    | Resumed
    | Buried
    | Moved
    | Shown
    | Row
    | CaughtUp
    | Effect
    | State
    | Calm
    | Healed
    | Settled
    | Leftover
)
