"""The shapes of lists, tuples, sets and dicts.

Only the very class of the annotation goes in: a list in a tuple's place, or a defaultdict in a dict's, would come back
as something else, and a live state would no longer be what replay makes of its events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgpack import Packer

from journal.codec.shapes import Encode, Misfit, Part, Shape, misfit, shown

_MAP_KEYS = frozenset({str, bytes})


class Many(Shape):
    """A list, or a tuple of any length: an array in order."""

    def __init__(self, cls: type[list[Any] | tuple[Any, ...]], item: Shape) -> None:
        self.expected = f"a {cls.__name__}"
        self.classes, self.kinds = frozenset({cls}), frozenset({list})
        self._cls, self._item = cls, item
        encode_item, decode_item, expected = item.encode, item.decode, self.expected
        expected_plain = expected if cls is list else f"{expected} (as list)"

        def encode(value: Any) -> Any:
            if value.__class__ is not cls:
                raise misfit(value, expected)
            return [encode_item(one) for one in value]

        def decode(plain: Any, _: Any) -> Any:
            if plain.__class__ is not list:
                raise misfit(plain, expected_plain)
            return [decode_item(one, None) for one in plain]

        self.encode = encode
        self.decode = decode if cls is list else lambda plain, _: tuple(decode(plain, None))

    def parts(self, value: Any) -> Sequence[Part]:
        """Each item, by index."""
        return _indexed(self._item, value) if value.__class__ is self._cls else ()

    def plain_parts(self, plain: Any) -> Sequence[Part]:
        """Each item, by index."""
        return _indexed(self._item, plain) if plain.__class__ is list else ()


class Distinct(Shape):
    """A set or frozenset: an array sorted by the items' bytes, so that equal sets have equal bytes."""

    def __init__(self, cls: type[set[Any] | frozenset[Any]], item: Shape) -> None:
        self.expected = f"a {cls.__name__}"
        self.classes, self.kinds = frozenset({cls}), frozenset({list})
        self._cls, self._item = cls, item
        encode_item, decode_item, expected = item.encode, item.decode, self.expected
        pack = Packer().pack

        def encode(value: Any) -> Any:
            if value.__class__ is not cls:
                raise misfit(value, expected)
            return sorted([encode_item(one) for one in value], key=pack)

        def decode(plain: Any, _: Any) -> Any:
            if plain.__class__ is not list:
                raise misfit(plain, f"{expected} (as list)")
            items = cls([decode_item(one, None) for one in plain])
            if len(items) != len(plain):
                raise Misfit(f"{expected} that holds an item twice")
            return items

        self.encode, self.decode = encode, decode

    def parts(self, value: Any) -> Sequence[Part]:
        """Each item."""
        if value.__class__ is not self._cls:
            return ()
        return [Part(f"{{{shown(one)}}}", self._item, one) for one in value]

    def plain_parts(self, plain: Any) -> Sequence[Part]:
        """Each item, by index."""
        return _indexed(self._item, plain) if plain.__class__ is list else ()


class Fixed(Shape):
    """A tuple of fixed length, each place with a shape of its own: an array."""

    def __init__(self, items: Sequence[Shape]) -> None:
        count = len(items)
        self.expected = f"a tuple of {count}"
        self.classes, self.kinds = frozenset({tuple}), frozenset({list})
        self._items, expected = items, self.expected
        encoders, decoders = [item.encode for item in items], [item.decode for item in items]

        def encode(value: Any) -> Any:
            if value.__class__ is not tuple or len(value) != count:
                raise _wrong_length(value, tuple, expected)
            return [encode_item(one) for encode_item, one in zip(encoders, value, strict=True)]

        def decode(plain: Any, _: Any) -> Any:
            if plain.__class__ is not list or len(plain) != count:
                raise _wrong_length(plain, list, f"{expected} (as list)")
            return tuple([decode_item(one, None) for decode_item, one in zip(decoders, plain, strict=True)])

        self.encode, self.decode = encode, decode

    def parts(self, value: Any) -> Sequence[Part]:
        """Each place, by index."""
        return self._placed(value) if value.__class__ is tuple else ()

    def plain_parts(self, plain: Any) -> Sequence[Part]:
        """Each place, by index."""
        return self._placed(plain) if plain.__class__ is list else ()

    def _placed(self, value: Sequence[Any]) -> Sequence[Part]:
        if len(value) != len(self._items):
            return ()
        return [Part(f"[{at}]", item, value[at]) for at, item in enumerate(self._items)]


class Keyed(Shape):
    """A dict, in its own order: a map where keys are str or bytes in msgpack, else an array of pairs.

    Pairs, because a map with other keys could not be read back without giving up the protection against floods of
    colliding keys.
    """

    def __init__(self, key: Shape, value: Shape) -> None:
        self.expected = "a dict"
        self.classes = frozenset({dict})
        self._key, self._value = key, value
        self._paired = not key.kinds or not key.kinds <= _MAP_KEYS
        self.kinds = frozenset({list if self._paired else dict})
        self.encode = _paired_encoder(key.encode, value.encode) if self._paired else _encoder(key.encode, value.encode)
        decode_key, decode_value = key.decode, value.decode
        pairs: Callable[[Any], Iterable[Any]] = _pairs if self._paired else _items

        def decode(plain: Any, _: Any) -> Any:
            found = {decode_key(k, None): decode_value(v, None) for k, v in pairs(plain)}
            if len(found) != len(plain):
                raise Misfit("a dict that holds a key twice")
            return found

        self.decode = decode

    def parts(self, value: Any) -> Sequence[Part]:
        """Each key, then its value."""
        return self._entries(value.items()) if value.__class__ is dict else ()

    def plain_parts(self, plain: Any) -> Sequence[Part]:
        """Each key, then its value."""
        return self._entries(_pairs(plain) if self._paired else _items(plain))

    def _entries(self, pairs: Iterable[tuple[Any, Any]]) -> Sequence[Part]:
        keys_and_values = (
            (Part(f" key {shown(k)}", self._key, k), Part(f"[{shown(k)}]", self._value, v)) for k, v in pairs
        )
        return [part for both in keys_and_values for part in both]


def _encoder(encode_key: Encode, encode_value: Encode) -> Encode:
    def encode(value: Any) -> Any:
        if value.__class__ is not dict:
            raise misfit(value, "a dict")
        plain = {encode_key(k): encode_value(v) for k, v in value.items()}
        if len(plain) != len(value):
            raise Misfit("a dict with two keys that look the same in msgpack")
        return plain

    return encode


def _paired_encoder(encode_key: Encode, encode_value: Encode) -> Encode:
    def encode(value: Any) -> Any:
        if value.__class__ is not dict:
            raise misfit(value, "a dict")
        return [[encode_key(k), encode_value(v)] for k, v in value.items()]

    return encode


def _items(plain: Any) -> Iterable[Any]:
    if plain.__class__ is not dict:
        raise misfit(plain, "a dict")
    return plain.items()


def _pairs(plain: Any) -> Iterable[Any]:
    if plain.__class__ is not list or not all(map(_is_pair, plain)):
        raise misfit(plain, "a dict (as list of pairs)")
    return plain


def _is_pair(item: Any) -> bool:
    return item.__class__ is list and len(item) == 2


def _indexed(item: Shape, values: Sequence[Any]) -> Sequence[Part]:
    return [Part(f"[{at}]", item, one) for at, one in enumerate(values)]


def _wrong_length(found: Any, cls: type[list[Any] | tuple[Any, ...]], expected: str) -> Misfit:
    if found.__class__ is cls:
        return Misfit(f"a {cls.__name__} of {len(found)} where {expected} is expected")
    return misfit(found, expected)
