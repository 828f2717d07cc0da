"""What cannot be stored is found when a codec is built, with class and field; marks leave nothing but a mark."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Final, Generic, Literal, TypedDict, TypeVar
from uuid import UUID

import attrs
import pytest
from typing_extensions import TypeAliasType

from journal.codec import (
    BadArguments,
    NameTaken,
    PayloadCodec,
    UnencodableValue,
    UnknownType,
    UnnamedType,
    UnsupportedType,
    ValueCodec,
    event,
    snapshot,
    stored_as,
)
from tests.journal.codec_samples import (
    Bare,
    BookingConfirmed,
    BookingEvent,
    BookingPlaced,
    Colour,
    Expired,
    Free,
    Frozen,
    NotThere,
    Page,
    Paid,
    Seat,
    Status,
    TooManySeats,
)

T = TypeVar("T")
Pair = TypeAliasType("Pair", tuple[T, T], type_params=(T,))
Money = TypeAliasType("Money", Paid | Free)


class LazyAlias:
    """What Python 3.12 makes of `type Json = …`: evaluated when asked, so that it may mention itself."""

    @property
    def __value__(self) -> Any:
        return bool | int | float | str | list.__class_getitem__(self) | dict.__class_getitem__((str, self)) | None


LazyAlias.__name__ = "TypeAliasType"
JSON = LazyAlias()


class Untyped(TypedDict):
    a: int


class Plain:
    def __init__(self, a: int) -> None:
        self.a = a


class Empty(Enum):
    pass


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (Any, "cannot store Any: name the types it may have, as a union"),
        (object, "cannot store object: name the types it may have, as a union"),
        (socket.socket, "cannot store socket: it is neither"),
        (list, "cannot store list: say what it holds, such as list[str]"),
        (dict, "cannot store dict: say what it holds, such as dict[str, int]"),
        (tuple, "cannot store tuple: say what it holds, such as tuple[str, ...]"),
        (Callable[[], None], "cannot store collections.abc.Callable"),
        (Sequence[int], "say tuple[…] or list[…], so that the same type comes back"),
        (Mapping[str, int], "say dict[…], so that the same type comes back"),
        (Iterable[int], "say tuple[…] or list[…]"),
        (type, "cannot store type"),
        (bytearray, "cannot store bytearray"),
        (complex, "cannot store complex"),
        (Plain, "cannot store Plain: it is neither"),
        (Untyped, "cannot store Untyped"),
        (Empty, "cannot store Empty"),
        (T, "this type variable stands for nothing here"),
        (str | Decimal, "a str and a Decimal are both stored as str"),
        (date | datetime, "a date and a datetime are both stored as str"),
        (bytes | UUID, "bytes and a UUID are both stored as bytes"),
        (int | timedelta, "an int and a timedelta are both stored as int"),
        (str | Status, "a str and a Status are both stored as str"),
        (list[int] | set[int], "a list and a set are both stored as list"),
        (list[int] | Paid | Free, "a list and a Paid are both stored as list"),
        (tuple[int, ...] | dict[int, int], "a tuple and a dict are both stored as list"),
        (Page[int] | Page[str], "two of its classes go by the name 'Page'"),
        (Literal[Colour.RED, "red"], "two of its values are stored alike"),
        ("Seat", "cannot store Seat: it is neither"),
    ],
)
def test_unsupported_annotations_name_class_and_field(annotation: Any, reason: str) -> None:
    with pytest.raises(UnsupportedType) as caught:
        ValueCodec(annotation, what="reply of f")
    assert str(caught.value).startswith("reply of f")
    assert reason in str(caught.value)
    cls = event("Made")(dataclasses.make_dataclass("Made", [("good", int), ("bad", annotation)]))
    if annotation != "Seat":
        with pytest.raises(UnsupportedType, match=r"^Made\.bad") as caught:
            PayloadCodec(cls)
        assert reason in str(caught.value)


def test_the_place_of_an_unsupported_annotation_is_the_innermost_class() -> None:
    @dataclass
    class Inner:
        handles: dict[str, list[socket.socket]]

    @event("Outer")
    @dataclass
    class Outer:
        inner: Any

    Outer.__annotations__["inner"] = tuple[Inner, ...]
    Inner.__annotations__["handles"] = dict[str, list[socket.socket]]
    with pytest.raises(UnsupportedType, match=r"Inner\.handles\[…\]\[…\]: cannot store socket"):
        PayloadCodec(Outer)


@dataclass
class Unresolved:
    fine: int
    missing: Nowhere  # type: ignore[name-defined]  # noqa: F821


@dataclass
class Raising:
    field: "int | [][0]"  # type: ignore[valid-type]  # noqa: UP037


@dataclass
class Initial:
    shown: int
    hidden: InitVar[int]


@dataclass
class Derived:
    shown: int
    twice: int = field(init=False)


@dataclass(init=False)
class OwnConstructor:
    shown: int

    def __init__(self, **everything: int) -> None:
        self.shown = everything["shown"]


@attrs.define
class Private:
    _hidden: int


Loose = namedtuple("Loose", ["a", "b"])


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Unresolved, r"Unresolved\.missing: cannot store Nowhere: its annotation names what cannot be found"),
        (Raising, r"Raising: cannot store its annotations: evaluating them raised"),
        (Initial, r"Initial\.hidden: .* its constructor takes it, but no field of that name is annotated"),
        (Derived, r"Derived\.twice: .* so it could not be restored"),
        (OwnConstructor, r"OwnConstructor\.everything: .* its constructor must take each field by name"),
        (Private, r"Private\._hidden: .* so it could not be restored"),
        (Loose, r"Loose\.a: .* no field of that name is annotated"),
    ],
)
def test_classes_that_could_not_be_restored_are_refused(cls: Any, message: str) -> None:
    with pytest.raises(UnsupportedType, match=message):
        ValueCodec(cls)


@event("Box")
@dataclass
class Box(Generic[T]):
    content: T


@dataclass
class Quirks:
    count: Final[int]
    cl: str
    converter: str
    instance: str
    o: str
    res: str
    default: list[int] = field(default_factory=list)
    constant: ClassVar[socket.socket | None] = None


def test_fields_may_have_any_name_and_class_variables_any_type() -> None:
    codec = ValueCodec(Quirks)
    value = Quirks(1, "a", "b", "c", "d", "e", [2])
    assert codec.decode(codec.encode(value)) == value


def test_type_aliases() -> None:
    json: ValueCodec[Any] = ValueCodec(JSON)
    value = {"a": [1, None, {"b": [True, 0.5, "x"]}]}
    assert json.decode(json.encode(value)) == value
    with pytest.raises(UnencodableValue, match=r"value\['a'\]\[0\]: a tuple where"):
        json.encode({"a": [()]})
    pair: ValueCodec[Any] = ValueCodec(Pair[Seat])
    assert pair.decode(pair.encode((Seat("A", 1), Seat("A", 2)))) == (Seat("A", 1), Seat("A", 2))
    money: ValueCodec[Any] = ValueCodec(list[Money | None])
    assert money.decode(money.encode([Free(), None])) == [Free(), None]
    events: PayloadCodec[Any] = PayloadCodec(TypeAliasType("Events", BookingEvent))
    assert "BookingPlaced" in events.names


def test_a_recursive_class_of_a_function() -> None:
    @dataclass
    class Chain:
        following: Chain | None = None

    codec = ValueCodec(Chain)
    assert codec.decode(codec.encode(Chain(Chain()))) == Chain(Chain())


def test_a_mark_leaves_the_class_as_it_was_and_is_not_inherited() -> None:
    @event("Marked", version=3)
    @dataclass(frozen=True, slots=True)
    class Marked:
        a: int

    class Child(Marked):
        pass

    @dataclass(slots=True)
    @snapshot("Under")
    class Under:
        a: int

    assert stored_as(Marked) == ("Marked", 3)
    assert stored_as(Child) is None
    assert stored_as(Under) == ("Under", 1)
    assert stored_as(Marked(1)) is None
    assert Marked(1) == Marked(1)


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 201, "ü" * 101, "a\nb", "\ud800", 1])
def test_names_that_cannot_be_stored(name: Any) -> None:
    with pytest.raises(ValueError, match="name"):
        event(name)


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "1", 2**31, 202_611_301_200])
def test_versions_that_are_none(version: Any) -> None:
    with pytest.raises(ValueError, match="versions are 1, 2, 3"):
        event("Name", version=version)


@pytest.mark.parametrize("what", [print, 5, "Seat", None])
def test_a_mark_on_what_is_no_class(what: Any) -> None:
    with pytest.raises(TypeError, match=r"@event\('Name'\) stands above a class, not above "):
        event("Name")(what)
    with pytest.raises(TypeError, match=r"@snapshot\('Name'\) stands above a class, not above "):
        snapshot("Name")(what)


def test_a_class_without_name() -> None:
    with pytest.raises(UnnamedType, match=r"Seat has no name in the journal: decorate the class with @event\(…\)"):
        PayloadCodec([BookingPlaced, Seat])
    for other in (int, "abc", [1], list[int], Literal["a"]):
        with pytest.raises(UnnamedType):
            PayloadCodec(other)
    with pytest.raises(UnnamedType, match=r"int has no name in the journal: put it into a dataclass under @event"):
        PayloadCodec(int)  # which nobody can decorate


def test_two_classes_with_one_name() -> None:
    twin = event("BookingPlaced")(dataclasses.make_dataclass("Twin", []))
    with pytest.raises(NameTaken, match=r"name 'BookingPlaced' is claimed by .*BookingPlaced.* and by .*Twin"):
        PayloadCodec([BookingPlaced, twin])


def test_types_may_be_given_in_several_ways() -> None:
    for types in (
        BookingPlaced | BookingConfirmed,
        [BookingPlaced, BookingConfirmed],
        {BookingPlaced, BookingConfirmed},
    ):
        assert sorted(PayloadCodec(types).names) == ["BookingConfirmed", "BookingPlaced"]
    assert PayloadCodec([BookingPlaced, BookingPlaced | None]).names == ("BookingPlaced", "None")
    assert PayloadCodec([]).names == ()
    generic = PayloadCodec(Box[int])
    assert generic.decode(*generic.encode(Box(1))) == Box(1)


def test_rejections_cross_by_name() -> None:
    rejections: PayloadCodec[Any] = PayloadCodec([NotThere, TooManySeats, Frozen, Expired, Bare], class_names=True)
    for sent in (
        NotThere(),
        NotThere("b-1", 3),
        TooManySeats(12),
        TooManySeats(12, allowed=11),
        Frozen(Seat("A", 1)),
        Expired(datetime.fromisoformat("2024-01-01T00:00:00+00:00"), grace=timedelta(1)),
        Bare(),
    ):
        name, version, data = rejections.encode(sent)
        received = rejections.decode(name, version, data)
        assert (type(received), name, version) == (type(sent), type(sent).__name__, 1)
        assert vars(received) == vars(sent)
        assert str(received) == str(sent)
    with pytest.raises(UnencodableValue, match=r"cannot store NotThere.args\[0\]: a Seat where"):
        rejections.encode(NotThere(Seat("A", 1)))
    with pytest.raises(UnknownType):
        rejections.encode(ValueError())


def test_rejections_in_a_union() -> None:
    codec: ValueCodec[Any] = ValueCodec(NotThere | TooManySeats | int)
    received = codec.decode(codec.encode(NotThere("x")))
    assert (type(received), received.args) == (NotThere, ("x",))
    assert codec.decode(codec.encode(TooManySeats(11))).asked == 11


def test_errors_can_be_told_apart_by_builtin_class_too() -> None:
    assert issubclass(UnsupportedType, TypeError)
    assert issubclass(BadArguments, TypeError)


def test_importing_the_codec_imports_no_store() -> None:
    program = "import journal.codec, sys; print({'asyncpg', 'sqlite3', 'aecorpy', 'sharding'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    assert found.strip() == "set()"


@pytest.mark.parametrize("decorator", [event, snapshot])
def test_a_decorator_without_a_name_says_how_it_is_written(decorator: Any) -> None:
    with pytest.raises(TypeError, match=rf"Seat: give it a name in the journal, @{decorator.__name__}\('Seat'\)"):
        decorator(type("Seat", (), {}))
