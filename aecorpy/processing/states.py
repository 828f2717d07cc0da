"""What is known of processes: their states, and what management wants of them, as notes in the journal's database."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Final, TypeVar

import msgpack

from aecorpy.errors import AecorError
from journal.records import NewNote, Note

RUNNING: Final = "running"
WAITING: Final = "waiting"
PAUSED: Final = "paused"
STOPPING: Final = "stopping"
STUCK: Final = "stuck"
GONE: Final = "gone"

DEPLOYMENT, CONTROL, PROCESS = "deployment", "control", "process"
LONGEST_ERROR = 2_000

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process as its node said last.

    Args:
        deployment, number, name: which process.
        node, incarnation, epoch: where it runs, and under which claim.
        state: `running`; `waiting` for its next try after it ended or failed; `paused`; `stopping`; `stuck`, when it
            goes on although it was cancelled; `gone` from that node.
        seconds: for how long it had been so when this was said.
        restarts: how often it was started again on this node since its epoch began.
        error: what it failed with last, if it ever did.
        tags: the streams it projects, if it is a projection's.
        details: what it says of itself, such as events handled.
        revision: that of the newest wish of management it had heard of.
        said_at: when this was written, by the store's clock; None before it is.
    """

    deployment: str
    number: int
    name: str
    node: str
    incarnation: int
    epoch: int
    state: str
    seconds: float = 0.0
    restarts: int = 0
    error: str | None = None
    tags: tuple[str, ...] = ()
    details: Mapping[str, Any] | None = None
    revision: int = 0
    said_at: datetime | None = None

    def note(self) -> NewNote:
        """How it is stored."""
        document = {name: value for name, value in asdict(self).items() if name != "said_at"}
        document["error"] = None if self.error is None else self.error[:LONGEST_ERROR]
        return NewNote(PROCESS, process_key(self.deployment, self.number), _packed(document), self.epoch)


@dataclass(frozen=True, slots=True)
class Control:
    """What management wants of a deployment, or of one of its processes.

    Args:
        paused: it should not run.
        revision: raised with every change, so that an older wish is told from a newer one.
        anew: raised whenever a running process should start anew, because its offsets were moved.
        by, why: who said so last, and the reason.
    """

    paused: bool = False
    revision: int = 0
    anew: int = 0
    by: str = ""
    why: str = ""

    def note(self, name: str) -> NewNote:
        """How it is stored, for the deployment or process `name`."""
        return NewNote(CONTROL, name, _packed(asdict(self)))


@dataclass(frozen=True, slots=True)
class Registration:
    """What a program said of a deployment when it started it.

    Args:
        name: the deployment's.
        kind: `process`, `projection` or `process manager`.
        processes: the names of its processes, by number.
        journal: the name of the journal it follows, if any.
        shards: how many shards, and so tags, that has.
        tables: the view's tables.
        idempotent: whether events may be handled again without harm.
    """

    name: str
    kind: str
    processes: tuple[str, ...]
    journal: str | None = None
    shards: int = 0
    tables: tuple[str, ...] = ()
    idempotent: bool = False

    def note(self) -> NewNote:
        """How it is stored."""
        return NewNote(DEPLOYMENT, self.name, _packed(asdict(self)))


class UnreadableNote(AecorError):
    """A note in the database is not what this version writes."""


def process_key(deployment: str, number: int) -> str:
    """The name under which one process is noted."""
    return f"{deployment}/{number}"


def is_about(deployment: str, note: Note) -> bool:
    """Whether a note is a deployment's or one of its processes', and not of another whose name only begins so."""
    return note.name.partition("/")[0] == deployment


def state_of(note: Note) -> ProcessState:
    """The state stored as `note`.

    Raises:
        UnreadableNote: it is none.
    """
    return replace(_read(ProcessState, note), said_at=note.written_at)


def registration_of(note: Note) -> Registration:
    """The registration stored as `note`.

    Raises:
        UnreadableNote: it is none.
    """
    return _read(Registration, note)


def control_of(note: Note | None) -> Control:
    """The control stored as `note`; without one, nothing is wanted.

    Raises:
        UnreadableNote: it is none.
    """
    return Control() if note is None else _read(Control, note)


def controls(deployment: str, count: int, notes: Iterable[Note]) -> list[Control]:
    """What is wanted of each process of a deployment, from all notes about it and them; there may be others, too."""
    by_name = {note.name: control_of(note) for note in notes if is_about(deployment, note)}
    whole = by_name.get(deployment, Control())
    return [_both(whole, by_name.get(process_key(deployment, number))) for number in range(count)]


def _both(whole: Control, one: Control | None) -> Control:
    if one is None:
        return whole
    said = one if one.paused or not whole.paused else whole
    return Control(whole.paused or one.paused, whole.revision + one.revision, whole.anew + one.anew, said.by, said.why)


def _packed(document: Mapping[str, Any]) -> bytes:
    packed: bytes = msgpack.packb(document, unicode_errors="backslashreplace")
    return packed


def _read(kind: type[T], note: Note) -> T:
    try:
        document = msgpack.unpackb(note.payload, use_list=False)
        known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
        return kind(**{name: value for name, value in document.items() if name in known})
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise UnreadableNote(f"note {note.kind} {note.name!r} cannot be read: {error}") from error
