"""`aecorpy run`: several nodes, restarted when they die, ended when it ends."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

from aecorpy.cli.supervising import Pauses
from tests.cli.programs import aecorpy, end, kill, node_process, processes_in, run, said
from tests.waiting import eventually


async def test_nodes_run_are_restarted_and_stop_together(folder: Path) -> None:
    async with aecorpy(folder, "run", "tickets:node", "--nodes", 2, "--prefix", "web") as process:
        lines = [await said(process, "is up") for _ in range(2)]
        assert sorted(re.findall(r"^(\S+) \| .* node '(\S+)' of cluster", "".join(lines), re.MULTILINE)) == [
            ("web-1", "web-1"),
            ("web-2", "web-2"),
        ]
        killed = node_process(folder, "web-2")
        kill(killed)
        assert "web-2 ended (by SIGKILL): started again in 0.2 s" in await said(process, "ended")
        await said(process, "node 'web-2' of cluster 'tickets' is up")
        assert node_process(folder, "web-2") != killed
        began = asyncio.get_running_loop().time()
        process.send_signal(signal.SIGTERM)
        code, text = await end(process)
        assert code == 0, text
        assert asyncio.get_running_loop().time() - began < 9  # not the 10 s for which a node waits for heirs
        assert "node 'web-1' has stopped" in text
        assert "node 'web-2' has stopped" in text
    assert processes_in(folder) == {}


async def test_nodes_end_when_the_supervisor_is_killed(folder: Path) -> None:
    async with aecorpy(folder, "run", "tickets:node", "--nodes", 2) as process:
        for _ in range(2):
            await said(process, "is up")
        assert len(processes_in(folder)) == 3
        process.kill()
        await process.wait()
        await eventually(lambda: not processes_in(folder), within=20)


async def test_a_node_that_is_stuck_ends_when_the_supervisor_is_killed(folder: Path) -> None:
    async with aecorpy(folder, "run", "tickets:busy", "--nodes", 1, "--stop-within", 0.5) as process:
        await said(process, "is up")
        process.kill()
        await process.wait()
        await eventually(lambda: not processes_in(folder), within=20)


async def test_nodes_that_have_not_begun_stop_in_order(folder: Path) -> None:
    async with aecorpy(folder, "run", "slow:node", "--nodes", 2) as process:
        for _ in range(2):
            await said(process, "about to import")
        process.send_signal(signal.SIGINT)
        code, text = await end(process)
        assert code == 0, text


async def test_a_second_signal_kills_the_nodes(folder: Path) -> None:
    async with aecorpy(folder, "run", "tickets:stuck", "--nodes", 2) as process:
        for _ in range(2):
            await said(process, "is up")
        process.send_signal(signal.SIGINT)
        for _ in range(2):
            await said(process, "stops")
        process.send_signal(signal.SIGINT)
        assert (await end(process))[0] == 130
        await eventually(lambda: not processes_in(folder))


async def test_what_can_never_run_is_not_tried_again(folder: Path) -> None:
    code, text = await run(folder, "run", "tickets:raises", "--nodes", 2)
    assert code == 2
    said_by = r"node-(\d) \| aecorpy: tickets:raises raised RuntimeError: no luck with node-\1"
    assert re.search(said_by, text), "whoever comes first ends the other one"
    assert text.splitlines()[-1] == "aecorpy: tickets:raises cannot be run: see above"
    assert "started again" not in text


async def test_nodes_end_when_nobody_reads_what_they_say(folder: Path) -> None:
    command = f"'{sys.executable}' -m aecorpy run tickets:node --nodes 2 2>&1 | head -n 1"
    process = await asyncio.create_subprocess_shell(command, cwd=folder, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    name, bar, _ = (await process.stdout.readline()).decode().partition(" | ")
    assert (name[:5], bar) == ("node-", " | ")
    await eventually(lambda: not any(words[0] == "head" for words in processes_in(folder).values()))
    for pid, words in processes_in(folder).items():
        if "node" in words and name in words:  # all may have been said before `head` ended: one line more
            with suppress(ProcessLookupError):
                kill(pid)
    await eventually(lambda: not processes_in(folder), within=20)
    await process.wait()


async def test_a_node_that_dies_at_once_is_tried_again_after_longer_pauses(folder: Path) -> None:
    async with aecorpy(folder, "run", "tickets:away", "--nodes", 1) as process:
        pauses = [(await said(process, "started again")).split()[-2] for _ in range(3)]
        assert pauses == ["0.2", "0.4", "0.8"]
        process.send_signal(signal.SIGTERM)
        code, text = await end(process)
        assert code in (0, 1), text  # 1 if it was just starting


def test_pauses_grow_to_ten_seconds_and_begin_anew_after_a_stable_minute() -> None:
    pauses = Pauses()
    grown = [pauses.after(1.0) for _ in range(8)]
    assert grown == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert pauses.after(60.0) == 0.2
    assert pauses.after(59.0) == 0.4
