"""Typed values to bytes and back: events, snapshots, commands, replies.

`PayloadCodec` is for a closed set of types by name and version, with upcasters for what older programs wrote;
`ValueCodec` for one annotation; `ArgumentsCodec` and `reply_codec` for a function's arguments and reply. Bytes are
msgpack. What is supported, and how types may change over the years, is in docs/codec.md.

Whatever goes in, only subclasses of `journal.errors.BadPayload` come out.
"""

from journal.codec.errors import (
    BadArguments,
    BadUpcasters,
    MisfitPayload,
    MissingUpcaster,
    NameTaken,
    NestedTooDeep,
    NewerVersion,
    PayloadTooLarge,
    UnencodableValue,
    UnknownType,
    UnnamedType,
    UnreadablePayload,
    UnsupportedType,
    UpcastFailed,
)
from journal.codec.fields import variables_within
from journal.codec.naming import StoredAs, event, snapshot, stored_as
from journal.codec.packing import MAX_BYTES, MAX_DEPTH
from journal.codec.payloads import PayloadCodec
from journal.codec.upcasting import Upcaster, upcast
from journal.codec.values import ArgumentsCodec, ValueCodec, reply_codec

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "ArgumentsCodec",
    "BadArguments",
    "BadUpcasters",
    "MisfitPayload",
    "MissingUpcaster",
    "NameTaken",
    "NestedTooDeep",
    "NewerVersion",
    "PayloadCodec",
    "PayloadTooLarge",
    "StoredAs",
    "UnencodableValue",
    "UnknownType",
    "UnnamedType",
    "UnreadablePayload",
    "UnsupportedType",
    "UpcastFailed",
    "Upcaster",
    "ValueCodec",
    "event",
    "reply_codec",
    "snapshot",
    "stored_as",
    "upcast",
    "variables_within",
]
