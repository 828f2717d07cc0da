"""What reads bytes or text of others, each as one function: what may come of it is a value or its own typed error."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.fuzz import node_targets, stored_targets, text_targets, wire_targets


class Target(NamedTuple):
    """One reader.

    Attributes:
        take: reads an input; True if it was accepted, False if it was refused by the reader's own typed error. Whatever
            else it raises is a finding.
        samples: valid inputs.
        packed_from: where the msgpack in them begins; None if they are no msgpack.
    """

    take: Callable[[bytes], bool]
    samples: tuple[bytes, ...]
    packed_from: int | None = None


TARGETS: dict[str, Target] = {
    "frames": Target(wire_targets.frames, wire_targets.STREAMS),
    "messages": Target(wire_targets.messages, wire_targets.BODIES, 0),
    "acceptor": Target(wire_targets.acceptor, wire_targets.HELLOS),
    "dialler": Target(wire_targets.dialler, wire_targets.ANSWERS),
    "connection": Target(wire_targets.connection, wire_targets.CONVERSATIONS),
    "events": Target(stored_targets.events, stored_targets.EVENTS, 2),
    "snapshots": Target(stored_targets.snapshots, stored_targets.SNAPSHOTS, 0),
    "values": Target(stored_targets.values, stored_targets.VALUES, 1),
    "metadata": Target(stored_targets.metadata, stored_targets.METADATA, 0),
    "commands": Target(node_targets.commands, node_targets.COMMANDS, 0),
    "replies": Target(node_targets.replies, node_targets.REPLIES, 0),
    "plain messages": Target(node_targets.plain_messages, node_targets.PLAIN_MESSAGES, 0),
    "names": Target(text_targets.names, text_targets.NAMES),
    "urls": Target(text_targets.urls, text_targets.URLS),
    "addresses": Target(text_targets.addresses, text_targets.ADDRESSES),
}
