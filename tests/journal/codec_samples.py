"""Types and generated values for the codec's tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar
from uuid import UUID

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from journal.codec import event, snapshot

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a busy machine is no reason to fail."""

ClientId = NewType("ClientId", str)
Price = Annotated[Decimal, "in euro"]
T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Planet(Enum):
    MERCURY = (3.3e23, 2.4e6)
    VENUS = (4.9e24, 6.1e6)


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Status(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class Rights(IntFlag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True, slots=True)
class Seat:
    row: str
    number: int


@dataclass(frozen=True, slots=True)
class VipSeat(Seat):
    lounge: str = "north"


@event("Paid")
@dataclass(frozen=True, slots=True)
class Paid:
    amount: Price
    at: datetime


@dataclass(frozen=True, slots=True)
class Free:
    reason: Literal["press", "staff"] = "press"


@dataclass(frozen=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    following: T | None = None


@dataclass(frozen=True)
class SeatPage(Page[Seat]):
    number: int = 1


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    children: tuple[Node, ...] = ()


@dataclass
class Leaf:
    value: int


@dataclass
class Branch:
    left: Leaf | Branch
    right: Leaf | Branch


class Point(NamedTuple):
    x: float
    y: float = 0.0


@attrs.frozen
class Address:
    street: str
    number: int = attrs.field(default=1, kw_only=True)


@event("BookingPlaced")
@dataclass(frozen=True, slots=True)
class BookingPlaced:
    client_id: ClientId
    concert_id: str
    seats: tuple[Seat, ...]


@event("BookingConfirmed", version=2)
@dataclass(frozen=True, slots=True)
class BookingConfirmed:
    tickets: dict[UUID, Seat]
    payment: Paid | Free
    expires: datetime | None = None


@event("BookingDenied")
@dataclass(frozen=True, slots=True)
class BookingDenied:
    reason: str = ""


@event("Nothing")
@dataclass(frozen=True, slots=True)
class Nothing:
    pass


BookingEvent = BookingPlaced | BookingConfirmed | BookingDenied | Nothing


@snapshot("Everything")
@dataclass(slots=True)
class Everything:
    """One field of each kind."""

    text: str
    raw: bytes
    flag: bool
    whole: int
    real: float
    nothing: None
    price: Price
    key: UUID
    day: date
    hour: time
    moment: datetime
    duration: timedelta
    colour: Colour
    level: Level
    status: Status
    rights: Rights
    seat: Seat
    page: Page[int]
    point: Point
    tree: Node
    payment: Paid | Free | None
    mixed: int | str | list[int] | None
    choice: Literal["a", 1, True, None]
    pair: tuple[str, int]
    empty: tuple[()]
    names: list[str]
    kinds: frozenset[Colour]
    numbers: set[int]
    by_name: dict[str, Seat]
    by_number: dict[int, tuple[str, ...]]
    by_key: dict[UUID, float]
    by_colour: dict[Colour, Decimal]
    by_day: dict[date, list[bool]]
    by_pair: dict[tuple[int, str], Level]
    client: ClientId = ClientId("c")
    tags: dict[str, str] = field(default_factory=dict, kw_only=True)


class Refusal(Exception):
    """What a library's root of rejections may look like."""


class NotThere(Refusal):
    pass


@dataclass
class TooManySeats(Refusal):
    asked: int
    allowed: int = 10


@dataclass(frozen=True)
class Frozen(Refusal):
    seat: Seat


class Expired(Refusal):
    def __init__(self, at: datetime, *, grace: timedelta = timedelta()) -> None:
        super().__init__(f"expired at {at}")
        self.at, self.grace = at, grace


class Bare(Refusal):
    def __init__(self) -> None:
        super().__init__("always the same words")


offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ints = st.integers(-(2**63), 2**64 - 1)
reals = st.floats(allow_nan=False)
decimals = st.decimals(allow_nan=False)
moments = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=st.just(UTC) | offsets)
durations = st.timedeltas(min_value=timedelta(days=-100_000_000), max_value=timedelta(days=100_000_000))
seats = st.builds(Seat, st.text(), ints)
payments = st.builds(Paid, decimals, moments) | st.builds(Free, st.sampled_from(["press", "staff"]))
nodes: st.SearchStrategy[Node] = st.recursive(
    st.builds(Node, st.text()),
    lambda inner: st.builds(Node, st.text(), st.lists(inner, max_size=3).map(tuple)),
    max_leaves=10,
)
booking_events: st.SearchStrategy[Any] = (
    st.builds(BookingPlaced, st.text(), st.text(), st.lists(seats, max_size=3).map(tuple))
    | st.builds(BookingConfirmed, st.dictionaries(st.uuids(), seats, max_size=3), payments, st.none() | moments)
    | st.builds(BookingDenied, st.text())
    | st.just(Nothing())
)

scalars: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, st.text()),
    (bytes, st.binary()),
    (bool, st.booleans()),
    (int, ints),
    (float, reals),
    (type(None), st.none()),
    (Decimal, decimals),
    (UUID, st.uuids()),
    (date, st.dates()),
    (time, st.times()),
    (datetime, moments),
    (timedelta, durations),
    (Colour, st.sampled_from(Colour)),
    (Planet, st.sampled_from(Planet)),
    (Level, st.sampled_from(Level)),
    (Status, st.sampled_from(Status)),
    (Rights, st.sampled_from([Rights(0), Rights.READ, Rights.WRITE, Rights.READ | Rights.WRITE])),
    (Literal["a", "b"], st.sampled_from(["a", "b"])),
    (ClientId, st.text()),
    (Price, decimals),
    (Seat, seats),
    (Point, st.builds(Point, reals, reals)),
    (Address, st.builds(Address, st.text(), number=ints)),
]
"""Annotations, each with values of it."""

Typed = tuple[Any, st.SearchStrategy[Any]]


@st.composite
def annotated_values(draw: st.DrawFn) -> tuple[Any, Any]:
    """An annotation built at random, and a value of it."""
    annotation, values = draw(_typed(depth=3))
    return annotation, draw(values)


@st.composite
def _typed(draw: st.DrawFn, depth: int) -> Typed:
    if depth == 0 or draw(st.booleans()):
        return _hashable(draw)
    made: Typed = draw(st.sampled_from([_many, _sets, _fixed, _dicts, _maybe, _generic, _made]))(draw, depth - 1)
    return made


def _many(draw: st.DrawFn, depth: int) -> Typed:
    item, values = draw(_typed(depth))
    lists = st.lists(values, max_size=3)
    made: Typed = draw(st.sampled_from([(list[item], lists), (tuple[item, ...], lists.map(tuple))]))  # type: ignore[valid-type]
    return made


def _hashable(draw: st.DrawFn) -> Typed:
    made: Typed = draw(st.sampled_from(scalars))
    return made


def _sets(draw: st.DrawFn, depth: int) -> Typed:
    item, values = _hashable(draw)
    chosen = st.frozensets(values, max_size=3)
    made: Typed = draw(st.sampled_from([(frozenset[item], chosen), (set[item], chosen.map(set))]))  # type: ignore[valid-type]
    return made


def _fixed(draw: st.DrawFn, depth: int) -> Typed:
    typed = draw(st.lists(_typed(depth), min_size=1, max_size=3))
    annotation: Any = tuple.__class_getitem__(tuple(item for item, _ in typed))
    return annotation, st.tuples(*(values for _, values in typed))


def _dicts(draw: st.DrawFn, depth: int) -> Typed:
    (key, keys), (item, values) = _hashable(draw), draw(_typed(depth))
    return dict[key, item], st.dictionaries(keys, values, max_size=3)  # type: ignore[valid-type]


def _maybe(draw: st.DrawFn, depth: int) -> Typed:
    item, values = draw(_typed(depth))
    return item | None if item is not type(None) else item, st.none() | values


def _generic(draw: st.DrawFn, depth: int) -> Typed:
    item, values = draw(_typed(depth))
    return Page[item], st.builds(Page, st.lists(values, max_size=2).map(tuple), st.none() | values)  # type: ignore[valid-type]


def _made(draw: st.DrawFn, depth: int) -> Typed:
    """A dataclass made on the spot, the last of its fields with a default and by keyword only."""
    typed = draw(st.lists(_typed(depth), min_size=1, max_size=4))
    fields: list[Any] = [(f"f{at}", item) for at, (item, _) in enumerate(typed)]
    last: dict[str, Hashable] = {"default": None, "kw_only": True}
    extra = ("extra", int | None, dataclasses.field(**last))  # type: ignore[call-overload]
    cls = dataclasses.make_dataclass("Made", [*fields, extra], frozen=draw(st.booleans()), slots=draw(st.booleans()))
    arguments = {f"f{at}": values for at, (_, values) in enumerate(typed)}
    return cls, st.builds(cls, **arguments, extra=st.none() | ints)
