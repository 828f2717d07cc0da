"""Which notes every store accepts."""

from __future__ import annotations

from collections.abc import Sequence

from journal.errors import BadPayload
from journal.records import NewNote, checked_key

MAX_NOTE_BYTES = 1024 * 1024
_EPOCH_LIMIT = 2**63


def checked_notes(notes: Sequence[NewNote]) -> list[NewNote]:
    """Return `notes`, in the form in which they will be read back, if every store can keep all of them.

    Raises:
        InvalidName: a kind or a name cannot be one.
        BadPayload: a payload or an epoch cannot be kept, or two notes have one kind and name.
    """
    checked = [_checked_note(note) for note in notes]
    if len({(note.kind, note.name) for note in checked}) != len(checked):
        raise BadPayload("two of the notes have the same kind and name")
    return checked


def _checked_note(note: NewNote) -> NewNote:
    place = f"note {checked_kind(note.kind)!r}, {checked_note_name(note.name)!r}"
    if not isinstance(note.payload, bytes | bytearray | memoryview):
        raise BadPayload(f"{place}: its payload is a {type(note.payload).__name__}, not bytes")
    payload = bytes(note.payload)
    if len(payload) > MAX_NOTE_BYTES:
        raise BadPayload(f"{place}: its payload has {len(payload)} bytes, at most {MAX_NOTE_BYTES} are kept")
    if not isinstance(note.epoch, int) or not 0 <= note.epoch < _EPOCH_LIMIT:
        raise BadPayload(f"{place}: its epoch is {note.epoch!r}, not 0 to 2**63 - 1")
    return note._replace(payload=payload)


def checked_kind(kind: str) -> str:
    """Return `kind` if it can be a note's.

    Raises:
        InvalidName: it cannot.
    """
    return checked_key(kind, "a note's kind")


def checked_note_name(name: str) -> str:
    """Return `name` if it can be a note's.

    Raises:
        InvalidName: it cannot.
    """
    return checked_key(name, "a note's name")


def checked_prefix(prefix: str) -> str:
    """Return `prefix` if a note's name can begin with it; every name begins with "".

    Raises:
        InvalidName: none can.
    """
    return prefix if prefix == "" else checked_note_name(prefix)
