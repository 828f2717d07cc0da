"""What the README shows is run as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
ENTITY, VIEW, KIT, CHORES = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
DEFINITIONS = ENTITY.partition("async def main")[0]

PROJECT = """
async def main() -> None:
    async with ClusterNode("bank", journal="sqlite:///bank.db") as node:
        accounts = await node.deploy(Account)
        view = await node.distribute("Balances", Balances())
        await accounts("alice").move(300)
        await accounts("alice").move(-100)
        await view.caught_up()
        print([row async for row in Balances.table.rows(node.database)])


asyncio.run(main())
"""


AT_WORK = """
import builtins

said: list[str] = []


def print(*words: object) -> None:
    said.append(" ".join(map(str, words)))
    builtins.print(*words)


async def main() -> None:
    async with ClusterNode("bank", journal="sqlite:///bank.db") as node, asyncio.timeout(30):
        chores = await node.processing.start("chores", CHORES)
        await inbox.put("hello")
        while not all(any(line.startswith(what) for line in said) for what in ("the rate", "a letter", "the report")):
            await asyncio.sleep(0.01)
        await chores.shutdown()


asyncio.run(main())
"""


def run(folder: Path, program: str, *arguments: str) -> str:
    (folder / "test_program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, *arguments, "test_program.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_first_entity_runs_and_the_second_run_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    assert run(tmp_path, ENTITY) == "alice has 500\nso she cannot spend a million\n"
    assert run(tmp_path, ENTITY) == "alice has 1000\nso she cannot spend a million\n"


def test_the_view_follows_the_entity(tmp_path: Path) -> None:
    assert run(tmp_path, DEFINITIONS + VIEW + PROJECT) == "[Balance(account='alice', cents=200)]\n"


def test_the_kit_runs_the_behaviour_without_journal_or_node(tmp_path: Path) -> None:
    assert "1 passed" in run(tmp_path, DEFINITIONS + KIT, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider")


def test_the_chores_are_done(tmp_path: Path) -> None:
    here_and_now = CHORES.replace("https://example.com/rate", "data:,42").replace("0 6 * * MON-FRI", "* * * * * *")
    printed = run(tmp_path, DEFINITIONS + here_and_now + AT_WORK).splitlines()
    assert {"the rate is 42", "a letter: hello"} < set(printed)
    assert any(line.startswith("the report of 20") for line in printed)
