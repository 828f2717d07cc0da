"""Messages by number, to frames and back. What is not registered cannot be sent, nor named by who sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgpack import Packer, unpackb

from sharding.wire.errors import BadFrame, UnencodableMessage, UnfitMessageType
from sharding.wire.shapes import Misfit, Reader, fields_of, record_reader, signatures
from sharding.wire.splitter import LENGTH

MAX_FRAME = 1 << 20
_MOST_NUMBER = 0xFFFF
_pack_length = LENGTH.pack


class _Form(NamedTuple):
    number: int
    bulky: dict[tuple[type, ...], tuple[int, ...]]  # for each row of types that needs no conversion: what can be large
    read: Reader


class Registry:
    """Turns messages into frames and bodies of frames into messages.

    A body is the msgpack array `[number, *fields]`. Fields may be annotated as int, float, str, bytes, bool, None,
    unions of these, and tuples, lists and NamedTuples of them. A whole number where a float is declared becomes one.

    Args:
        messages: NamedTuple classes by number, 0 to 65,535. A number's meaning must never change.

    Raises:
        UnfitMessageType: a class or a number cannot be used; the text says which and why.
    """

    def __init__(self, messages: Mapping[int, type]) -> None:
        self._by_number: dict[int, _Form] = {}
        self._by_class: dict[type, _Form] = {}
        # One packer for all: `pack` is one call into C that never runs Python code, so it cannot be re-entered.
        self._pack = Packer().pack
        for number, cls in messages.items():
            self._register(number, cls)

    def _register(self, number: int, cls: type) -> None:
        if type(number) is not int or not 0 <= number <= _MOST_NUMBER:
            raise UnfitMessageType(f"{number!r} is not a number of a message: 0 to {_MOST_NUMBER}")
        if cls in self._by_class:
            raise UnfitMessageType(
                f"{cls.__qualname__} is registered twice, as {self._by_class[cls].number} and {number}"
            )
        rows = signatures(list(fields_of(cls).values()))
        bulky = {kinds: tuple(at for at, kind in enumerate(kinds) if kind in {str, bytes}) for kinds in rows}
        form = _Form(number, bulky, record_reader(cls))
        self._by_number[number] = self._by_class[cls] = form

    def encode(self, message: Any, limit: int = MAX_FRAME) -> bytes:
        """The frame of `message`: four bytes of length, big-endian, then the body.

        Args:
            message: an instance of a registered class.
            limit: the largest body, in bytes. What is surely larger is refused before it is packed.

        Raises:
            UnencodableMessage: it is not registered, a field has another type than declared, or it is over the limit.
        """
        form = self._by_class.get(type(message))
        if form is None:
            raise UnencodableMessage(f"{type(message).__qualname__} is not a registered message")
        bulky = form.bulky.get(tuple(map(type, message)))
        least = _least_size(message) if bulky is None else sum([len(message[place]) for place in bulky])
        if least > limit:
            raise UnencodableMessage(f"{type(message).__qualname__}: over {least} bytes, the limit is {limit}")
        try:
            body: bytes = self._pack((form.number, *message))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise UnencodableMessage(f"{type(message).__qualname__} cannot be packed: {_why(error)}") from None
        if len(body) > limit:
            raise UnencodableMessage(f"{type(message).__qualname__}: {len(body)} bytes, the limit is {limit}")
        if bulky is None:
            self._check(message, body)
        return _pack_length(len(body)) + body

    def _check(self, message: Any, body: bytes) -> None:
        # A field of a wrong type must fail here, at its sender, not close the connection at the receiver.
        try:
            self.decode(body)
        except BadFrame as error:
            raise UnencodableMessage(f"{type(message).__qualname__} cannot be sent: {error}") from None

    def decode(self, body: bytes) -> Any:
        """The message whose frame has this body.

        Raises:
            BadFrame: whatever is wrong with it; nothing else escapes, whatever the bytes.
        """
        size = len(body)
        try:
            # No message has maps or extensions; lengths over the body's own are refused before anything is reserved.
            plain = unpackb(
                body,
                use_list=False,
                max_str_len=size,
                max_bin_len=size,
                max_array_len=size,
                max_map_len=0,
                max_ext_len=0,
            )
        except (ValueError, TypeError) as error:
            raise BadFrame(f"not one msgpack value: {_why(error)}") from None
        if type(plain) is not tuple or not plain or type(plain[0]) is not int:
            raise BadFrame("not an array that begins with a message's number")
        form = self._by_number.get(plain[0])
        if form is None:
            raise BadFrame(f"no message has the number {plain[0]}")
        try:
            return form.read(plain[1:])
        except (Misfit, OverflowError) as error:
            raise BadFrame(str(error)) from None


def _least_size(value: Any) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, (tuple, list)):
        return len(value) + sum(map(_least_size, value))
    return 1


def _why(error: Exception) -> str:
    # Only what the library says in general: some of its errors quote the bytes they stumbled over.
    if isinstance(error, UnicodeError):
        return "text that is not valid Unicode"
    if isinstance(error, OverflowError):
        return "an int outside of what msgpack holds, -2**63 to 2**64 - 1"
    return type(error).__name__
