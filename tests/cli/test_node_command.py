"""`aecorpy node`: what it says, how it ends."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from aecorpy.cli import main
from sharding.store import open_cluster_store
from tests.cli.programs import aecorpy, end, run, said

URL = "sqlite:///tickets.db"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_node_comes_up_and_stops_in_order(folder: Path, number: signal.Signals) -> None:
    async with aecorpy(folder, "node", "tickets:node", "--name", "node-1") as process:
        up = await said(process, "is up")
        assert "node 'node-1' of cluster 'tickets' is up at 127.0.0.1:" in up
        assert "Booking" in up
        process.send_signal(number)
        code, text = await end(process)
    assert code == 0, text
    assert "node 'node-1' has stopped" in text
    store = await open_cluster_store(f"sqlite:///{folder}/tickets.db", "tickets", create=False)
    (member,) = (await store.picture()).members
    assert (member.node, member.state, member.roles) == ("node-1", "down", ("web",))
    assert member.lease_left <= 0
    await store.close()


@pytest.mark.parametrize("factory", ["stuck", "busy"])
async def test_a_second_signal_ends_a_node_at_once(folder: Path, factory: str) -> None:
    async with aecorpy(folder, "node", f"tickets:{factory}") as process:
        await said(process, "is up")
        process.send_signal(signal.SIGTERM)
        await said(process, "stops")
        process.send_signal(signal.SIGINT)
        assert (await end(process))[0] == 130


async def test_a_node_that_does_not_stop_in_time_ends_all_the_same(folder: Path) -> None:
    async with aecorpy(folder, "node", "tickets:stuck", "--stop-within", 0.3) as process:
        await said(process, "is up")
        process.send_signal(signal.SIGTERM)
        code, text = await end(process)
    assert code == 1
    assert "did not stop within 0.3 s" in text


@pytest.mark.parametrize(
    ("factory", "code", "why"),
    [
        ("tickets", 2, "'tickets' is not MODULE:FACTORY"),
        ("tickets:", 2, "is not MODULE:FACTORY"),
        ("nowhere:node", 2, "there is no module 'nowhere'"),
        (
            "broken:node",
            2,
            "'broken' cannot be imported: ModuleNotFoundError: No module named 'not_installed_here'",
        ),
        ("tickets:nothing", 2, "module 'tickets' has no 'nothing'"),
        ("tickets:not_a_function", 2, "it has to be a function that takes a node's name"),
        ("tickets:raises", 2, "tickets:raises raised RuntimeError: no luck with node-1"),
        ("tickets:raises", 2, "(tickets.py, line 11, in raises)"),
        ("tickets:coroutine", 2, "tickets:coroutine is an `async def`"),
        ("tickets:starts_badly", 1, "ValueError: no luck (tickets.py, line "),
        ("tickets:number", 2, "it has to return a ClusterNode that is not started"),
        ("tickets:open_to_all", 2, "needs a secret"),
        ("tickets:unstorable", 2, "cannot store object"),
        ("tickets:away", 1, "its folder /nowhere does not exist"),
    ],
)
def test_bad_input_is_said_in_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    factory: str,
    code: int,
    why: str,
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    for module in ("tickets", "broken"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert main(["node", factory, "--name", "node-1"]) == code
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("aecorpy: ")
    assert why in line


async def test_a_traceback_is_shown_only_to_who_asks(folder: Path) -> None:
    assert "Traceback" not in (await run(folder, "node", "tickets:raises"))[1]
    code, text = await run(folder, "node", "tickets:raises", "--verbose")
    assert code == 2
    assert "Traceback" in text
    assert "in raises" in text


async def test_a_name_that_is_taken_and_shards_that_differ_are_said(folder: Path) -> None:
    async with aecorpy(folder, "node", "tickets:node", "--name", "node-1") as process:
        await said(process, "is up")
        code, text = await run(folder, "node", "tickets:node", "--name", "node-1")
        assert code == 1
        (line,) = text.splitlines()
        assert "the name 'node-1' is taken by a member at 127.0.0.1:" in line
        code, text = await run(folder, "node", "tickets:other_count", "--name", "node-2")
        assert code == 2
        assert "64" in text.splitlines()[-1]
        assert "8" in text.splitlines()[-1]
        assert "Traceback" not in text


async def test_what_other_nodes_deployed_otherwise_is_said_and_cannot_go_better(folder: Path) -> None:
    async with aecorpy(folder, "node", "tickets:with_boxes", "--name", "node-1") as process:
        await said(process, "is up")
        code, text = await run(folder, "node", "tickets:with_other_boxes", "--name", "node-2")
        assert code == 2
        assert "other nodes deployed 'box' with shard_count 8 (hosted by 'node-1'), this program asks for 9" in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["node"],
        ["node", "a:b", "--stop-within", "0"],
        ["run", "a:b", "--nodes", "0"],
        ["run", "a:b", "--nodes", "many"],
        ["status", URL],
    ],
)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: aecorpy" in capsys.readouterr().err
