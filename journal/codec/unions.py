"""The shapes of `X | None` and of other unions.

`X | None` is X or nil, as it is. Any other union chooses by class: its record classes are tagged with their name,
`[name, fields]`; the rest must differ in what msgpack makes of them, or the codec refuses the union.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from journal.codec.shapes import Misfit, Part, Shape, misfit, shown


class Maybe(Shape):
    """`X | None`: X's own plain form, or nil."""

    def __init__(self, item: Shape) -> None:
        self.expected = f"{item.expected} or None"
        nothing = frozenset({type(None)})
        self.classes, self.kinds, self.also = item.classes | nothing, item.kinds | nothing, item.also
        self._item = item
        encode_item, decode_item = item.encode, item.decode
        self.encode = lambda value: None if value is None else encode_item(value)
        self.decode = lambda plain, _: None if plain is None else decode_item(plain, None)

    def parts(self, value: Any) -> Sequence[Part]:
        """The item, unless it is None."""
        return () if value is None else (Part("", self._item, value),)

    def plain_parts(self, plain: Any) -> Sequence[Part]:
        """The item, unless it is nil."""
        return () if plain is None else (Part("", self._item, plain),)


class Tagged(Shape):
    """A record class as a member of a union: `[name, fields]`."""

    def __init__(self, tag: str, record: Shape) -> None:
        self.expected, self.classes, self.kinds = record.expected, record.classes, frozenset({list})
        self.tag, self.record = tag, record
        encode_record = record.encode
        self.encode = lambda value: [tag, encode_record(value)]
        # `decode` is the union's, which reads the tag to find the member.

    def parts(self, value: Any) -> Sequence[Part]:
        """The record itself."""
        return (Part("", self.record, value),)


class OneOf(Shape):
    """A union of members that can be told apart."""

    def __init__(self, members: Sequence[Shape]) -> None:
        self.expected = " or ".join(member.expected for member in members)
        self.classes = frozenset[type]().union(*(member.classes for member in members))
        self.kinds = frozenset[type]().union(*(member.kinds for member in members))
        self._tagged = {member.tag: member.record for member in members if isinstance(member, Tagged)}
        untagged = [member for member in members if not isinstance(member, Tagged)]
        self._by_class = _by(members, lambda member: member.classes)
        self._by_kind = _by(untagged, lambda member: member.kinds)
        self._encoders = {cls: member.encode for cls, member in self._by_class.items()}
        self._decoders = {kind: member.decode for kind, member in self._by_kind.items()}
        self.encode, self.decode = self._encoder(), self._decoder()

    def _encoder(self) -> Callable[[Any], Any]:
        encoders = self._encoders

        def encode(value: Any) -> Any:
            chosen = encoders.get(value.__class__)
            if chosen is None:
                return self._member_of(value).encode(value)
            return chosen(value)

        return encode

    def _decoder(self) -> Callable[[Any, Any], Any]:
        decoders, by_tag = self._decoders, {tag: record.decode for tag, record in self._tagged.items()}

        def decode(plain: Any, _: Any) -> Any:
            if by_tag and plain.__class__ is list:
                tag, fields = self._opened(plain)
                return by_tag[tag](fields, None)
            chosen = decoders.get(plain.__class__)
            if chosen is None:
                raise misfit(plain, self.expected)
            return chosen(plain, None)

        return decode

    def _member_of(self, value: Any) -> Shape:
        """The member for a value: by its very class, else by inheritance where the member allows it."""
        exact = self._by_class.get(value.__class__)
        if exact is not None:
            return exact
        for cls, member in self._by_class.items():
            if isinstance(value, cls) and not isinstance(value, bool):
                return member
        raise misfit(value, self.expected)

    def _opened(self, plain: list[Any]) -> tuple[str, Any]:
        """The tag of a tagged member, which is one of ours, and its fields."""
        if len(plain) != 2 or plain[0].__class__ is not str:
            raise Misfit(f"a list that is no [name, fields] where {self.expected} is expected")
        if plain[0] not in self._tagged:
            raise Misfit(f"name {shown(plain[0])} is unknown where {self.expected} is expected")
        return plain[0], plain[1]

    def parts(self, value: Any) -> Sequence[Part]:
        """The value as its member."""
        return (Part("", self._member_of(value), value),)

    def plain_parts(self, plain: Any) -> Sequence[Part]:
        """The plain form as its member's."""
        if self._tagged and plain.__class__ is list:
            tag, fields = self._opened(plain)
            return (Part(f"<{tag}>", self._tagged[tag], fields),)
        member = self._by_kind.get(plain.__class__)
        return () if member is None else (Part("", member, plain),)


def clash(members: Sequence[Shape]) -> str | None:
    """Why the members of a union cannot be told apart, or None if they can."""
    tags = [member.tag for member in members if isinstance(member, Tagged)]
    for tag in tags:
        if tags.count(tag) > 1:
            return f"two of its classes go by the name {tag!r}"
    kinds: dict[type, Shape] = {}
    for member in members:
        for kind in member.kinds:
            other = kinds.setdefault(kind, member)
            if other is not member and not (isinstance(other, Tagged) and isinstance(member, Tagged)):
                return f"{other.expected} and {member.expected} are both stored as {kind.__name__}"
    return None


def _by(members: Sequence[Shape], key: Callable[[Shape], frozenset[type]]) -> dict[type, Shape]:
    chosen = {cls: member for member in members for cls in key(member)}
    for member in members:
        for cls in member.also:
            chosen.setdefault(cls, member)
    return chosen
