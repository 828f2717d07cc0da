"""`aecorpy status`: what it shows, and that it changes nothing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aecorpy.cli import main
from sharding.store import Allocation, ClusterStore, Deployment, Seat, open_cluster_store
from tests.cli.programs import aecorpy, end, run, said


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ClusterStore]:
    """A cluster with two live nodes, one that is down, and some of everything."""
    store = await open_cluster_store(f"sqlite:///{tmp_path}/tickets.db", "tickets")
    one, two, three = [
        (await store.join(Seat(node, "127.0.0.1", 7000 + place, weight, roles), 30)).incarnation
        for place, (node, weight, roles) in enumerate([("a", 1, ("web", "big")), ("b", 0.5, ()), ("c", 1, ())])
    ]
    term = await store.take_term(two, 0)
    assert term is not None
    await store.deploy(Deployment("booking", "entity", 6), host=one)
    owners = [Allocation(0, one, 1), Allocation(1, one, 1), Allocation(2, two, 1), Allocation(3, three, 7)]
    await store.allocate(term, "booking", owners)
    await store.leave(three)
    await store.note_moves(term, {"booking": [2]})
    yield store
    await store.close()


async def test_nodes_types_and_shards_are_shown(store: ClusterStore, tmp_path: Path) -> None:
    code, text = await run(tmp_path, "status", "sqlite:///tickets.db", "--cluster", "tickets")
    assert code == 0, text
    lines = text.splitlines()
    assert lines[0] == "cluster tickets: b coordinates, term 1"
    head, a, b, c = [line.split() for line in lines[2:6]]
    assert head == ["NODE", "INCARNATION", "ADDRESS", "STATE", "LEASE", "LEFT", "WEIGHT", "SHARDS", "ROLES"]
    assert a[:4] == ["a", "1", "127.0.0.1:7000", "up"]
    assert 0 < float(a[4]) <= 30
    assert a[5:] == ["s", "1", "2", "web,big"]
    assert b[:5] == ["b", "*", "2", "127.0.0.1:7001", "up"]
    assert b[6:] == ["s", "0.5", "1", "-"]
    assert c[:5] == ["c", "3", "127.0.0.1:7002", "down", "over"]
    assert lines[8].split() == ["booking", "entity", "6", "a=2", "b=1", "7", "3,4,5", "2"]


async def test_the_same_as_json(store: ClusterStore, tmp_path: Path) -> None:
    code, text = await run(tmp_path, "status", "sqlite:///tickets.db", "--cluster", "tickets", "--json")
    assert code == 0, text
    seen = json.loads(text)
    assert (seen["cluster"], seen["term"], seen["coordinator"]) == ("tickets", 1, "b")
    assert [node["node"] for node in seen["nodes"] if node["coordinates"]] == ["b"]
    assert [(node["incarnation"], node["state"]) for node in seen["nodes"]] == [(1, "up"), (2, "up"), (3, "down")]
    assert seen["nodes"][0]["roles"] == ["web", "big"]
    assert seen["types"] == [
        {
            "name": "booking",
            "kind": "entity",
            "shards": 6,
            "per_node": {"a": 2, "b": 1},
            "highest_epoch": 7,
            "placed": [[0, "a", 1], [1, "a", 1], [2, "b", 1]],
            "without_owner": [3, 4, 5],
            "moving": [2],
        }
    ]


async def test_watching_shows_changes_until_ctrl_c(store: ClusterStore, tmp_path: Path) -> None:
    async with aecorpy(tmp_path, "status", "sqlite:///tickets.db", "--cluster", "tickets", "--watch") as process:
        await said(process, "b coordinates, term 1")
        assert await store.take_term(1, 1, evidence=True) == 2
        await said(process, "a coordinates, term 2")
        process.send_signal(signal.SIGINT)
        assert (await end(process))[0] == 0


@pytest.mark.parametrize(
    ("url", "cluster", "code", "why"),
    [
        ("sqlite:///tickets.db", "tickets", 1, "no cluster 'tickets' there"),
        ("sqlite:////nowhere/tickets.db", "tickets", 1, "no cluster 'tickets' there"),
        ("memory:", "tickets", 1, "no cluster 'tickets' there"),
        ("postgresql://u:s3cret@127.0.0.1:1/db", "tickets", 1, "PostgreSQL at 127.0.0.1:1/db"),
        ("mysql://u:s3cret@h/db", "tickets", 2, "a cluster store's URL is"),
        ("sqlite:///tickets.db", "two words", 2, "cluster name 'two words'"),
    ],
)
def test_what_is_not_there_is_said_and_not_created(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    url: str,
    cluster: str,
    code: int,
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["status", url, "--cluster", cluster]) == code
    shown = capfd.readouterr()
    (line,) = shown.err.splitlines()
    assert why in line
    assert "s3cret" not in line
    assert shown.out == ""
    assert os.listdir(tmp_path) == []


async def test_another_cluster_in_the_same_store_is_not_there(store: ClusterStore, tmp_path: Path) -> None:
    code, text = await run(tmp_path, "status", "sqlite:///tickets.db", "--cluster", "other")
    assert code == 1
    assert "no cluster 'other' there" in text
