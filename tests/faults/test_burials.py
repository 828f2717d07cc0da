"""Who is declared dead on evidence has to be dead."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from sharding.store import Seat, open_cluster_store
from sharding.store.sqlite import SqliteClusterStore
from tests.checker import check
from tests.checker.records import Buried, Crashed
from tests.faults.burials import BURIED, JOINED, ON_RECORD, Noted, burials, record_members
from tests.faults.setting import Setting

DIED = 5.0


def found(folder: Path, **noted: Sequence[Noted]) -> list[Buried]:
    for life, some in noted.items():
        (folder / f"{life}.members").write_text("".join(json.dumps(asdict(one)) + "\n" for one in some))
    return burials(folder)


@pytest.mark.parametrize(
    ("at", "refused"),
    [
        pytest.param(DIED - 0.1, False, id="its death is on record a little later"),
        pytest.param(DIED - ON_RECORD - 0.1, True, id="it lived"),
    ],
)
def test_who_is_buried_has_to_be_dead(tmp_path: Path, at: float, refused: bool) -> None:
    records = found(tmp_path, a=[Noted(1.0, JOINED, 7)], b=[Noted(1.1, JOINED, 8), Noted(at, BURIED, 7)])
    assert [one.node for one in records] == ["a"]
    assert bool(check([*records, Crashed(DIED, "a")])) is refused
    assert check(records), "it lives to the end"


def test_who_had_joined_anew_may_be_buried_as_who_it_was_and_so_may_who_never_heard_of_it(tmp_path: Path) -> None:
    joins = [Noted(1.0, JOINED, 7), Noted(3.0, JOINED, 9)]
    assert found(tmp_path, a=joins, b=[Noted(3.1, BURIED, 7), Noted(3.1, BURIED, 6)]) == []
    assert [one.node for one in found(tmp_path, a=joins, b=[Noted(2.9, BURIED, 7)])] == ["a"]
    assert [one.node for one in found(tmp_path, a=joins, b=[Noted(3.1, BURIED, 9)])] == ["a"]


async def test_a_process_notes_whom_it_buries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("join", "take_term", "declare_down"):  # put back at the end
        monkeypatch.setattr(SqliteClusterStore, method, getattr(SqliteClusterStore, method))
    url = f"sqlite:///{tmp_path}/cluster.db"
    record_members(Setting(url, str(tmp_path), life="a.1"))
    store = await open_cluster_store(url, "here")
    try:
        one, other, third = [
            (await store.join(Seat(name, "127.0.0.1", 1, 1.0, ()), 60.0)).incarnation for name in ("a", "b", "c")
        ]
        assert await store.take_term(one, 0) == 1
        assert burials(tmp_path) == []
        assert await store.take_term(other, 1, evidence=True) == 2
        assert await store.declare_down(2, third, evidence=True)
        assert len(burials(tmp_path)) == 1, "of them all, only c joined last"
        await store.join(Seat("b", "127.0.0.1", 1, 1.0, ()), 60.0, replacing=other)
    finally:
        await store.close()
    noted = [Noted(**json.loads(line)) for line in (tmp_path / "a.1.members").read_text().splitlines()]
    assert [note.incarnation for note in noted if note.what == BURIED] == [one, third, other]
