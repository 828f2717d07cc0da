"""The codec of a closed set of types by name and version: events, snapshots, rejections, messages."""

from __future__ import annotations

from collections.abc import Iterable
from types import NoneType
from typing import Any, Generic, TypeVar, get_origin, overload

from journal.codec.annotations import Shapes, union_members
from journal.codec.errors import MisfitPayload, NameTaken, UnknownType, UnnamedType, UnreadablePayload
from journal.codec.naming import StoredAs, stored_as
from journal.codec.packing import MAX_BYTES, ByteForm, unpacked
from journal.codec.shapes import shown
from journal.codec.upcasting import Upcaster, Upcasting
from journal.codec.values import UnknownFields

T = TypeVar("T")
_NOTHING = StoredAs("None", 1)
_NO_VERSION = 2**63


class PayloadCodec(Generic[T]):
    """Encodes values of several types to (name, version, bytes) and decodes them, old versions included.

    Args:
        types: a union such as `BookingPlaced | BookingConfirmed`, one class, or several in an iterable. `None` in it
            goes by the name "None" (a state that may be absent).
        upcasters: the steps from older versions, made by `upcast`.
        max_bytes: more than that is neither written nor read.
        unknown_fields: "ignore" to skip fields that this program's classes do not have; refused otherwise.
        class_names: let classes without a mark go by their own name in version 1. For what crosses the wire and is
            not kept; renaming such a class changes the wire.

    Raises:
        UnnamedType: a class has no mark of `event` or `snapshot`.
        NameTaken: two classes have the same name.
        UnsupportedType: a field cannot be stored; names class and field.
        BadUpcasters: they form a cycle, stand twice or end nowhere.
    """

    @overload
    def __init__(
        self: PayloadCodec[T],
        types: type[T],
        upcasters: Iterable[Upcaster] = ...,
        *,
        max_bytes: int = ...,
        unknown_fields: UnknownFields = ...,
        class_names: bool = ...,
    ) -> None: ...

    @overload
    def __init__(
        self: PayloadCodec[Any],
        types: object,
        upcasters: Iterable[Upcaster] = ...,
        *,
        max_bytes: int = ...,
        unknown_fields: UnknownFields = ...,
        class_names: bool = ...,
    ) -> None: ...

    def __init__(
        self,
        types: Any,
        upcasters: Iterable[Upcaster] = (),
        *,
        max_bytes: int = MAX_BYTES,
        unknown_fields: UnknownFields = "error",
        class_names: bool = False,
    ) -> None:
        self.max_bytes = max_bytes
        named = _named(_listed(types), class_names=class_names)
        self._writers: dict[type, tuple[str, int, ByteForm]] = {}
        self._readers: dict[tuple[str, int], ByteForm] = {}
        for stored, cls in named.items():
            shapes = Shapes(ignore_unknown=unknown_fields == "ignore")
            form = ByteForm(shapes.of(cls, stored.name), stored.name, max_bytes, recursive=shapes.recursive)
            self._writers[get_origin(cls) or cls] = (*stored, form)
            self._readers[stored] = form
        self._versions = {stored.name: stored.version for stored in named}
        self._upcasting = Upcasting(upcasters, self._versions)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all types it knows, in the order given."""
        return tuple(self._versions)

    def encode(self, value: T) -> tuple[str, int, bytes]:
        """The name and version of the value's class, and its bytes. The same value gives the same bytes.

        Raises:
            UnknownType: its class is none of this codec's.
            UnencodableValue: a field does not fit its annotation, or msgpack cannot hold it. The message says where.
            PayloadTooLarge, NestedTooDeep: it is over a limit.
        """
        known = self._writers.get(type(value))
        if known is None:
            raise UnknownType(f"class {type(value).__qualname__}", self._versions)
        name, version, form = known
        return name, version, form.encode(value)

    def decode(self, name: str, version: int, data: bytes) -> T:
        """The value stored as `data` under a name and version, older versions by way of the upcasters.

        Raises:
            UnknownType: no class and no upcaster has that name.
            NewerVersion: this program is older than the one that wrote it.
            MissingUpcaster, UpcastFailed: the way from an old version is not there, or an upcaster raised.
            UnreadablePayload: `data` is not one whole msgpack value.
            MisfitPayload: it is, but does not fit the class. The message says where.
            PayloadTooLarge, NestedTooDeep: it is over a limit.
        """
        try:
            form = self._readers.get((name, version))
        except TypeError:
            form = None
        if form is None:
            return self._decode_old(name, version, data)
        return form.decode(data)  # type: ignore[no-any-return]  # the readers were built for T

    def _decode_old(self, name: str, version: int, data: bytes) -> T:
        if not isinstance(name, str) or type(version) is not int or not 0 < version < _NO_VERSION:
            raise UnreadablePayload(f"a payload of type {shown(name)}", "a name is text, a version 1, 2, 3, …")
        found = f"{shown(name)} (version {version})"
        self._upcasting.check(name, version)
        current, plain = self._upcasting.apply(name, version, unpacked(data, found, self.max_bytes))
        try:
            return self._readers[current, self._versions[current]].restore(plain)  # type: ignore[no-any-return]  # as above
        except MisfitPayload as error:
            raise MisfitPayload(f"{error.path}, upcast from {found}", error.reason) from error.__cause__


def _listed(types: Any) -> list[Any]:
    # An alias such as Page[Seat] can be iterated over, too, but is one type.
    if isinstance(types, Iterable) and not isinstance(types, type) and get_origin(types) is None:
        return list(dict.fromkeys(member for one in types for member in union_members(one)))
    return union_members(types)


def _named(types: Iterable[Any], *, class_names: bool) -> dict[StoredAs, Any]:
    named: dict[str, tuple[StoredAs, Any]] = {}
    for cls in types:
        stored = _name_of(cls, class_names=class_names)
        if stored.name in named:
            raise NameTaken(stored.name, named[stored.name][1], cls)
        named[stored.name] = (stored, cls)
    return dict(named.values())


def _name_of(cls: Any, *, class_names: bool) -> StoredAs:
    if cls is NoneType:
        return _NOTHING
    base = get_origin(cls) or cls
    stored = stored_as(base)
    if stored is None and class_names and isinstance(base, type):
        stored = StoredAs(base.__name__, 1)
    if stored is None:
        raise UnnamedType(cls)
    return stored
