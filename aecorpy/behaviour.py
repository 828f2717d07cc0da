"""Behaviour as a value: an entity class, checked and taken apart into commands, fold and codecs.

It needs no journal, no cluster and no running loop; the test kit (`aecorpy.testing`) runs it as it is.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

from aecorpy.command import CommandSpec, commands_of
from aecorpy.entity import Entity, failure
from aecorpy.errors import BadPayload, InvalidDefinition, InvalidName, Rejection
from aecorpy.fold import Fold
from aecorpy.snapshotting import Snapshotting
from journal.codec import ArgumentsCodec, PayloadCodec, Upcaster, ValueCodec, reply_codec, variables_within
from journal.records import checked_name
from journal.tagging import Tagging

T = TypeVar("T", bound=Entity[Any, Any])


@dataclass(frozen=True)
class Behaviour(Generic[T]):
    """What an entity does.

    Args:
        entity: the class.
        name: the journal's name, and the start of its tags.
        commands: its commands, by name.
        fold, tagging, snapshotting: as the class says.
        events: the codec of its events.
        snapshot_codec: the codec of its state; None without snapshots.
        state: the codec of its state as a value, for the test kit.
        arguments, replies: the codecs of each command's arguments and reply, by the command's name.
        rejections: the codec of the rejections its commands may raise.
    """

    entity: type[T]
    name: str
    commands: dict[str, CommandSpec]
    fold: Fold[Any, Any]
    tagging: Tagging
    snapshotting: Snapshotting | None
    events: PayloadCodec[Any]
    snapshot_codec: PayloadCodec[Any] | None
    state: ValueCodec[Any]
    arguments: dict[str, ArgumentsCodec]
    replies: dict[str, ValueCodec[Any]]
    rejections: PayloadCodec[Any]

    @classmethod
    def of(cls, entity: type[T]) -> Behaviour[T]:
        """The behaviour that `entity` defines.

        Raises:
            InvalidDefinition: it cannot work; says what to change.
        """
        if not (isinstance(entity, type) and issubclass(entity, Entity)):
            raise InvalidDefinition(f"{entity!r} is no Entity class")
        fold = getattr(entity, "fold", None)
        if not isinstance(fold, Fold):
            raise InvalidDefinition(f"{entity.__name__}: give it a `fold = Fold(…)`")
        commands = commands_of(entity)
        if not commands:
            raise InvalidDefinition(f"{entity.__name__}: it has no @command, so nobody could use it")
        _check_class(entity, commands)
        state, events = _type_arguments(entity)
        try:
            return cls(
                entity,
                checked_name(entity.journal_name or snake_case(entity.__name__)),
                commands,
                fold,
                entity.tagging,
                entity.snapshotting,
                PayloadCodec(events, entity.upcasters),
                _snapshot_codec(entity, state),
                ValueCodec(state, what=f"state of {entity.__name__}"),
                {
                    name: ArgumentsCodec(one.method, variables=_variables(entity, name))
                    for name, one in commands.items()
                },
                {name: reply_codec(one.method, variables=_variables(entity, name)) for name, one in commands.items()},
                PayloadCodec(entity.rejections, class_names=True),
            )
        except (BadPayload, InvalidName) as error:
            raise InvalidDefinition(f"{entity.__name__}: {error}") from error

    def blank(self, key: str) -> T:
        """An instance for `key` in the state before its first event, which may append."""
        entity = self.entity()
        entity.key = key
        entity._state, entity._seq_nr = self.fold.initial, 0
        entity._appended = ()
        entity._pending = entity._stash = None
        return entity

    def failure(self, key: str, command: str, error: BaseException) -> BaseException:
        """What the caller is told of an error that a command raised."""
        return failure(self.entity.__name__, key, command, error)


def snake_case(name: str) -> str:
    """`PermitApplication` as `permit_application`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


_ATTRIBUTES: dict[str, tuple[type | UnionType, str]] = {
    "tagging": (Tagging, "a Tagging, such as Tagging.partitioned(64)"),
    "snapshotting": (Snapshotting | None, "a Snapshotting, such as Snapshotting(every=100), or None"),
    "upcasters": (tuple | list, "a tuple of functions under @upcast(…)"),
    "rejections": (tuple | list, "a tuple of subclasses of Rejection"),
    "idle_seconds": (int | float | None, "seconds above 0, or None"),
}


def _check_class(entity: type[Entity[Any, Any]], commands: Iterable[str]) -> None:
    for name, (kind, what) in _ATTRIBUTES.items():
        value = getattr(entity, name)
        if not isinstance(value, kind) or (isinstance(value, int | float) and not value > 0):
            raise InvalidDefinition(f"{entity.__name__}.{name} is {value!r}: give it {what}")
    for step in entity.upcasters:
        if not isinstance(step, Upcaster):
            raise InvalidDefinition(f"{entity.__name__}.upcasters: {step!r} is no function under @upcast(…)")
    for name in commands:
        if name.startswith("_") or hasattr(Entity, name):
            raise InvalidDefinition(f"{entity.__name__}.{name}: call it otherwise, every entity has its own {name!r}")
    for rejection in entity.rejections:
        if not (isinstance(rejection, type) and issubclass(rejection, Rejection)):
            raise InvalidDefinition(f"{entity.__name__}.rejections: {rejection!r} is not a subclass of Rejection")
    try:
        inspect.signature(entity).bind()
    except TypeError as error:
        raise InvalidDefinition(f"{entity.__name__} cannot be made without arguments: {error}") from error


def _type_arguments(entity: type) -> tuple[Any, Any]:
    given = [one for one in variables_within(entity, Entity).values() if not _is_open(one)]
    if len(given) == 2:
        return given[0], given[1]
    raise InvalidDefinition(f"{entity.__name__}: derive it from Entity[State, Event] with both types given")


def _is_open(annotation: Any) -> bool:
    return isinstance(annotation, TypeVar) or bool(getattr(annotation, "__parameters__", ()))


def _variables(entity: type, command: str) -> dict[Any, Any]:
    """What stands for the type variables in a command's signature: those of the class that defines it."""
    return variables_within(entity, next(base for base in entity.__mro__ if command in vars(base)))


def _snapshot_codec(entity: type[Entity[Any, Any]], state: Any) -> PayloadCodec[Any] | None:
    if entity.snapshotting is None:
        return None
    union = get_origin(state) in (Union, UnionType)
    kept = [member for member in (get_args(state) if union else (state,)) if member is not NoneType]
    return PayloadCodec(kept, entity.upcasters)
