"""Entities that cannot work are refused when they are deployed, with what to change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest

from aecorpy import (
    BadPayload,
    Behaviour,
    Entity,
    Fold,
    InvalidDefinition,
    Next,
    Rejection,
    Snapshotting,
    Tagging,
    WrongShardCount,
    command,
    event,
    query,
    upcast,
)
from aecorpy.behaviour import snake_case
from journal.contract import Database
from tests.aecorpy.conftest import StartNode
from tests.aecorpy.samples import Added, Counter, Saver

FOLD: Fold[int, Added] = Fold(0, lambda total, added: Next(total + added.n))


@dataclass
class NoName:
    """An event without a name in the journal."""


@event("Unstorable")
@dataclass
class Unstorable:
    what: object


class NoFold(Entity[int, Added]):
    @command
    async def add(self) -> None: ...


class NotAFold(Entity[int, Added]):
    fold = sum  # type: ignore[assignment]

    @command
    async def add(self) -> None: ...


class NoCommand(Entity[int, Added]):
    fold = FOLD

    async def add(self) -> None: ...


class NoTypes(Entity):  # type: ignore[type-arg]
    fold = FOLD

    @command
    async def add(self) -> None: ...


class NotAsync(Entity[int, Added]):
    fold = FOLD

    @command  # type: ignore[type-var]
    def add(self) -> None: ...


class EventWithoutName(Entity[int, NoName]):
    fold = FOLD

    @command
    async def add(self) -> None: ...


class EventOfObjects(Entity[int, Unstorable]):
    fold = FOLD

    @command
    async def add(self) -> None: ...


class StateOfObjects(Entity[object, Added]):
    fold = FOLD

    @command
    async def add(self) -> None: ...


class SnapshotWithoutName(Entity[int, Added]):
    fold = FOLD
    snapshotting = Snapshotting(3)

    @command
    async def add(self) -> None: ...


class ReplyOfObjects(Entity[int, Added]):
    fold = FOLD

    @query
    async def get(self) -> object: ...


class ReplyWithoutAnnotation(Entity[int, Added]):
    fold = FOLD

    @query
    async def get(self): ...  # type: ignore[no-untyped-def]


class ReplyOfUnknownName(Entity[int, Added]):
    fold = FOLD

    @query
    async def get(self) -> Nowhere: ...  # type: ignore[name-defined]  # noqa: F821


class ArgumentOfObjects(Entity[int, Added]):
    fold = FOLD

    @command
    async def add(self, what: Callable[[], int]) -> None: ...


class ArgumentWithoutAnnotation(Entity[int, Added]):
    fold = FOLD

    @command
    async def add(self, n) -> None: ...  # type: ignore[no-untyped-def]


class ArgumentsWithoutNames(Entity[int, Added]):
    fold = FOLD

    @command
    async def add(self, *ns: int) -> None: ...


class NotAName(Entity[int, Added]):
    fold = FOLD
    journal_name = "Robert'); DROP TABLE Students;--"

    @command
    async def add(self) -> None: ...


class HidesWhatEntitiesHave(Entity[int, Added]):
    fold = FOLD

    @command
    async def append(self, n: int) -> None: ...  # type: ignore[override]


class NeedsArguments(Entity[int, Added]):
    fold = FOLD

    def __init__(self, needed: int) -> None:
        super().__init__()

    @command
    async def add(self) -> None: ...


@dataclass(eq=False)
class RejectionOfObjects(Rejection):
    what: object


class RejectsWithObjects(Entity[int, Added]):
    fold = FOLD
    rejections = (RejectionOfObjects,)

    @command
    async def add(self) -> None: ...


class RejectsWithNoRejection(Entity[int, Added]):
    fold = FOLD
    rejections = (ValueError,)  # type: ignore[assignment]

    @command
    async def add(self) -> None: ...


class NotATagging(Entity[int, Added]):
    fold = FOLD
    tagging = 64  # type: ignore[assignment]

    @command
    async def add(self) -> None: ...


class NotASnapshotting(Entity[int, Added]):
    fold = FOLD
    snapshotting = 100  # type: ignore[assignment]

    @command
    async def add(self) -> None: ...


class OneUpcasterAlone(Entity[int, Added]):
    fold = FOLD
    upcasters = upcast("Added", 1)(dict)  # type: ignore[assignment]

    @command
    async def add(self) -> None: ...


class NotAnUpcaster(Entity[int, Added]):
    fold = FOLD
    upcasters = (dict,)  # type: ignore[assignment]

    @command
    async def add(self) -> None: ...


class OneRejectionAlone(Entity[int, Added]):
    fold = FOLD
    rejections = Rejection  # type: ignore[assignment]

    @command
    async def add(self) -> None: ...


class NeverIdle(Entity[int, Added]):
    fold = FOLD
    idle_seconds = 0

    @command
    async def add(self) -> None: ...


class IdleForWords(Entity[int, Added]):
    fold = FOLD
    idle_seconds = "60"  # type: ignore[assignment]

    @command
    async def add(self) -> None: ...


WRONG: list[tuple[type[Entity[Any, Any]], str]] = [
    (NoFold, "fold = Fold"),
    (NotAFold, "fold = Fold"),
    (NoCommand, "no @command"),
    (NoTypes, r"Entity\[State, Event\]"),
    (NotAsync, "async def"),
    (EventWithoutName, r"NoName has no name in the journal: .*@event"),
    (EventOfObjects, r"Unstorable\.what: cannot store object"),
    (StateOfObjects, "state of StateOfObjects: cannot store object"),
    (SnapshotWithoutName, r"int has no name in the journal: .*@snapshot"),
    (ReplyOfObjects, r"reply of ReplyOfObjects\.get: cannot store object"),
    (ReplyWithoutAnnotation, r"reply of ReplyWithoutAnnotation\.get"),
    (ReplyOfUnknownName, r"ReplyOfUnknownName\.get.*Nowhere"),
    (ArgumentOfObjects, r"ArgumentOfObjects\.add\.what: cannot store"),
    (ArgumentWithoutAnnotation, r"ArgumentWithoutAnnotation\.add\.n"),
    (ArgumentsWithoutNames, r"ArgumentsWithoutNames\.add\.ns"),
    (NotAName, "use 1 to 40 of a-z"),
    (HidesWhatEntitiesHave, "append"),
    (NeedsArguments, "without arguments"),
    (RejectsWithObjects, r"RejectionOfObjects\.what: cannot store object"),
    (RejectsWithNoRejection, "ValueError"),
    (NotATagging, r"NotATagging\.tagging is 64: give it a Tagging, such as"),
    (NotASnapshotting, r"snapshotting is 100: give it a Snapshotting, such as"),
    (OneUpcasterAlone, r"upcasters: 'Added' is no function under @upcast"),
    (NotAnUpcaster, r"upcasters: <class 'dict'> is no function under @upcast"),
    (OneRejectionAlone, r"rejections is <class .*: give it a tuple"),
    (NeverIdle, r"idle_seconds is 0: give it seconds above 0, or None"),
    (IdleForWords, r"idle_seconds is '60'"),
]


@pytest.mark.parametrize(("entity", "what"), WRONG, ids=[entity.__name__ for entity, _ in WRONG])
async def test_an_entity_that_cannot_work_is_refused(
    start_node: StartNode, entity: type[Entity[Any, Any]], what: str
) -> None:
    node = await start_node()
    with pytest.raises(InvalidDefinition, match=what) as caught:
        await node.deploy(entity)
    assert entity.__name__ in str(caught.value)
    counters = await node.deploy(Counter)
    assert await counters("a").add(1) == 1, "the node goes on"


@pytest.mark.parametrize("mark", [command, query])
def test_a_command_s_mark_stands_above_a_method(mark: Any) -> None:
    for wrong in (5, "add", None, Added):
        with pytest.raises(InvalidDefinition, match=r"@(command|query) stands above an `async def`, not above "):
            mark(wrong)


async def test_a_class_is_deployed_once(start_node: StartNode) -> None:
    node = await start_node()
    await node.deploy(Counter)
    with pytest.raises(InvalidDefinition, match="the name 'counter' is taken by Counter"):
        await node.deploy(Counter)


async def test_a_class_is_deployed_once_also_at_the_same_time(start_node: StartNode) -> None:
    node = await start_node()
    both = await asyncio.gather(node.deploy(Counter), node.deploy(Counter), return_exceptions=True)
    assert [type(one) for one in both if isinstance(one, Exception)] == [InvalidDefinition]
    (counters,) = [one for one in both if not isinstance(one, BaseException)]
    assert await counters("a").add(1) == 1


async def test_two_classes_of_one_name_are_refused(start_node: StartNode) -> None:
    class Other(Saver):
        journal_name = "counter"

    node = await start_node()
    await node.deploy(Counter)
    with pytest.raises(InvalidDefinition, match="the name 'counter' is taken by Counter"):
        await node.deploy(Other)


async def test_two_programs_with_different_shard_counts(start_node: StartNode, database: Database) -> None:
    class Wider(Counter):
        journal_name = "counter"
        tagging = Tagging.partitioned(8)

    await (await (await start_node(database)).deploy(Counter))("a").add(1)
    with pytest.raises(WrongShardCount, match="was created with 4 shards, this program asks for 8"):
        await (await start_node(database)).deploy(Wider)


def test_a_behaviour_of_a_subclass() -> None:
    class Child(Counter):
        @command
        async def add_twice(self, n: int) -> int:
            self.append(Added(n), Added(n))
            return self.state

    behaviour = Behaviour.of(Child)
    assert behaviour.name == "child"
    assert {"add", "get", "add_twice"} <= behaviour.commands.keys()


S = TypeVar("S")
E = TypeVar("E")


class Base(Entity[S, E], Generic[S, E]):
    """A base of entities that leaves the types open."""


class Pair(Base[tuple[S, S], Added], Generic[S]):
    """Gives one of them, and leaves open what it holds."""

    fold = Fold[Any, Added](None, lambda state, _: Next(state))

    @command
    async def add(self, first: S, n: int = 1) -> tuple[S, S]:
        self.append(Added(n))
        return self.state


def test_types_that_a_base_leaves_open_are_those_that_a_subclass_gives() -> None:
    class Texts(Pair[str]):
        """Is closed."""

    behaviour = Behaviour.of(Texts)
    assert behaviour.events.names == ("Added",)
    arguments = behaviour.arguments["add"]
    assert arguments.decode(arguments.encode("text")) == {"first": "text"}
    with pytest.raises(BadPayload, match="first"):
        arguments.encode(1)
    assert behaviour.replies["add"].decode(behaviour.replies["add"].encode(("a", "b"))) == ("a", "b")


def test_types_that_are_left_open_are_asked_for() -> None:
    class Open(Pair):  # type: ignore[type-arg]
        """Is not."""

    for one in (Open, Base, Pair):
        with pytest.raises(InvalidDefinition):
            Behaviour.of(one)
    with pytest.raises(InvalidDefinition, match=r"derive it from Entity\[State, Event\] with both types given"):
        Behaviour.of(Open)


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("PermitApplication", "permit_application"),
        ("Booking", "booking"),
        ("HTTPServer", "http_server"),
        ("Version2Thing", "version2_thing"),
        ("already_snake", "already_snake"),
    ],
)
def test_names_in_the_journal(name: str, snake: str) -> None:
    assert snake_case(name) == snake
