"""What goes over a wire: frames of msgpack, and the registry of the message types they may hold."""

from sharding.wire.errors import BadFrame, UnencodableMessage, UnfitMessageType, WireError
from sharding.wire.registry import MAX_FRAME, Registry
from sharding.wire.splitter import Splitter, framed, unframed

__all__ = [
    "MAX_FRAME",
    "BadFrame",
    "Registry",
    "Splitter",
    "UnencodableMessage",
    "UnfitMessageType",
    "WireError",
    "framed",
    "unframed",
]
