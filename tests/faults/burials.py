"""Whom a node declared dead on evidence, before its lease was over: it has to be dead."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sharding.store.contract import ClusterStore
from sharding.store.postgres import PostgresClusterStore
from sharding.store.records import Member, Seat
from sharding.store.sqlite import SqliteClusterStore
from tests.checker.records import Buried
from tests.faults.setting import Setting, now

ENDING: Final = "members"
ON_RECORD: Final = 2.0  # seconds after the death of a process by which it is on record, on a busy machine


@dataclass(frozen=True, slots=True)
class Noted:
    """What a process did to a member.

    Attributes:
        at: when, in seconds.
        what: `JOINED` as it, or `BURIED` it.
        incarnation: whom.
    """

    at: float
    what: str
    incarnation: int


JOINED, BURIED = "joined", "buried"


def record_members(setting: Setting) -> None:
    """Have this process note as whom it joins, and whom it buries."""
    file = setting.file(ENDING).open("a", buffering=1)

    def note(what: str, incarnation: int) -> None:
        print(json.dumps(asdict(Noted(now(), what, incarnation))), file=file)

    for store in (PostgresClusterStore, SqliteClusterStore):
        _record(store, note)


def _record(store: type[ClusterStore], note: Callable[[str, int], None]) -> None:
    join: Any = store.join
    take_term: Any = store.take_term
    declare_down: Any = store.declare_down

    async def noted_join(
        self: ClusterStore, seat: Seat, lease_seconds: float, *, replacing: int | None = None
    ) -> Member:
        member: Member = await join(self, seat, lease_seconds, replacing=replacing)
        note(JOINED, member.incarnation)
        if replacing is not None:
            note(BURIED, replacing)
        return member

    async def noted_take_term(self: ClusterStore, incarnation: int, seen: int, *, evidence: bool = False) -> int | None:
        holder = (await self.picture()).coordinator if evidence else None
        term: int | None = await take_term(self, incarnation, seen, evidence=evidence)
        if term is not None and holder is not None:
            note(BURIED, holder)
        return term

    async def noted_declare_down(self: ClusterStore, term: int, incarnation: int, *, evidence: bool = False) -> bool:
        down: bool = await declare_down(self, term, incarnation, evidence=evidence)
        if down and evidence:
            note(BURIED, incarnation)
        return down

    for method in (noted_join, noted_take_term, noted_declare_down):
        setattr(store, method.__name__.removeprefix("noted_"), method)


def burials(folder: Path) -> list[Buried]:
    """Whom the processes of a run buried, for the checker.

    Who had joined anew may be buried as who it was, and so may who never heard that it had joined.
    """
    return list(_burials({file.stem: list(_read(file)) for file in sorted(folder.glob(f"*.{ENDING}"))}))


def _read(file: Path) -> Iterator[Noted]:
    with file.open() as lines:
        yield from (Noted(**json.loads(line)) for line in lines if line.endswith("\n"))


def _burials(noted: dict[str, Iterable[Noted]]) -> Iterator[Buried]:
    joined = {one.incarnation: (life, one.at) for life, some in noted.items() for one in some if one.what == JOINED}
    for some in noted.values():
        for one in some:
            if one.what != BURIED or one.incarnation not in joined:
                continue
            life, _ = joined[one.incarnation]
            if not any(of == life and other > one.incarnation and at <= one.at for other, (of, at) in joined.items()):
                yield Buried(one.at + ON_RECORD, life)
