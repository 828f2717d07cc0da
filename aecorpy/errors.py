"""What a caller can be told, as types.

*No*: a `Rejection` (a business rule said so), `CommandFailed`, `ImpossibleEvent`, `BadPayload`, `Fenced`.
*Not now*: `Unavailable` and its kinds `Overloaded`, `NodeStopping`, `ShardMoved` (nothing happened; try again).
*Unknown*: `OutcomeUnknown` and its kind `DeadlinePassed` (it may have happened; look before you repeat).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from journal.errors import (
    BadPayload,
    Conflict,
    CorruptRecord,
    Fenced,
    InvalidName,
    JournalError,
    OutcomeUnknown,
    Overloaded,
    SchemaMismatch,
    Unavailable,
    WrongShardCount,
)
from sharding.links import UnsafeSetting
from sharding.store import (
    ClusterStoreError,
    DeploymentMismatch,
    NodeNameTaken,
    StoreOutcomeUnknown,
    StoreUnavailable,
)

__all__ = [
    "AecorError",
    "BadPayload",
    "ClusterStoreError",
    "CommandFailed",
    "Conflict",
    "CorruptRecord",
    "DeadlinePassed",
    "DeploymentMismatch",
    "Fenced",
    "ImpossibleEvent",
    "InvalidDefinition",
    "InvalidName",
    "JournalError",
    "NodeNameTaken",
    "NodeStopping",
    "OutcomeUnknown",
    "Overloaded",
    "RecoveryFailed",
    "Rejection",
    "SchemaMismatch",
    "ShardMoved",
    "Unavailable",
    "UnsafeSetting",
    "WrongShardCount",
    "text_of",
    "told_as_ours",
]


LONGEST_TEXT = 10_000
LONGEST_VALUE = 2_000


class Rejection(Exception):
    """A business "no", typed, returned to the caller as such; not a failure. Subclass it per reason.

    A rejection with fields is a dataclass: `@dataclass(eq=False) class TooManySeats(Rejection): asked: int`.
    Two rejections are equal when type and fields are.
    """

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or vars(other) != vars(self):
            return False
        # `args` are what the constructor was called with by position, so fields given by name are not among them.
        return bool(vars(self)) or other.args == self.args

    def __hash__(self) -> int:
        return hash((type(self), tuple(vars(self)) or self.args))

    def __str__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({fields})" if fields else super().__str__() or type(self).__name__


class AecorError(Exception):
    """Root of the errors of this package that are not the journal's."""


class InvalidDefinition(AecorError, TypeError):
    """An entity or projection is defined in a way that cannot work; found when it is deployed, says what to change."""


class CommandFailed(AecorError):
    """A command raised something that is not a `Rejection`. Nothing of it was kept; the entity goes on."""

    def __init__(self, entity: str, key: str, command: str, cause: str) -> None:
        super().__init__(f"{entity} {key!r}: command {command!r} failed: {cause}")
        self.entity, self.key, self.command, self.cause = entity, key, command, cause


class ImpossibleEvent(AecorError):
    """A fold said that an event cannot follow a state."""

    def __init__(self, event: object, state: object, reason: str) -> None:
        first, then = repr_of(event, LONGEST_VALUE), repr_of(state, LONGEST_VALUE)
        super().__init__(f"event {first} cannot follow state {then}: {reason}")
        self.event, self.state, self.reason = event, state, reason


class RecoveryFailed(AecorError):
    """An entity's state could not be folded from its journal, so it takes no commands until code or data are mended."""

    def __init__(self, entity: str, key: str, seq_nr: int, cause: str) -> None:
        super().__init__(f"{entity} {key!r} cannot be recovered: its event {seq_nr}: {cause}")
        self.entity, self.key, self.seq_nr, self.cause = entity, key, seq_nr, cause


class NodeStopping(Unavailable):
    """The node is leaving, or has left. Nothing happened."""


class ShardMoved(Unavailable):
    """The entity's shard has, or is getting, another owner. Nothing of the command was kept; try again."""


class DeadlinePassed(OutcomeUnknown):
    """No answer came within the caller's deadline. The command may have been done, or may still be."""

    def __init__(self, entity: str, key: str, command: str, seconds: float) -> None:
        super().__init__(f"{entity} {key!r}: no answer to {command!r} within {seconds:g} s: it may have happened")
        self.entity, self.key, self.command, self.seconds = entity, key, command, seconds


def text_of(error: BaseException) -> str:
    """An error's class and text, for logs and notes; also of one whose `__str__` raises, and not without end."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - a user's class: that it has no text must not hide that it was raised
        text = type(error).__name__
    return tellable(text)


def repr_of(value: object, longest: int = LONGEST_TEXT) -> str:
    """What `repr` says of a value, for errors; also of one whose `__repr__` raises, and not without end."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a user's class, as above
        text = f"<{type(value).__name__}>"
    return tellable(text, longest)


def tellable(text: str, longest: int = LONGEST_TEXT) -> str:
    """`text` as it can be sent and stored: not without end, and what is not valid Unicode escaped."""
    shortened = text if len(text) <= longest else f"{text[:longest]}…"
    return shortened if shortened.isascii() else shortened.encode("utf-8", "backslashreplace").decode()


@contextmanager
def told_as_ours() -> Iterator[None]:
    """Let the cluster store's "not now" and "unknown" be the journal's: a user has one database."""
    try:
        yield
    except StoreUnavailable as error:
        raise Unavailable(str(error)) from error
    except StoreOutcomeUnknown as error:
        raise OutcomeUnknown(str(error)) from error
